import CSodium
import Testing

@testable import Primitives

@Suite struct SecretBytesTests {
  @Test(arguments: 1...64)
  func aSecretHoldsWhatItWasGiven(_ count: Int) {
    let bytes = Randomness.seeded(UInt64(count)).bytes(count)
    let secret = SecretBytes(copying: bytes)
    #expect(secret.count == count)
    #expect([UInt8](copying: secret.span) == bytes)
    #expect(secret.copyBytes() == bytes)
  }

  @Test func aSlotIsFullOfZerosWhenItIsGivenBackAndWhenItIsTaken() {
    // An arena of our own: nobody else takes the slot meanwhile.
    let arena = SecretArena(slotBytes: 32)
    let slot = arena.take()
    #expect(Self.isZero(slot, 32))
    slot.initializeMemory(as: UInt8.self, repeating: 0xa5, count: 32)
    arena.giveBack(slot)
    #expect(Self.isZero(slot, 32))
    #expect(arena.take() == slot)
  }

  @Test func theBytesOfAReleasedSecretAreGone() {
    for count in [32, 64] {
      let bytes = Randomness.seeded(77).bytes(count)
      let address = Self.addressOfAReleasedSecret(bytes)
      // The slot may already be someone else's: but these bytes are not in it any more.
      #expect([UInt8](UnsafeRawBufferPointer(start: address, count: count)) != bytes)
    }
  }

  @Test func keyMaterialAndAuthenticatorsAreGoneToo() {
    let prk = Randomness.seeded(5).secret(32)
    let (address, expected) = Self.addressOfReleasedKeyMaterial(prk)
    #expect([UInt8](UnsafeRawBufferPointer(start: address, count: 160)) != expected)
  }

  @Test func twentyThousandSecretsLiveAtOnceAndEachIsItsOwn() {
    var secrets: [SecretBox] = []
    for index in 0..<20_000 { secrets.append(SecretBox(Self.numbered(index))) }
    #expect(Set(secrets.map { UInt(bitPattern: $0.bytes.slot.pointer) }).count == secrets.count)
    for (index, secret) in secrets.enumerated() where !secret.bytes.isEqual(to: Self.numbered(index)) {
      Issue.record("secret \(index) changed")
    }
  }

  @Test func aCloneIsASecretOfItsOwn() {
    var secret = SecretBytes(copying: [1, 2, 3])
    let clone = secret.clone()
    #expect(clone.isEqual(to: secret) == true)
    #expect(clone.slot.pointer != secret.slot.pointer)
    var span = secret.mutableSpan
    span[0] = 9
    #expect(secret.copyBytes() == [9, 2, 3])
    #expect(clone.copyBytes() == [1, 2, 3])
  }

  @Test func secretsAreEqualByAllTheirBytes() {
    let bytes = [UInt8](0..<64)
    let secret = SecretBytes(copying: bytes)
    #expect(secret.isEqual(to: SecretBytes(copying: bytes)) == true)
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1
      #expect(secret.isEqual(to: SecretBytes(copying: changed)) == false)
    }
    #expect(secret.isEqual(to: SecretBytes(copying: Array(bytes.dropLast()))) == false)
    #expect(ConstantTime.equal([], []))
    #expect(!ConstantTime.equal([], [0]))
  }

  @Test func aBoxSaysNothingOfItsSecret() {
    let box = SecretBox(SecretBytes(copying: Array("correct horse".utf8)))
    // SecretBytes itself cannot be interpolated at all: that does not compile.
    #expect(!"\(box) \(String(reflecting: box))".contains("correct"))
    var dumped = ""
    dump(box, to: &dumped)
    #expect(!dumped.contains("99") && !dumped.contains("correct"))
  }

  @Test func manyThreadsTakeAndGiveBack() async {
    await withTaskGroup(of: Bool.self) { group in
      for task in 0..<8 {
        group.addTask {
          for index in 0..<2_000 where !Self.survives(task * 2_000 + index) { return false }
          return true
        }
      }
      for await isWhole in group { #expect(isWhole) }
    }
  }

  private static func survives(_ number: Int) -> Bool {
    let secret = numbered(number)
    let clone = secret.clone()
    return clone.isEqual(to: numbered(number))
  }

  private static func numbered(_ number: Int) -> SecretBytes {
    SecretBytes(copying: (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 4))) })
  }

  @inline(never)
  private static func addressOfAReleasedSecret(_ bytes: [UInt8]) -> UnsafeRawPointer {
    let secret = SecretBytes(copying: bytes)
    #expect(secret.copyBytes() == bytes)
    return UnsafeRawPointer(secret.slot.pointer)
  }

  @inline(never)
  private static func addressOfReleasedKeyMaterial(_ prk: borrowing SecretBytes) -> (UnsafeRawPointer, [UInt8]) {
    var material = HKDF.expand(prk: prk, info: [], count: 160)
    return (UnsafeRawPointer(material.slot.pointer), material.takeBytes(160))
  }

  private static func isZero(_ pointer: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    sodium_is_zero(pointer.assumingMemoryBound(to: UInt8.self), count) == 1
  }
}
