import CSodium
import Primitives
import Testing

/// Ed25519 against RFC 8032, and the strictness that it leaves open.
@Suite struct RFC8032Tests {
  private struct Case: Decodable {
    let comment: String
    let seed: HexBytes
    let publicKey: HexBytes
    let message: HexBytes
    let signature: HexBytes
  }

  @Test func messagesAreSignedAndVerifiedAsPublished() throws {
    let vectors: RFCVectors.List<Case> = try RFCVectors.read("rfc8032")
    #expect(vectors.vectors.count == 4)
    for vector in vectors.vectors {
      let key = try Ed25519.PrivateKey(seed: SecretBytes(copying: vector.seed.bytes))
      let publicKey = key.publicKey
      #expect(publicKey.bytes == vector.publicKey.bytes)
      #expect(key.sign(vector.message.bytes) == vector.signature.bytes)
      #expect(try publicKey == Ed25519.PublicKey(vector.publicKey.bytes))
      #expect(Ed25519.verify(signature: vector.signature.bytes, message: vector.message.bytes, key: publicKey))
      #expect(!Ed25519.verify(signature: vector.signature.bytes, message: vector.message.bytes + [0], key: publicKey))
      #expect(key.cloneSeed().copyBytes() == vector.seed.bytes)
    }
  }

  @Test func aClonedKeySignsTheSame() throws {
    let key = Ed25519.PrivateKey.generate(.seeded(2))
    let clone = key.clone()
    #expect(clone.sign([1, 2]) == key.sign([1, 2]))
  }

  /// With R of small order anyone who knows the key can sign so that the equation without cofactor holds: R = 0 and
  /// S = k·a. Such a signature is not one that signing makes, and is refused in either spelling of R.
  @Test(arguments: [
    [1] + [UInt8](repeating: 0, count: 31),
    [0xee] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
  ])
  func aSignatureWithRTheNeutralElementIsRefused(_ point: [UInt8]) throws {
    let key = Ed25519.PrivateKey.generate(.seeded(3))
    let publicKey = key.publicKey
    let message = Array("message".utf8)
    // a: the clamped lower half of SHA-512(seed). k: SHA-512(R ‖ A ‖ M) mod L, with R as the verifier computes it.
    var a = Array(SHA512Hash.hash(key.cloneSeed().copyBytes())[..<32])
    a[0] &= 248
    a[31] = a[31] & 127 | 64
    var k = [UInt8](repeating: 0, count: 32)
    crypto_core_ed25519_scalar_reduce(&k, SHA512Hash.hash(point + publicKey.bytes + message))
    var s = [UInt8](repeating: 0, count: 32)
    crypto_core_ed25519_scalar_mul(&s, k, a)
    // The forgery is what it claims to be: S·B = k·A.
    var left = [UInt8](repeating: 0, count: 32)
    var right = left
    #expect(crypto_scalarmult_ed25519_base_noclamp(&left, s) == 0)
    #expect(crypto_scalarmult_ed25519_noclamp(&right, k, publicKey.bytes) == 0)
    #expect(left == right)
    #expect(!Ed25519.verify(signature: point + s, message: message, key: publicKey))
  }

  @Test(arguments: [0, 1, 63, 65, 128])
  func signaturesOfAnotherLengthAreRefused(_ count: Int) {
    let key = Ed25519.PrivateKey.generate(.seeded(3))
    let signature = Array((key.sign([]) + [UInt8](repeating: 0, count: 64)).prefix(count))
    #expect(!Ed25519.verify(signature: signature, message: [], key: key.publicKey))
  }

  @Test func bytesThatAreNoPointAreNoKey() throws {
    // y = 2: (y² − 1)/(d·y² + 1) is no square.
    #expect(throws: CryptoError(.invalidKey)) { _ = try Ed25519.PublicKey([2] + [UInt8](repeating: 0, count: 31)) }
    #expect(throws: CryptoError(.badLength)) { _ = try Ed25519.PublicKey([UInt8](repeating: 2, count: 31)) }
    #expect(throws: CryptoError(.badLength)) { _ = try Ed25519.PrivateKey(seed: SecretBytes(zeroes: 31)) }
  }
}
