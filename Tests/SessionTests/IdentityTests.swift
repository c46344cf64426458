import Primitives
import Testing
import Wire

@testable import Session

@Suite struct IdentityTests {
  @Test func anIdentitySurvivesItsFile() throws {
    let party = try Party(seed: 1)
    let stored = party.identity.serialized()
    let read = try Identity(parsing: stored.span)
    #expect(read.record == party.record)
    let signature = try read.sign(kind: .manifest, body: [1, 2], crypto: party.crypto)
    #expect(signature.count == SignatureKind.signatureBytes)
    #expect(party.record.verify(kind: .manifest, body: [1, 2], signature: signature))
    #expect(read.linkKey().publicKey == party.record.linkKey)
  }

  @Test func aDamagedIdentityFileIsRefused() throws {
    let stored = try Party(seed: 1).identity.serialized()
    let bytes = [UInt8](copying: stored.span)
    for index in [20, 50, 90, 130, 200, bytes.count - 1] {
      var bad = bytes
      bad[index] ^= 1
      #expect(throws: SessionError(.corruptState)) { try Identity(parsing: bad.span) }
    }
    let (short, long, foreign) = (Array(bytes.dropLast()), bytes + [0], [1, 2, 3] as [UInt8])
    #expect(throws: SessionError(.corruptState)) { try Identity(parsing: short.span) }
    #expect(throws: SessionError(.corruptState)) { try Identity(parsing: long.span) }
    #expect(throws: SessionError(.unsupportedVersion)) { try Identity(parsing: foreign.span) }
  }

  @Test func aRecordIsReadBackAndEveryChangedFieldIsRefused() throws {
    let record = try Party(seed: 2).record
    #expect(record.bytes.count == 5_436)
    #expect(try IdentityRecord(parsing: record.bytes.span) == record)
    // Label, Ed25519 key, ML-DSA key, link key, agree key, either signature.
    for index in [0, 20, 500, 2_005, 2_040, 2_070, 2_140, 5_435] {
      var bad = record.bytes
      bad[index] ^= 1
      #expect(throws: SessionError.self) { try IdentityRecord(parsing: bad.span) }
    }
    let short = Array(record.bytes.dropLast())
    #expect(throws: SessionError(.malformed)) { try IdentityRecord(parsing: short.span) }
  }

  @Test func theNodeIdIsTheHashOfTheBody() throws {
    let record = try Party(seed: 2).record
    #expect(record.id.bytes == SHA256Hash.hash(Array(record.bytes[..<2_063])).bytes)
    #expect(NodeID(hex: record.id.hex) == record.id)
    #expect(NodeID(hex: record.id.hex.uppercased()) == nil)
    #expect(record.id.fingerprint.split(separator: " ").count == 16)
  }

  @Test func aSignatureOfOneKindIsNoneOfAnother() throws {
    let party = try Party(seed: 3)
    let signature = try party.identity.sign(kind: .manifest, body: [7], crypto: party.crypto)
    #expect(!party.record.verify(kind: .bundle, body: [7], signature: signature))
    #expect(!party.record.verify(kind: .manifest, body: [8], signature: signature))
  }

  @Test func bothHalvesOfASignatureMustVerify() throws {
    let party = try Party(seed: 3)
    let good = try party.identity.sign(kind: .manifest, body: [7], crypto: party.crypto)
    for index in [10, 1_000] {
      var bad = good
      bad[index] ^= 1
      #expect(!party.record.verify(kind: .manifest, body: [7], signature: bad))
    }
    #expect(!party.record.verify(kind: .manifest, body: [7], signature: Array(good.prefix(64))))
  }

  @Test func theSafetyNumberIsTheSameOnBothSidesAndSixtyDigits() throws {
    let (a, b) = try Party.pair(seed: 4)
    let number = SafetyNumber(a.id, b.id)
    #expect(number == SafetyNumber(b.id, a.id))
    #expect(number.digits.count == 60)
    #expect(number.digits.allSatisfy { ("0"..."9").contains($0) })
    #expect(number.grouped.split(separator: " ").map(\.count) == Array(repeating: 5, count: 12))
    #expect(number.lines.count == 3)
    #expect(number != SafetyNumber(a.id, try Party(seed: 99).id))
  }

  /// Computed with Python's hashlib from the formula in PROTOCOL.md §2.
  @Test func theSafetyNumberIsTheOneThatAnotherProgramComputes() throws {
    let known: [(one: [UInt8], other: [UInt8], digits: String)] = [
      (
        [UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32),
        "165076021602220217419945884550339000215013300639872809172472"
      ),
      (Array(0..<32), Array(32..<64), "936905912704183051125281033629948985830599906326460769440409"),
      (
        [UInt8](repeating: 255, count: 32), [UInt8](repeating: 0, count: 32),
        "569281898823067323603563328000963157677409606370577618673738"
      ),
    ]
    for (one, other, digits) in known {
      let (one, other) = (try #require(NodeID(one)), try #require(NodeID(other)))
      #expect(SafetyNumber(one, other).digits == digits)
      #expect(SafetyNumber(other, one).digits == digits)
    }
  }

  @Test func theSafetyNumberFollowsTheFormula() throws {
    let one = try #require(NodeID([UInt8](repeating: 1, count: 32)))
    let other = try #require(NodeID([UInt8](repeating: 2, count: 32)))
    func half(_ key: [UInt8]) -> String {
      var hash = SHA512Hash.hash([0, 0] + key + Array("pawl/1 safety".utf8) + key)
      for _ in 0..<5_199 { hash = SHA512Hash.hash(hash + key) }
      var text = ""
      for group in 0..<6 {
        let value = hash[group * 5..<group * 5 + 5].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 100_000
        text += String(("0000" + String(value)).suffix(5))
      }
      return text
    }
    #expect(SafetyNumber(one, other).digits == [half(one.bytes), half(other.bytes)].sorted().joined())
  }
}
