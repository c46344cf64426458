import Primitives
import Testing

/// X25519 against RFC 7748.
@Suite struct RFC7748Tests {
  private struct File: Decodable {
    struct Multiplication: Decodable {
      let scalar: HexBytes
      let u: HexBytes
      let result: HexBytes
    }
    struct Iteration: Decodable {
      let count: Int
      let result: HexBytes
    }
    struct Exchange: Decodable {
      let alicePrivate: HexBytes
      let alicePublic: HexBytes
      let bobPrivate: HexBytes
      let bobPublic: HexBytes
      let shared: HexBytes
    }
    let scalarMultiplications: [Multiplication]
    let iterations: [Iteration]
    let diffieHellman: Exchange
  }

  private static func multiply(_ scalar: [UInt8], _ u: [UInt8]) throws -> [UInt8] {
    try X25519.agree(X25519.PrivateKey(SecretBytes(copying: scalar)), X25519.PublicKey(u)).copyBytes()
  }

  @Test func theScalarMultiplicationsOfSection5Dot2() throws {
    let vectors: File = try RFCVectors.read("rfc7748")
    #expect(vectors.scalarMultiplications.count == 2)
    for vector in vectors.scalarMultiplications {
      #expect(try Self.multiply(vector.scalar.bytes, vector.u.bytes) == vector.result.bytes)
    }
  }

  @Test func oneThousandIterations() throws {
    let vectors: File = try RFCVectors.read("rfc7748")
    let expected = Dictionary(uniqueKeysWithValues: vectors.iterations.map { ($0.count, $0.result.bytes) })
    #expect(expected.keys.sorted() == [1, 1_000])
    var k: [UInt8] = [9] + [UInt8](repeating: 0, count: 31)
    var u = k
    for count in 1...1_000 {
      (k, u) = (try Self.multiply(k, u), k)
      if let result = expected[count] { #expect(k == result) }
    }
  }

  @Test func theKeyExchangeOfSection6Dot1() throws {
    let vector: File.Exchange = try RFCVectors.read("rfc7748", as: File.self).diffieHellman
    let alice = try X25519.PrivateKey(SecretBytes(copying: vector.alicePrivate.bytes))
    let bob = try X25519.PrivateKey(SecretBytes(copying: vector.bobPrivate.bytes))
    let (alicePublic, bobPublic) = (alice.publicKey, bob.publicKey)
    #expect(alicePublic.bytes == vector.alicePublic.bytes)
    #expect(bobPublic.bytes == vector.bobPublic.bytes)
    #expect(try X25519.agree(alice, bobPublic).copyBytes() == vector.shared.bytes)
    #expect(try X25519.agree(bob, alicePublic).copyBytes() == vector.shared.bytes)
  }

  @Test func aClonedKeyAgreesOnTheSameSecret() throws {
    let key = X25519.PrivateKey.generate(.seeded(4))
    let other = X25519.PrivateKey.generate(.seeded(5)).publicKey
    let clone = key.clone()
    #expect(try X25519.agree(clone, other).copyBytes() == X25519.agree(key, other).copyBytes())
  }

  @Test(arguments: [0, 31, 33, 64])
  func keysOfAnotherLengthAreRefused(_ count: Int) {
    #expect(
      Outcome { () throws(CryptoError) in try X25519.PublicKey([UInt8](repeating: 1, count: count)) } == .refused(.badLength))
    guard count > 0 else { return }
    #expect(throws: CryptoError(.badLength)) { _ = try X25519.PrivateKey(SecretBytes(zeroes: count)) }
  }
}
