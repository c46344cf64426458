import Primitives
import Testing

/// Wycheproof's Ed25519 verification vectors, all 150: malleable, truncated, padded and badly encoded signatures included.
@Suite struct WycheproofEd25519Tests {
  private struct Group: Decodable {
    let publicKey: HexBytes
    let tests: [Case]
  }

  private struct Case: Decodable {
    let tcId: Int
    let flags: [String]
    let msg: HexBytes
    let sig: HexBytes
    let result: ExpectedClass
  }

  @Test func everyValidSignatureVerifiesAndEveryOtherIsRefused() throws {
    let file = try VectorFile<Group>("wycheproof-ed25519")
    var ran: [ExpectedClass: Int] = [:]
    var malleable = 0
    for group in file.testGroups {
      let key = try Ed25519.PublicKey(group.publicKey.bytes)
      for vector in group.tests {
        let verified = Ed25519.verify(signature: vector.sig.bytes, message: vector.msg.bytes, key: key)
        #expect(vector.result != .acceptable, "case \(vector.tcId): a class this test does not know")
        #expect(verified == (vector.result == .valid), "case \(vector.tcId) \(vector.flags)")
        ran[vector.result, default: 0] += 1
        malleable += vector.flags.contains("SignatureMalleability") ? 1 : 0
      }
    }
    #expect(ran == [.valid: 88, .invalid: 62])
    #expect(malleable == 8)
    #expect(file.numberOfTests == 150)
  }

  /// The group order L, little-endian (RFC 8032, section 5.1).
  private static let groupOrder: [UInt8] =
    [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14]
    + [UInt8](repeating: 0, count: 15) + [0x10]

  @Test func everyValidSignatureWithTheGroupOrderAddedToSIsRefused() throws {
    let file = try VectorFile<Group>("wycheproof-ed25519")
    var ran = 0
    for group in file.testGroups {
      let key = try Ed25519.PublicKey(group.publicKey.bytes)
      for vector in group.tests where vector.result == .valid {
        var signature = vector.sig.bytes
        var carry = 0
        for index in 0..<32 {
          carry += Int(signature[32 + index]) + Int(Self.groupOrder[index])
          signature[32 + index] = UInt8(truncatingIfNeeded: carry)
          carry >>= 8
        }
        #expect(carry == 0)
        #expect(
          !Ed25519.verify(signature: signature, message: vector.msg.bytes, key: key), "case \(vector.tcId) with S + L")
        ran += 1
      }
    }
    #expect(ran == 88)
  }

  /// The eight points of small order and the non-canonical spellings of them that fit in 32 bytes, with either sign bit:
  /// y = 0, 1, the two of order 8, p - 1, p and p + 1.
  private static let smallOrderY: [[UInt8]] = {
    let zero = [UInt8](repeating: 0, count: 32)
    func field(_ low: UInt8) -> [UInt8] { [low] + [UInt8](repeating: 0xff, count: 30) + [0x7f] }
    let orderEight: [UInt8] = [
      0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ]
    let otherOrderEight: [UInt8] = [
      0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ]
    return [zero, [1] + zero.dropFirst(), orderEight, otherOrderEight, field(0xec), field(0xed), field(0xee)]
  }()

  @Test func everyPublicKeyOfSmallOrderIsRefused() {
    var ran = 0
    for y in Self.smallOrderY {
      for sign: UInt8 in [0, 0x80] {
        var encoded = y
        encoded[31] |= sign
        let outcome = Outcome { () throws(CryptoError) in try Ed25519.PublicKey(encoded).bytes }
        #expect(outcome.isRefusal, "\(encoded)")
        ran += 1
      }
    }
    #expect(ran == 14)
  }

  /// y from p to 2^255 - 1 encodes a point that has a shorter name: RFC 8032, section 5.1.3, step 1.
  @Test func everyNonCanonicalPublicKeyIsRefused() {
    for low: UInt8 in 0xed...0xff {
      for sign: UInt8 in [0, 0x80] {
        let encoded = [low] + [UInt8](repeating: 0xff, count: 30) + [0x7f | sign]
        let outcome = Outcome { () throws(CryptoError) in try Ed25519.PublicKey(encoded).bytes }
        #expect(outcome.isRefusal, "y = 2^255 - 1 - \(0xff - low)")
      }
    }
  }
}
