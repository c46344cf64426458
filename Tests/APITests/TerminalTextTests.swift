import API
import Testing

@Suite struct TerminalTextTests {
  private static let escapes: [(String, String)] = [
    ("plain name-1.bin", "plain name-1.bin"), ("", ""), ("a\u{1B}[2Jb", #"a\u{1B}[2Jb"#), ("a\u{9B}2Jb", #"a\u{9B}2Jb"#),
    ("a\nb\tc\rd\u{7}", #"a\u{A}b\u{9}c\u{D}d\u{7}"#), ("a\u{0}b\u{7F}", #"a\u{0}b\u{7F}"#),
    ("photo\u{202E}gpj.exe", #"photo\u{202E}gpj.exe"#), ("\u{2066}x\u{2069}\u{200F}", #"\u{2066}x\u{2069}\u{200F}"#),
    ("a\u{200B}b\u{FEFF}c\u{AD}d", #"a\u{200B}b\u{FEFF}c\u{AD}d"#), ("a\u{2028}b\u{2029}", #"a\u{2028}b\u{2029}"#),
    ("\u{E000}\u{10FFFD}", #"\u{E000}\u{10FFFD}"#), (#"a\u{1B}"#, #"a\\u{1B}"#), ("\u{E0041}", #"\u{E0041}"#),
    ("漢字 é ñ", "漢字 é ñ"), ("👩‍🚀 ❤️", "👩‍🚀 ❤️"), ("a\u{200D}b", #"a\u{200D}b"#), ("a\u{FE0F}", #"a\u{FE0F}"#),
  ]

  @Test(arguments: escapes) func whatATerminalWouldObeyIsWrittenOut(_ text: String, _ safe: String) {
    #expect(TerminalText.escape(text) == safe)
  }

  @Test func noTextOfAnySingleScalarReachesTheTerminalAsAControl() {
    for value in UInt32(0)...0x2FFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let safe = TerminalText.escape("a\(Character(scalar))b")
      #expect(
        !safe.unicodeScalars.contains { $0.properties.generalCategory == .control || $0.properties.generalCategory == .format })
    }
  }

  @Test func aNoteKeepsItsLinesAndASentenceItsBackslashes() {
    #expect(TerminalText.escape("a\nb\u{1B}", keepingNewlines: true) == "a\nb\\u{1B}")
    #expect(TerminalText.escape(#"C:\x"# + "\u{1B}", doublingBackslashes: false) == #"C:\x\u{1B}"#)
  }

  @Test(arguments: [("abc", 3), ("漢字", 4), ("é", 1), ("e\u{301}", 1), ("👩‍🚀", 2), ("❤️", 2), ("한글", 4), ("ｆ", 2), ("", 0)])
  func widthIsWhatATerminalGives(_ text: String, _ columns: Int) {
    #expect(TerminalText.width(text) == columns)
  }

  @Test func aTextIsPaddedOrCutToItsColumns() {
    #expect(TerminalText.fit("ab", columns: 4) == "ab  ")
    #expect(TerminalText.fit("abcdef", columns: 4) == "…def")
    #expect(TerminalText.fit("漢字漢字", columns: 4) == "…字")
    #expect(TerminalText.shortened("abc", columns: 3) == "abc")
    #expect(TerminalText.shortened("abc", columns: 1) == "…")
    #expect(TerminalText.shortened("abc", columns: 0) == "")
  }
}
