/// A file's place inside its artifact: relative, made of components, and the same on every system.
///
/// A value of this type can be walked component by component below a folder and never leaves it, shows what it is when it is
/// printed, and does not depend on how a file system normalises. That it does not collide with another path is the matter of
/// ``PathSet``.
public struct SafePath: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// A quarter of Linux's PATH_MAX: room for the folder that the user chose.
  public static let maximumBytes = 1_024
  /// NAME_MAX of every file system in use.
  public static let maximumComponentBytes = 255
  /// Deeper than any honest layout; each level costs the writer an open folder.
  public static let maximumComponents = 64
  /// Names under this prefix, in any case, are the node's own: partial folders and what lies beside them.
  public static let reservedPrefix = ".pawl-"

  /// The components joined by `/`, in NFC.
  public let text: String

  /// Throws ``ArtifactError/Code/invalidPath`` with the broken rule. Nothing is repaired.
  public init(_ text: String) throws(ArtifactError) {
    if let flaw = Self.flaw(in: text) {
      let shown = DisplayText.escape(ArtifactName.shortened(text))
      throw ArtifactError(.invalidPath, "the path “\(shown)” is not allowed: \(flaw)")
    }
    self.text = text
  }

  /// A path from its components, none of which may hold a `/`.
  public init(components: [String]) throws(ArtifactError) {
    guard !components.contains(where: { $0.utf8.contains(UInt8(ascii: "/")) }) else {
      throw ArtifactError(.invalidPath, "a path's component contains “/”")
    }
    try self.init(components.joined(separator: "/"))
  }

  /// The names from the top folder down to the file's own.
  public var components: [String] { text.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) } }

  /// The file's own name.
  public var lastComponent: String {
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return text }
    return String(text[text.utf8.index(after: slash)...])
  }

  /// The path.
  public var description: String { text }

  /// Ordered by UTF-8 bytes, as a manifest lists its files.
  public static func < (left: SafePath, right: SafePath) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  private static func flaw(in text: String) -> String? {
    let bytes = text.utf8
    if bytes.isEmpty { return "it is empty" }
    if bytes.count > maximumBytes { return "it is longer than \(maximumBytes) bytes" }
    if bytes.first == UInt8(ascii: "/") { return "it is absolute" }
    for scalar in text.unicodeScalars {
      // Legal on Linux, a separator elsewhere: `..\x` must not become a way out on some other system.
      if scalar == "\\" { return "it contains a backslash, which other systems read as a separator" }
      if ForbiddenCharacters.contains(scalar) {
        return "it contains the control character \(ForbiddenCharacters.name(scalar))"
      }
    }
    var count = 0
    for component in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      count += 1
      if count > maximumComponents { return "it has more than \(maximumComponents) components" }
      if component.isEmpty { return "it has an empty component" }
      if component.count > maximumComponentBytes { return "a component is longer than \(maximumComponentBytes) bytes" }
      if component.elementsEqual(".".utf8) || component.elementsEqual("..".utf8) { return "it contains “.” or “..”" }
      if Normalisation.foldKey(String(Substring(component))).utf8.starts(with: reservedPrefix.utf8) {
        return "names that begin with “\(reservedPrefix)” are reserved"
      }
    }
    return Normalisation.isNFC(text) ? nil : "it is not in Unicode's normal form C"
  }
}
