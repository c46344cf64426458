import Crypto
import Primitives
import Testing

/// NIST's ACVP vectors for ML-DSA-65: key generation and verification (external interface, pure).
@Suite struct FIPS204Tests {
  private struct KeyGenGroup: Decodable {
    let tests: [KeyGen]
  }

  private struct KeyGen: Decodable {
    let tcId: Int
    let seed: HexBytes
    let pk: HexBytes
  }

  private struct SigVerGroup: Decodable {
    let tests: [SigVer]
  }

  private struct SigVer: Decodable {
    let tcId: Int
    let testPassed: Bool
    let pk: HexBytes
    let message: HexBytes
    let context: HexBytes
    let signature: HexBytes
  }

  @Test func everySeedGivesItsPublicKey() throws {
    var ran = 0
    for vector in try VectorFile<KeyGenGroup>("acvp-ml-dsa-65-keygen").testGroups.flatMap(\.tests) {
      let key = Outcome { () throws(Primitives.CryptoError) in
        try Primitives.MLDSA65.PrivateKey(seed: SecretBytes(copying: vector.seed.bytes)).publicKey.bytes
      }
      #expect(key == .value(vector.pk.bytes), "case \(vector.tcId)")
      ran += 1
    }
    #expect(ran == 25)
  }

  @Test func everySignatureIsJudgedAsNISTJudgesIt() throws {
    var ran: [Bool: Int] = [:]
    for vector in try VectorFile<SigVerGroup>("acvp-ml-dsa-65-sigver").testGroups.flatMap(\.tests) {
      let beneath = try Crypto.MLDSA65.PublicKey(rawRepresentation: vector.pk.bytes).isValidSignature(
        vector.signature.bytes, for: vector.message.bytes, context: vector.context.bytes)
      #expect(beneath == vector.testPassed, "case \(vector.tcId)")
      let ours = Primitives.MLDSA65.verify(
        signature: vector.signature.bytes, message: vector.message.bytes,
        key: try Primitives.MLDSA65.PublicKey(vector.pk.bytes))
      #expect(
        ours == (vector.testPassed && vector.context.bytes.isEmpty), "case \(vector.tcId): the context is empty or refused")
      ran[vector.testPassed, default: 0] += 1
    }
    #expect(ran == [true: 3, false: 12])
  }

  @Test func aSignatureVerifiesAndNoFlippedByteOfItDoes() throws {
    let key = try Primitives.MLDSA65.PrivateKey(seed: SecretBytes(copying: [UInt8](repeating: 7, count: 32)))
    let message = [UInt8]("anime-lora v1".utf8)
    let signature = key.sign(message)
    #expect(signature.count == 3309)
    #expect(Primitives.MLDSA65.verify(signature: signature, message: message, key: key.publicKey))
    for index in stride(from: 0, to: signature.count, by: 331) {
      var changed = signature
      changed[index] ^= 0x01
      #expect(!Primitives.MLDSA65.verify(signature: changed, message: message, key: key.publicKey), "byte \(index)")
    }
    #expect(!Primitives.MLDSA65.verify(signature: signature, message: message + [0], key: key.publicKey))
  }
}
