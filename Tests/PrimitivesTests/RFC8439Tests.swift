import Primitives
import Testing

/// ChaCha20-Poly1305 against RFC 8439, and the two ways in: messages and bulk.
@Suite struct RFC8439Tests {
  private struct Case: Decodable {
    let comment: String
    let key: HexBytes
    let nonce: HexBytes
    let ad: HexBytes
    let plaintext: HexBytes
    let ciphertext: HexBytes
    let tag: HexBytes
  }

  @Test func messagesAreSealedAndOpenedAsPublished() throws {
    let vectors: RFCVectors.List<Case> = try RFCVectors.read("rfc8439")
    #expect(vectors.vectors.count == 2)
    for vector in vectors.vectors {
      let key = SecretBytes(copying: vector.key.bytes)
      let sealed = ChaChaPoly.seal(vector.plaintext.bytes, key: key, nonce: vector.nonce.bytes, ad: vector.ad.bytes)
      #expect(sealed == vector.ciphertext.bytes + vector.tag.bytes, "\(vector.comment)")
      #expect(
        try ChaChaPoly.open(sealed, key: key, nonce: vector.nonce.bytes, ad: vector.ad.bytes) == vector.plaintext.bytes)
      let bulk = BulkCipher(algorithm: .chachaPoly, key: key)
      #expect(try bulk.seal(vector.plaintext.bytes, nonce: vector.nonce.bytes, ad: vector.ad.bytes) == sealed)
      #expect(try bulk.open(sealed, nonce: vector.nonce.bytes, ad: vector.ad.bytes) == vector.plaintext.bytes)
    }
  }

  @Test func noFlippedBitOpens() throws {
    let key = Randomness.seeded(1).secret(32)
    let nonce = [UInt8](repeating: 2, count: 12)
    let sealed = ChaChaPoly.seal(Array("plaintext".utf8), key: key, nonce: nonce, ad: [1])
    for bit in 0..<sealed.count * 8 {
      var changed = sealed
      changed[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: CryptoError(.authenticationFailed)) { _ = try ChaChaPoly.open(changed, key: key, nonce: nonce, ad: [1]) }
    }
    #expect(throws: CryptoError(.authenticationFailed)) { _ = try ChaChaPoly.open(sealed, key: key, nonce: nonce, ad: [2]) }
    #expect(throws: CryptoError(.authenticationFailed)) { _ = try ChaChaPoly.open(sealed, key: key, nonce: nonce, ad: []) }
    for count in 0..<sealed.count {
      let short = Array(sealed[..<count])
      #expect(throws: CryptoError(.authenticationFailed)) { _ = try ChaChaPoly.open(short, key: key, nonce: nonce, ad: [1]) }
    }
  }

  @Test func anEmptyMessageIsATagAlone() throws {
    let key = Randomness.seeded(1).secret(32)
    let nonce = [UInt8](repeating: 2, count: 12)
    let sealed = ChaChaPoly.seal([], key: key, nonce: nonce, ad: [])
    #expect(sealed.count == 16)
    #expect(try ChaChaPoly.open(sealed, key: key, nonce: nonce, ad: []) == [])
  }
}
