import Crypto
import Primitives
import Testing

/// Wycheproof's ML-DSA-65 verification vectors (FIPS 204). `Primitives` always signs and verifies with the empty context, so a vector
/// with a context runs against the library beneath it, and `Primitives` must refuse it.
@Suite struct WycheproofMLDSATests {
  private struct Group: Decodable {
    let publicKey: HexBytes
    let tests: [Case]
  }

  private struct Case: Decodable {
    let tcId: Int
    let comment: String
    let msg: HexBytes
    let ctx: HexBytes?
    let sig: HexBytes
    let result: ExpectedClass

    var hasContext: Bool { !(ctx?.bytes ?? []).isEmpty }
  }

  private static func verify(_ vector: Case, key: [UInt8]) -> Bool {
    guard let key = try? Primitives.MLDSA65.PublicKey(key) else { return false }
    return Primitives.MLDSA65.verify(signature: vector.sig.bytes, message: vector.msg.bytes, key: key)
  }

  private static func verifyUnderContext(_ vector: Case, key: [UInt8]) -> Bool {
    guard let key = try? Crypto.MLDSA65.PublicKey(rawRepresentation: key) else { return false }
    return key.isValidSignature(vector.sig.bytes, for: vector.msg.bytes, context: vector.ctx?.bytes ?? [])
  }

  @Test func everyValidSignatureVerifiesAndEveryOtherIsRefused() throws {
    let file = try VectorFile<Group>("wycheproof-ml-dsa-65")
    var ran: [ExpectedClass: Int] = [:]
    var withContext = 0
    for group in file.testGroups {
      for vector in group.tests {
        let verified = Self.verify(vector, key: group.publicKey.bytes)
        if vector.hasContext {
          #expect(!verified, "case \(vector.tcId): a context is not ignored")
          #expect(
            Self.verifyUnderContext(vector, key: group.publicKey.bytes) == (vector.result == .valid),
            "case \(vector.tcId): \(vector.comment)")
          withContext += 1
        } else {
          #expect(verified == (vector.result == .valid), "case \(vector.tcId): \(vector.comment)")
        }
        ran[vector.result, default: 0] += 1
      }
    }
    #expect(ran == [.valid: 47, .invalid: 67])
    #expect(withContext == 7)
    #expect(file.numberOfTests == 114)
  }
}
