import Testing
import Wire

@Suite struct Base64Tests {
  /// RFC 4648 §10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func theVectorsOfTheRFC(_ plain: String, _ encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test func everyByteSurvives() {
    for count in 0..<8 {
      let bytes = (0..<256).map { UInt8($0) } + [UInt8](repeating: 0xFF, count: count)
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }

  @Test(arguments: [
    "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8", "=", "==", "===", "====", "Z===", "Zg==Zg==", "Zm=v", "Zm9v ", " Zm9v",
    "Zm9v\n",
    "Zm-_", "Zm9vé", "Zg=A",
  ])
  func whatEncodeDoesNotMakeIsNotRead(_ text: String) {
    #expect(Base64.decode(text) == nil)
  }
}
