/// One spelling for every text: Unicode's normal form C, and a key under which names that a file system may confuse are equal.
public enum Normalisation {
  /// Whether the text's code points are those of its normal form C.
  public static func isNFC(_ text: String) -> Bool {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return true }
    return text.utf8.elementsEqual(nfcBytes(text))
  }

  /// The text in normal form C.
  public static func nfc(_ text: String) -> String { String(decoding: nfcBytes(text), as: UTF8.self) }

  /// Equal for two names that some file system holds for one: they differ only in case, normalisation or invisible
  /// characters.
  ///
  /// Full case folding (Unicode 3.13, toCasefold) by way of the case mappings that the standard library has: lower, upper and
  /// lower again sends `ẞ`, `ß`, `SS` and `ss` to one key. `ı` stays apart from `i`, as in CaseFolding.txt.
  public static func foldKey(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
    var folded = String.UnicodeScalarView()
    for scalar in nfc(text).unicodeScalars where scalar.isASCII || !scalar.properties.isDefaultIgnorableCodePoint {
      if scalar == "\u{131}" || !(scalar.properties.changesWhenCaseMapped || scalar.properties.changesWhenCaseFolded) {
        folded.append(scalar)
      } else {
        folded.append(contentsOf: scalar.properties.lowercaseMapping.uppercased().lowercased().unicodeScalars)
      }
    }
    return nfc(String(folded))
  }

  /// The standard library normalises for `==` with the same tables; this is its one public door to them (a part of its ABI).
  /// Foundation's spelling of it would draw 40 MB of ICU data into a room that needs nothing else of it.
  private static func nfcBytes(_ text: String) -> [UInt8] { text._nfcCodeUnits }
}
