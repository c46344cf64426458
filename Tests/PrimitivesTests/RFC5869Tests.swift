import Primitives
import Testing

/// HKDF against RFC 5869, and the piecewise output.
@Suite struct RFC5869Tests {
  private struct Case: Decodable {
    let comment: String
    let ikm: HexBytes
    let salt: HexBytes
    let info: HexBytes
    let length: Int
    let prk: HexBytes
    let okm: HexBytes
  }

  @Test func keysAreExtractedAndExpandedAsPublished() throws {
    let vectors: RFCVectors.List<Case> = try RFCVectors.read("rfc5869")
    #expect(vectors.vectors.count == 3)
    for vector in vectors.vectors {
      let (ikm, salt, info) = (vector.ikm.bytes, vector.salt.bytes, vector.info.bytes)
      let prk = HKDF.extract(salt: salt.span, ikm: ikm.span)
      #expect(prk.copyBytes() == vector.prk.bytes, "\(vector.comment)")
      var output = HKDF.expand(prk: prk, info: info, count: vector.length)
      #expect(output.takeBytes(vector.length) == vector.okm.bytes, "\(vector.comment)")
      var derived = HKDF.derive(salt: salt.span, ikm: ikm.span, info: info.span, count: vector.length)
      #expect(derived.takeBytes(vector.length) == vector.okm.bytes)

      var extractor = HKDF.Extractor(salt: salt)
      for byte in ikm { extractor.update([byte]) }
      #expect(extractor.finalize().copyBytes() == vector.prk.bytes)
    }
  }

  @Test func piecesAreTheOutputInOrder() {
    let prk = Randomness.seeded(1).secret(32)
    var whole = HKDF.expand(prk: prk, info: [1, 2, 3], count: 160)
    let expected = whole.takeBytes(160)
    #expect(whole.remaining == 0)
    var pieces = HKDF.expand(prk: prk, info: [1, 2, 3], count: 160)
    var bytes: [UInt8] = []
    for count in [32, 12, 1, 64, 51] { bytes += pieces.take(count).copyBytes() }
    #expect(pieces.remaining == 0)
    #expect(bytes == expected)
  }

  @Test(arguments: [1, 31, 32, 33, 64, 96, 255, 256])
  func everyLengthIsAPrefixOfTheLongest(_ count: Int) {
    let prk = Randomness.seeded(1).secret(32)
    var longest = HKDF.expand(prk: prk, info: [], count: HKDF.maximumOutputBytes)
    var output = HKDF.expand(prk: prk, info: [], count: count)
    #expect(output.takeBytes(count) == longest.takeBytes(count))
  }
}
