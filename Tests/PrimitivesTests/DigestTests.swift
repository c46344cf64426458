import Primitives
import Testing

@Suite struct DigestTests {
  static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

  @Test func sha256OfTheStandardsExamples() {
    #expect(SHA256Hash.hash(Array("abc".utf8)).hex == Self.abc)
    #expect(SHA256Hash.hash([UInt8]()).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    let two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    #expect(SHA256Hash.hash(Array(two.utf8)).hex == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test func sha512OfTheStandardsExample() {
    let digest = SHA512Hash.hash(Array("abc".utf8))
    #expect(digest.prefix(4) == [0xdd, 0xaf, 0x35, 0xa1] && digest.suffix(2) == [0xa4, 0x9f] && digest.count == 64)
  }

  @Test func piecesHashAsTheWhole() {
    let bytes = Randomness.seeded(1).bytes(1_000)
    var hasher = SHA256Hash.Hasher()
    hasher.update(Array(bytes[..<300]))
    let early = hasher.finalize()
    hasher.update(Array(bytes[300...]))
    #expect(hasher.finalize() == SHA256Hash.hash(bytes))
    #expect(early == SHA256Hash.hash(Array(bytes[..<300])))
    let none: [UInt8] = []
    #expect(SHA256Hash.hash(secret: bytes.span) == SHA256Hash.hash(bytes))
    #expect(SHA256Hash.hash(secret: none.span) == SHA256Hash.hash(none))
    #expect(bytes.withUnsafeBytes { SHA256Hash.hash($0) } == SHA256Hash.hash(bytes))
  }

  @Test func hexadecimalComesBackAndNothingElseIsTaken() throws {
    #expect(try Digest(hex: Self.abc).hex == Self.abc)
    #expect(try Digest(hex: Self.abc.uppercased()).hex == Self.abc)
    for text in ["", String(Self.abc.dropLast()), Self.abc + "00", "g" + Self.abc.dropFirst(), " " + Self.abc.dropFirst()] {
      #expect(throws: CryptoError(.invalidEncoding)) { _ = try Digest(hex: text) }
    }
    #expect(throws: CryptoError(.badLength)) { _ = try Digest([UInt8](repeating: 0, count: 31)) }
  }

  @Test func digestsAreOrderedAsByteStrings() throws {
    let random = Randomness.seeded(8)
    for index in 0..<32 {
      let left = random.bytes(32)
      var right = left
      right[index] ^= 0x80
      let expected = left.lexicographicallyPrecedes(right)
      #expect(try (Digest(left) < Digest(right)) == expected)
      #expect(try (Digest(right) < Digest(left)) == !expected)
      #expect(try Digest(left) != Digest(right))
    }
    let same = SHA256Hash.hash([1])
    #expect(!(same < same))
    #expect(Set([same, SHA256Hash.hash([1]), SHA256Hash.hash([2])]).count == 2)
  }

  @Test func theSigningEncodingIsDSSEs() {
    // The example of the DSSE specification, version 1.
    #expect(
      DSSE.pae(type: "http://example.com/HelloWorld", body: Array("hello world".utf8))
        == Array("DSSEv1 29 http://example.com/HelloWorld 11 hello world".utf8))
    #expect(DSSE.pae(type: "", body: []) == Array("DSSEv1 0  0 ".utf8))
  }
}
