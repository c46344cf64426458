import Primitives
import Testing

/// HMAC-SHA256 against RFC 4231.
@Suite struct RFC4231Tests {
  private struct Case: Decodable {
    let comment: String
    let key: HexBytes
    let data: HexBytes
    let code: HexBytes
  }

  @Test func codesAreAsPublished() throws {
    let vectors: RFCVectors.List<Case> = try RFCVectors.read("rfc4231")
    #expect(vectors.vectors.count == 7)
    for vector in vectors.vectors {
      let (key, data) = (vector.key.bytes, vector.data.bytes)
      let code = HMACSHA256.authenticate(key: key.span, message: data.span).copyBytes()
      #expect(Array(code.prefix(vector.code.bytes.count)) == vector.code.bytes, "\(vector.comment)")
      #expect(HMACSHA256.isValid(code.span, key: key.span, message: data.span) == true)

      var pieces = HMACSHA256.Authenticator(key: key.span)
      let half = data.count / 2
      pieces.update(Array(data[..<half]))
      pieces.update(Array(data[half...]))
      #expect(pieces.finalize().copyBytes() == code)
    }
  }

  @Test func aChangedOrShortenedCodeIsRefused() {
    let key = Randomness.seeded(1).secret(32)
    let code = HMACSHA256.authenticate(key: key, message: [1, 2, 3]).copyBytes()
    #expect(HMACSHA256.isValid(code, key: key, message: [1, 2, 3]) == true)
    #expect(HMACSHA256.isValid(code, key: key, message: [1, 2]) == false)
    for index in code.indices {
      var changed = code
      changed[index] ^= 0x80
      #expect(HMACSHA256.isValid(changed, key: key, message: [1, 2, 3]) == false)
      #expect(HMACSHA256.isValid(Array(code[..<index]), key: key, message: [1, 2, 3]) == false)
    }
  }

  @Test func anEmptyKeyAndMessageHaveACode() {
    let none: [UInt8] = []
    let code = HMACSHA256.authenticate(key: none.span, message: none.span).copyBytes()
    #expect(code.prefix(4) == [0xb6, 0x13, 0x67, 0x9a])
  }
}
