import Artifact
import Testing

@Suite struct DisplayTextTests {
  @Test(arguments: [
    ("plain name.bin", "plain name.bin"), ("模型 权重", "模型 权重"), ("🦊 ok", "🦊 ok"), ("👨‍👩‍👧", "👨‍👩‍👧"), ("❤️", "❤️"), ("❤️‍🔥", "❤️‍🔥"),
    ("a\u{1B}[2Jb", "a\\u{1B}[2Jb"), ("a\u{9B}31m", "a\\u{9B}31m"), ("x\u{202E}y", "x\\u{202E}y"),
    ("a\nb\rc\td", "a\\u{A}b\\u{D}c\\u{9}d"),
    ("a\u{0}", "a\\u{0}"), ("a\u{7F}", "a\\u{7F}"), ("pay\u{200B}pal", "pay\\u{200B}pal"), ("a\u{200D}b", "a\\u{200D}b"),
    ("\u{200D}🦊", "\\u{200D}🦊"), ("1\u{FE0F}", "1\\u{FE0F}"), ("\u{2028}", "\\u{2028}"), ("\u{FEFF}", "\\u{FEFF}"),
    ("\u{AD}", "\\u{AD}"), ("\u{E0041}", "\\u{E0041}"), ("\u{E000}", "\\u{E000}"), ("\u{115F}", "\\u{115F}"),
    ("a\\u{1B}", "a\\\\u{1B}"),
    ("\u{600}", "\\u{600}"), ("", ""),
  ])
  func whatATerminalWouldObeyOrHideIsWrittenOut(text: String, shown: String) {
    #expect(Array(DisplayText.escape(text).unicodeScalars) == Array(shown.unicodeScalars))
  }

  @Test func newlinesStayOnlyWhereTheyAreWanted() {
    #expect(DisplayText.escape("a\nb\u{1B}", keepingNewlines: true) == "a\nb\\u{1B}")
    #expect(DisplayText.escape("a\r\nb", keepingNewlines: true) == "a\\u{D}\nb")
  }

  @Test func twoTextsNeverLookAlikeByEscaping() {
    #expect(DisplayText.escape("\u{1B}") != DisplayText.escape("\\u{1B}"))
  }
}
