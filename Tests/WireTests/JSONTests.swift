import Testing
import Wire

@Suite struct JSONTests {
  private func reason(_ text: [UInt8]) -> JSONFailure.Reason? {
    do {
      try StrictJSON.validate(text.span)
      return nil
    } catch { return error.reason }
  }

  @Test(arguments: [
    "{}", "[]", "0", "\"\"", "true", " [ 1 , 2 ] ", #"{"a":{"b":[null,false,9007199254740991]}}"#, #""\ud83d\ude00 \u00e9 \n""#,
    #"{"模型":"动漫 🎨"}"#,
  ])
  func strictTextsPass(text: String) { #expect(reason(Array(text.utf8)) == nil) }

  @Test(arguments: [
    ("", JSONFailure.Reason.truncated), ("{", .truncated), ("[1", .truncated), ("\"a", .truncated), ("tru", .truncated),
    ("{}x", .trailingBytes), ("1 2", .trailingBytes), ("{\"a\":1,}", .syntax), ("[1,]", .syntax), ("[,1]", .syntax),
    ("{a:1}", .syntax), ("{\"a\" 1}", .syntax), ("'a'", .syntax), ("NaN", .syntax), ("truex", .trailingBytes),
    ("1.0", .number), ("1e3", .number), ("-1", .number), ("01", .number), ("-0", .number), ("9007199254740992", .number),
    ("99999999999999999999999999", .number), (#""\ud800""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate),
    (#""\ud800\u0041""#, .loneSurrogate), (#""\x""#, .syntax), ("\"\u{1}\"", .syntax), (#"{"a":1,"a":2}"#, .duplicateKey),
    (#"{"a":1,"\u0061":2}"#, .duplicateKey), (#"[{"k":0,"k":0}]"#, .duplicateKey),
    (String(repeating: "[", count: 17), .depth), (String(repeating: #"{"a":"#, count: 17), .depth),
  ])
  func looseTextsAreRefusedForTheirReason(text: String, expected: JSONFailure.Reason) {
    #expect(reason(Array(text.utf8)) == expected)
  }

  @Test func aByteOrderMarkAndBrokenUTF8AreRefused() {
    #expect(reason([0xEF, 0xBB, 0xBF] + Array("{}".utf8)) == .encoding)
    for broken: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
      #expect(reason([0x22] + broken + [0x22]) == .encoding)
    }
  }

  @Test func everyTruncationOfATextIsRefused() {
    let text = Array(#"{"a":[1,{"b":"\u00e9x"},null],"c":true}"#.utf8)
    for length in 0..<text.count { #expect(reason(Array(text[..<length])) != nil, "\(length)") }
  }

  @Test func everyByteOfATextMayBeAnythingWithoutATrap() {
    let text = Array(#"{"a":[1,{"b":"\u00e9x"},null],"c":true}"#.utf8)
    for index in text.indices {
      for byte in 0...UInt8.max {
        var changed = text
        changed[index] = byte
        _ = reason(changed)
      }
    }
  }

  @Test func everyByteMeansTheSameAtEveryPlaceOfAText() {
    // Texts are read several bytes at a time: no place among them may make a difference.
    for place in 0..<26 {
      for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: "\\") {
        var text = [UInt8](repeating: UInt8(ascii: "x"), count: 26)
        text[place] = byte
        let expected: JSONFailure.Reason? =
          switch byte {
          case 0..<0x20: .syntax
          case UInt8(ascii: "\""): .trailingBytes
          case 0x80...: .encoding
          default: nil
          }
        // The quote ends the text at the last place too: then another one follows.
        #expect(reason([0x22] + text + [0x22]) == expected, "\(byte) at \(place)")
      }
    }
  }

  @Test func anEscapeIsReadAtEveryPlaceOfAText() throws {
    for place in 0..<26 {
      let before = String(repeating: "é", count: place)
      let text = Array("\"\(before)\\n\(before)\\u0041\"".utf8)
      #expect(try JSONValue.parse(text.span) == .string("\(before)\n\(before)A"))
    }
  }

  @Test func aTreeSurvivesWritingAndReading() throws {
    let value = JSONValue.object([
      .init("name", .string("tab\t \"q\" \\ 🎨")), .init("n", .integer(42)),
      .init("list", .array([.null, .bool(true), .array([])])),
    ])
    #expect(try JSONValue.parse(value.serialized().span) == value)
    #expect(value["n"] == .integer(42))
    #expect(value["missing"] == nil)
  }
}
