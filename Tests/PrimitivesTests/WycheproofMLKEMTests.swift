import Primitives
import Testing

/// Wycheproof's ML-KEM vectors (FIPS 203): key generation from a seed, decapsulation with implicit rejection, and keys and
/// ciphertexts that must be refused.
@Suite struct WycheproofMLKEMTests {
  private struct Group: Decodable {
    let parameterSet: String
    let tests: [Case]
  }

  private struct Case: Decodable {
    let tcId: Int
    let comment: String?
    let flags: [String]
    let seed: HexBytes
    /// Absent where the seed is not one.
    let ek: HexBytes?
    let c: HexBytes
    /// Absent where there is no shared secret.
    let sharedSecret: HexBytes?
    let result: ExpectedClass

    enum CodingKeys: String, CodingKey {
      case tcId, comment, flags, seed, ek, c, result
      case sharedSecret = "K"
    }
  }

  private struct KeyGroup: Decodable {
    let parameterSet: String
    let tests: [KeyCase]
  }

  private struct KeyCase: Decodable {
    let tcId: Int
    let comment: String?
    let ek: HexBytes
    let result: ExpectedClass
  }

  private struct Decapsulation: Equatable {
    let encapsulationKey: [UInt8]
    let sharedSecret: [UInt8]
  }

  /// Seeds longer than a secret can be (64 bytes) cannot be expressed through this interface at all.
  private static func isExpressible(_ vector: Case) -> Bool { vector.seed.bytes.count <= SecretBytes.maximumBytes }

  private func check(_ name: String, _ decapsulate: ([UInt8], [UInt8]) -> Outcome<Decapsulation>) throws -> [String: Int] {
    var ran: [String: Int] = [:]
    let file = try VectorFile<Group>(name)
    for vector in file.testGroups.flatMap(\.tests) {
      guard Self.isExpressible(vector) else {
        #expect(vector.result == .invalid, "case \(vector.tcId)")
        ran["inexpressible", default: 0] += 1
        continue
      }
      let outcome = decapsulate(vector.seed.bytes, vector.c.bytes)
      if vector.result == .valid {
        let key = try #require(vector.ek).bytes
        let secret = try #require(vector.sharedSecret).bytes
        #expect(outcome == .value(Decapsulation(encapsulationKey: key, sharedSecret: secret)), "case \(vector.tcId)")
        ran["valid", default: 0] += 1
      } else {
        #expect(outcome == .refused(.badLength), "case \(vector.tcId): \(vector.comment ?? "")")
        ran["invalid", default: 0] += 1
      }
    }
    #expect(ran.values.reduce(0, +) == file.numberOfTests)
    return ran
  }

  @Test func mlKEM768DecapsulatesEveryCiphertextAndRefusesWrongLengths() throws {
    let ran = try check("wycheproof-ml-kem-768") { seed, ciphertext in
      Outcome { () throws(CryptoError) in
        let key = try MLKEM768.PrivateKey(seed: SecretBytes(copying: seed))
        return Decapsulation(
          encapsulationKey: key.publicKey.bytes, sharedSecret: try key.decapsulate(ciphertext).copyBytes())
      }
    }
    #expect(ran == ["valid": 49, "invalid": 30, "inexpressible": 10])
  }

  @Test func mlKEM1024DecapsulatesEveryCiphertextAndRefusesWrongLengths() throws {
    let ran = try check("wycheproof-ml-kem-1024") { seed, ciphertext in
      Outcome { () throws(CryptoError) in
        let key = try MLKEM1024.PrivateKey(seed: SecretBytes(copying: seed))
        return Decapsulation(
          encapsulationKey: key.publicKey.bytes, sharedSecret: try key.decapsulate(ciphertext).copyBytes())
      }
    }
    #expect(ran == ["valid": 50, "invalid": 30, "inexpressible": 10])
  }

  private func checkKeys(_ name: String, _ read: ([UInt8]) -> Outcome<[UInt8]>) throws -> [ExpectedClass: Int] {
    var ran: [ExpectedClass: Int] = [:]
    let file = try VectorFile<KeyGroup>(name)
    for vector in file.testGroups.flatMap(\.tests) {
      let outcome = read(vector.ek.bytes)
      if vector.result == .valid {
        #expect(outcome == .value(vector.ek.bytes), "case \(vector.tcId)")
      } else {
        #expect(outcome.isRefusal, "case \(vector.tcId): \(vector.comment ?? "modulus overflow")")
      }
      ran[vector.result, default: 0] += 1
    }
    #expect(ran.values.reduce(0, +) == file.numberOfTests)
    return ran
  }

  @Test func mlKEM768RefusesEveryEncapsulationKeyThatIsNotReducedOrHasAnotherLength() throws {
    let ran = try checkKeys("wycheproof-ml-kem-768-encapsulation-keys") { bytes in
      Outcome { () throws(CryptoError) in try MLKEM768.PublicKey(bytes).bytes }
    }
    #expect(ran == [.valid: 25, .invalid: 132])
  }

  @Test func mlKEM1024RefusesEveryEncapsulationKeyThatIsNotReducedOrHasAnotherLength() throws {
    let ran = try checkKeys("wycheproof-ml-kem-1024-encapsulation-keys") { bytes in
      Outcome { () throws(CryptoError) in try MLKEM1024.PublicKey(bytes).bytes }
    }
    #expect(ran == [.valid: 25, .invalid: 136])
  }
}
