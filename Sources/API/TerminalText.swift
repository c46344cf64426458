/// Makes texts from peers and files safe to print, and measures them.
public enum TerminalText {
  /// The text with everything that a terminal would obey, hide or reorder written out as `\u{…}`.
  ///
  /// Escaped are control characters, line and paragraph separators, bidirectional controls, zero-width and other invisible
  /// characters, private-use and unassigned code points. Joiners and variation selectors stay inside emoji.
  ///
  /// - Parameters:
  ///   - keepingNewlines: U+000A stays as it is, for notes of several lines.
  ///   - doublingBackslashes: `\` becomes `\\`, so that no name can pass for an escaped one. False for sentences, whose
  ///     author may have escaped the names in them already.
  public static func escape(_ text: String, keepingNewlines: Bool = false, doublingBackslashes: Bool = true) -> String {
    // Most names are plain ASCII.
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }) { return text }
    let scalars = Array(text.unicodeScalars)
    var safe = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if scalar == "\\" {
        safe.append(contentsOf: (doublingBackslashes ? "\\\\" : "\\").unicodeScalars)
      } else if (scalar == "\n" && keepingNewlines) || isVisible(scalar) || isPartOfEmoji(at: index, in: scalars) {
        safe.append(scalar)
      } else {
        safe.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
      }
    }
    return String(safe)
  }

  /// How many columns a terminal gives to an escaped text.
  public static func width(_ text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + width($1) }
  }

  /// The text, padded with spaces to `columns` or cut with `…` in front where it is longer: the end of a path says most.
  public static func fit(_ text: String, columns: Int) -> String {
    let width = width(text)
    guard width > columns else { return text + String(repeating: " ", count: columns - width) }
    return shortened(text, columns: columns)
  }

  /// The text, cut with `…` in front where it is wider than `columns`.
  public static func shortened(_ text: String, columns: Int) -> String {
    guard width(text) > columns else { return text }
    guard columns > 0 else { return "" }
    var room = columns - 1
    var kept = text.endIndex
    while kept > text.startIndex {
      let before = text.index(before: kept)
      room -= width(text[before])
      guard room >= 0 else { break }
      kept = before
    }
    return "…" + text[kept...]
  }

  static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isDefaultIgnorableCodePoint { return false }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
    default: return true
    }
  }

  /// U+200D between two emoji, or U+FE0F behind one.
  private static func isPartOfEmoji(at index: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard index > 0 else { return false }
    switch scalars[index].value {
    case 0xFE0F: return isEmoji(scalars[index - 1])
    case 0x200D:
      guard index + 1 < scalars.count, isEmoji(scalars[index + 1]) else { return false }
      return isEmoji(scalars[index - 1]) || (index > 1 && scalars[index - 1].value == 0xFE0F && isEmoji(scalars[index - 2]))
    default: return false
    }
  }

  private static func isEmoji(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isEmoji && !scalar.isASCII }

  private static func width(_ character: Character) -> Int {
    let scalars = character.unicodeScalars
    guard let first = scalars.first else { return 0 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    default: break
    }
    if first.properties.isEmojiPresentation || scalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
    return wide.contains { $0.contains(first.value) } ? 2 : 1
  }

  /// East Asian Wide and Fullwidth blocks, Unicode's UAX #11.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
    0x1F900...0x1F9FF, 0x20000...0x3FFFD,
  ]
}
