import Primitives
import Testing

/// Wycheproof's vectors for the two bulk ciphers, through both doors: whole messages and the data path's buffers.
@Suite struct WycheproofAEADTests {
  private struct Group: Decodable {
    let ivSize: Int
    let keySize: Int
    let tagSize: Int
    let tests: [Case]
  }

  private struct Case: Decodable {
    let tcId: Int
    let flags: [String]
    let key: HexBytes
    let iv: HexBytes
    let aad: HexBytes
    let msg: HexBytes
    let ct: HexBytes
    let tag: HexBytes
    let result: ExpectedClass

    var sealed: [UInt8] { ct.bytes + tag.bytes }
  }

  private static func openChaChaPoly(_ vector: Case) -> Outcome<[UInt8]> {
    Outcome { () throws(CryptoError) in
      try ChaChaPoly.open(
        vector.sealed.span, key: SecretBytes(copying: vector.key.bytes), nonce: vector.iv.bytes, ad: vector.aad.bytes.span)
    }
  }

  private static func openInPlace(_ vector: Case, _ algorithm: BulkCipher.Algorithm) throws -> Outcome<[UInt8]> {
    let cipher = BulkCipher(algorithm: algorithm, key: SecretBytes(copying: vector.key.bytes))
    do {
      return try vector.sealed.withUnsafeBytes { sealed in
        try vector.iv.bytes.withUnsafeBytes { nonce in
          try vector.aad.bytes.withUnsafeBytes { ad in
            .value(try cipher.open(sealed, nonce: nonce, ad: ad) { [UInt8]($0) })
          }
        }
      }
    } catch let error as CryptoError {
      return .refused(error.code)
    }
  }

  /// Seals where the plaintext lies, as the data path does.
  private static func sealInPlace(_ vector: Case, _ algorithm: BulkCipher.Algorithm) throws -> [UInt8] {
    let cipher = BulkCipher(algorithm: algorithm, key: SecretBytes(copying: vector.key.bytes))
    var frame = vector.msg.bytes + [UInt8](repeating: 0xa5, count: BulkCipher.tagBytes)
    try frame.withUnsafeMutableBytes { frame in
      try vector.iv.bytes.withUnsafeBytes { nonce in
        try vector.aad.bytes.withUnsafeBytes { ad in
          try cipher.seal(
            UnsafeRawBufferPointer(rebasing: frame.dropLast(BulkCipher.tagBytes)), nonce: nonce, ad: ad, into: frame)
        }
      }
    }
    return frame
  }

  @Test func chaCha20Poly1305OpensEveryValidMessageAndRefusesEveryOther() throws {
    let file = try VectorFile<Group>("wycheproof-chacha20-poly1305")
    var ran: [ExpectedClass: Int] = [:]
    var badNonces = 0
    for group in file.testGroups {
      for vector in group.tests {
        switch vector.result {
        case .valid:
          #expect(Self.openChaChaPoly(vector) == .value(vector.msg.bytes), "case \(vector.tcId)")
          let sealed = ChaChaPoly.seal(
            vector.msg.bytes.span, key: SecretBytes(copying: vector.key.bytes), nonce: vector.iv.bytes,
            ad: vector.aad.bytes.span)
          #expect(sealed == vector.sealed, "case \(vector.tcId)")
          #expect(try Self.sealInPlace(vector, .chachaPoly) == vector.sealed, "case \(vector.tcId)")
          #expect(try Self.openInPlace(vector, .chachaPoly) == .value(vector.msg.bytes), "case \(vector.tcId)")
        case .invalid where group.ivSize != 96:
          // Only the data path's door takes a nonce that came from elsewhere; the other one's is ours, and has a fixed length.
          #expect(try Self.openInPlace(vector, .chachaPoly).isRefusal, "case \(vector.tcId): a nonce of \(group.ivSize) bits")
          #expect(throws: CryptoError(.badLength)) { try Self.sealInPlace(vector, .chachaPoly) }
          badNonces += 1
        case .invalid, .acceptable:
          #expect(Self.openChaChaPoly(vector) == .refused(.authenticationFailed), "case \(vector.tcId)")
          #expect(try Self.openInPlace(vector, .chachaPoly) == .refused(.authenticationFailed), "case \(vector.tcId)")
        }
        ran[vector.result, default: 0] += 1
      }
    }
    #expect(ran == [.valid: 256, .invalid: 69])
    #expect(badNonces == 9)
    #expect(file.numberOfTests == 325)
  }

  @Test func aes256GCMOpensEveryValidMessageAndRefusesEveryOther() throws {
    let file = try VectorFile<Group>("wycheproof-aes-256-gcm")
    var ran: [ExpectedClass: Int] = [:]
    for group in file.testGroups {
      #expect(group.keySize == 256 && group.ivSize == 96 && group.tagSize == 128)
      for vector in group.tests {
        let outcome = try Self.openInPlace(vector, .aes256gcm)
        if vector.result == .valid {
          #expect(outcome == .value(vector.msg.bytes), "case \(vector.tcId)")
          #expect(try Self.sealInPlace(vector, .aes256gcm) == vector.sealed, "case \(vector.tcId)")
        } else {
          #expect(outcome == .refused(.authenticationFailed), "case \(vector.tcId)")
        }
        ran[vector.result, default: 0] += 1
      }
    }
    #expect(ran == [.valid: 39, .invalid: 27])
    #expect(file.numberOfTests == 66)
  }
}
