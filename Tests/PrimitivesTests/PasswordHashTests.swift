import Primitives
import Testing

/// Argon2id against libsodium's published results, and what it refuses.
@Suite struct PasswordHashTests {
  private struct Case: Decodable {
    let comment: String
    let password: HexBytes
    let salt: HexBytes
    let operations: Int
    let memoryKiB: Int
    let hash: HexBytes
  }

  @Test func keysFromPasswordsAreAsPublished() throws {
    let vectors: RFCVectors.List<Case> = try RFCVectors.read("libsodium-argon2id")
    #expect(vectors.vectors.count == 2)
    for vector in vectors.vectors {
      let password = vector.password.bytes
      let key = try PasswordHash.argon2id(
        password: password.span, salt: vector.salt.bytes, operations: vector.operations, memoryBytes: vector.memoryKiB << 10)
      #expect(key.copyBytes() == vector.hash.bytes, "\(vector.comment)")
    }
  }

  @Test func everyParameterCounts() throws {
    let first = try hash("one")
    #expect(try hash("one") == first)
    #expect(try hash("two") != first)
    #expect(try hash("one", salt: 2) != first)
    #expect(try hash("one", operations: 2) != first)
    #expect(try hash("one", memoryBytes: 16 << 10) != first)
  }

  @Test func parametersOutOfRangeAreRefused() {
    #expect(throws: CryptoError(.badLength)) { try hash("one", saltBytes: 15) }
    #expect(throws: CryptoError(.badLength)) { try hash("one", saltBytes: 17) }
    #expect(throws: CryptoError(.badLength)) { try hash("one", operations: 0) }
    #expect(throws: CryptoError(.badLength)) { try hash("one", memoryBytes: (8 << 10) - 1) }
    #expect(throws: CryptoError(.badLength)) { try hash("one", memoryBytes: -1) }
  }

  private func hash(
    _ password: String, salt: UInt8 = 1, saltBytes: Int = 16, operations: Int = 1, memoryBytes: Int = 8 << 10
  ) throws -> [UInt8] {
    let bytes = Array(password.utf8)
    return try PasswordHash.argon2id(
      password: bytes.span, salt: [UInt8](repeating: salt, count: saltBytes), operations: operations,
      memoryBytes: memoryBytes
    ).copyBytes()
  }
}
