internal import API

/// Texts in a command line that is proposed to the user.
enum ShellText {
  /// The text as one word of a POSIX shell. What could not be shown safely is escaped: then it is for the eye only.
  static func quote(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "/._-@+=:,%".utf8.contains(byte) || byte >= 0x80
      }
    let shown = TerminalText.escape(text, doublingBackslashes: false)
    return isPlain
      ? shown : "'" + shown.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }
}
