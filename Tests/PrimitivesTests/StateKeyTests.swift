import CSodium
import Primitives
import Testing

@Suite struct StateKeyTests {
  private let key = StateKey.random(.seeded(1))
  private let context = Array("session of a peer".utf8)

  @Test(arguments: [0, 1, 105, 8_000, 100_000])
  func whatWasSealedOpensInItsPlace(_ count: Int) throws {
    let plaintext = Randomness.seeded(2).bytes(count)
    let sealed = key.seal(plaintext.span, context: context)
    #expect(sealed.count == count + StateKey.overheadBytes)
    #expect(StateKey.isSealed(sealed))
    #expect(StateKey.keyID(of: sealed) == key.id)
    #expect(try open(sealed) == plaintext)
    #expect(sealed != key.seal(plaintext.span, context: context), "every seal has a nonce of its own")
  }

  @Test func theFormatIsAsDescribed() throws {
    let plaintext: [UInt8] = [1, 2, 3]
    let sealed = key.seal(plaintext.span, context: context)
    var material = HKDF.expand(prk: key.secret, info: Array("pawl/1 state key".utf8), count: 40)
    let inner = material.takeBytes(32)
    #expect(material.takeBytes(8) == key.id)
    #expect(Array(sealed[..<9]) == [2] + key.id)
    let ad = sealed[..<33] + context
    var opened = [UInt8](repeating: 0, count: 3)
    let status = crypto_aead_xchacha20poly1305_ietf_decrypt(
      &opened, nil, nil, Array(sealed[33...]), 19, Array(ad), UInt64(ad.count), Array(sealed[9..<33]), inner)
    #expect(status == 0 && opened == plaintext)
  }

  @Test func aFlippedBitAnywhereIsTold() {
    let plaintext: [UInt8] = [1, 2, 3]
    let sealed = key.seal(plaintext.span, context: context)
    for index in sealed.indices {
      var bad = sealed
      bad[index] ^= 1
      let expected: CryptoError.Code =
        switch index {
        case 0: .invalidEncoding
        case 1...8: .wrongKey
        default: .authenticationFailed
        }
      #expect(throws: CryptoError(expected), "byte \(index)") { try open(bad) }
    }
    for count in 0..<sealed.count {
      #expect(throws: CryptoError.self) { try open(Array(sealed[..<count])) }
    }
  }

  @Test func anotherPlaceAndAnotherKeyAreRefusedAndToldApart() {
    let plaintext: [UInt8] = [1, 2, 3]
    let sealed = key.seal(plaintext.span, context: context)
    #expect(throws: CryptoError(.authenticationFailed)) { _ = try key.open(sealed, context: context + [0]).count }
    let other = StateKey.random(.seeded(2))
    #expect(other.id != key.id)
    #expect(throws: CryptoError(.wrongKey)) { _ = try other.open(sealed, context: context).count }
    // The other key's name in front does not make it the other key's.
    let renamed = [2] + other.id + sealed[9...]
    #expect(throws: CryptoError(.authenticationFailed)) { _ = try other.open(renamed, context: context).count }
  }

  @Test func whatNothingSealedIsToldApart() {
    for stored: [UInt8] in [[], [1], [1] + [UInt8](repeating: 0, count: 200)] {
      #expect(!StateKey.isSealed(stored))
      #expect(StateKey.keyID(of: stored) == nil)
      #expect(throws: CryptoError(.invalidEncoding)) { try open(stored) }
    }
  }

  @Test func aKeyIsItsBytes() throws {
    let plaintext: [UInt8] = [7]
    let again = StateKey(key.secret.clone())
    #expect(again.id == key.id)
    let buffer = try again.open(key.seal(plaintext.span, context: []), context: [])
    #expect(buffer.isEqual(to: plaintext.span) == true)
  }

  private func open(_ sealed: [UInt8]) throws -> [UInt8] {
    let buffer = try key.open(sealed, context: context)
    return [UInt8](copying: buffer.span)
  }
}
