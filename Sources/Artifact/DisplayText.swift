/// Makes texts from peers safe to print.
public enum DisplayText {
  /// The text with everything that a terminal would obey, hide or reorder written out as `\u{…}`.
  ///
  /// Escaped are control characters, line and paragraph separators, bidirectional controls, zero-width and other invisible
  /// characters, private-use and unassigned code points. A backslash is doubled, so that no text can pass for an escaped one.
  /// Joiners and variation selectors stay inside emoji, where they belong to the picture.
  ///
  /// - Parameter keepingNewlines: U+000A stays as it is, for notes of several lines.
  public static func escape(_ text: String, keepingNewlines: Bool = false) -> String {
    // Most names are plain ASCII.
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }) { return text }
    let scalars = Array(text.unicodeScalars)
    var safe = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if scalar == "\\" {
        safe.append(contentsOf: "\\\\".unicodeScalars)
      } else if scalar == "\n", keepingNewlines {
        safe.append(scalar)
      } else if isVisible(scalar) || isPartOfEmoji(at: index, in: scalars) {
        safe.append(scalar)
      } else {
        safe.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
      }
    }
    return String(safe)
  }

  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isDefaultIgnorableCodePoint { return false }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
    default: return true
    }
  }

  /// U+200D between two emoji, or U+FE0F behind one.
  private static func isPartOfEmoji(at index: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard index > 0 else { return false }
    let before = scalars[index - 1]
    switch scalars[index].value {
    case 0xFE0F: return isEmoji(before)
    case 0x200D:
      guard index + 1 < scalars.count, isEmoji(scalars[index + 1]) else { return false }
      return isEmoji(before) || (before.value == 0xFE0F && index > 1 && isEmoji(scalars[index - 2]))
    default: return false
    }
  }

  private static func isEmoji(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isEmoji && !scalar.isASCII }
}
