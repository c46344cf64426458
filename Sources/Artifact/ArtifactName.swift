/// The name under which a publisher's artifact counts its versions: `anime-lora`.
public struct ArtifactName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// A folder of this name holds the pulled files, beside a partial folder with a prefix: 255 bytes would leave no room.
  public static let maximumBytes = 128

  /// How much of an unfit text an error quotes, in Unicode scalars.
  private static let maximumShown = 80

  /// The name, in NFC.
  public let text: String

  /// Throws ``ArtifactError/Code/invalidName`` with the broken rule. The text is not repaired: one name, one spelling.
  public init(_ text: String) throws(ArtifactError) {
    if let flaw = Self.flaw(in: text) {
      throw ArtifactError(.invalidName, "“\(DisplayText.escape(Self.shortened(text)))” cannot be an artifact's name: \(flaw)")
    }
    self.text = text
  }

  /// The name.
  public var description: String { text }

  /// Ordered by UTF-8 bytes.
  public static func < (left: ArtifactName, right: ArtifactName) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  private static func flaw(in text: String) -> String? {
    if text.isEmpty { return "it is empty" }
    if text.utf8.count > maximumBytes { return "it is longer than \(maximumBytes) bytes" }
    if text.utf8.first == UInt8(ascii: "-") { return "it begins with “-”, which a command would take for an option" }
    if text.utf8.first == UInt8(ascii: ".") { return "it begins with “.”" }
    for scalar in text.unicodeScalars {
      if scalar == "/" || scalar == "\\" || scalar == "@" { return "it contains “\(scalar)”" }
      if ForbiddenCharacters.contains(scalar) { return "it contains the control character \(ForbiddenCharacters.name(scalar))" }
    }
    return Normalisation.isNFC(text) ? nil : "it is not in Unicode's normal form C"
  }

  /// Enough of an unfit text to recognise it by.
  static func shortened(_ text: String) -> String {
    return text.unicodeScalars.count <= maximumShown ? text : String(text.unicodeScalars.prefix(maximumShown)) + "…"
  }
}

/// Characters that no name or path of an artifact holds.
enum ForbiddenCharacters {
  /// C0, DEL, C1, line and paragraph separators, the byte order mark, and the bidirectional embeddings, overrides and
  /// isolates: with one of those, `exe.safetensors` can be made to read as `safetensors.exe`.
  static func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x2028...0x2029, 0x202A...0x202E, 0x2066...0x2069, 0xFEFF: true
    default: false
    }
  }

  static func name(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
