/// Counts a publisher's versions of one name: 1…4,294,967,295.
public typealias ArtifactVersion = UInt32

/// What a user writes for an artifact: `[PEER/]NAME[@vN]`, as in `studio/anime-lora@v3`.
public struct ArtifactReference: Hashable, Sendable, CustomStringConvertible {
  /// The longest alias of a peer: a letter or digit and 63 more of `[A-Za-z0-9._-]`. It stands in prompts and file names.
  public static let maximumAliasBytes = 64

  /// The alias of the peer to ask, if the user named one.
  public let peer: String?
  /// The artifact's name.
  public let name: ArtifactName
  /// The version, if the user named one.
  public let version: ArtifactVersion?

  /// Reads a reference. Throws ``ArtifactError/Code/invalidReference`` or ``ArtifactError/Code/invalidName``.
  public init(_ text: String) throws(ArtifactError) {
    var rest = text.unicodeScalars[...]
    var peer: String?
    if let slash = rest.firstIndex(of: "/") {
      let alias = String(rest[..<slash])
      guard Self.isAlias(alias) else {
        throw ArtifactError(
          .invalidReference, "“\(DisplayText.escape(ArtifactName.shortened(alias)))” is no peer's alias; write PEER/NAME[@vN]")
      }
      peer = alias
      rest = rest[rest.index(after: slash)...]
    }
    var version: ArtifactVersion?
    if let at = rest.firstIndex(of: "@") {
      let suffix = String(rest[rest.index(after: at)...])
      guard let number = Self.version(suffix) else {
        throw ArtifactError(
          .invalidReference, "“@\(DisplayText.escape(ArtifactName.shortened(suffix)))” is no version; write @v1, @v2, …")
      }
      version = number
      rest = rest[..<at]
    }
    // What a user types may be composed or not: it is the same name.
    try self.init(peer: peer, name: ArtifactName(Normalisation.nfc(String(rest))), version: version)
  }

  /// A reference from its parts.
  public init(peer: String?, name: ArtifactName, version: ArtifactVersion?) throws(ArtifactError) {
    guard peer.map(Self.isAlias) ?? true else { throw ArtifactError(.invalidReference, "that is no peer's alias") }
    guard version != 0 else { throw ArtifactError(.invalidReference, "versions count from 1") }
    self.peer = peer
    self.name = name
    self.version = version
  }

  /// Whether a text is fit to be a peer's alias: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
  public static func isAlias(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard let first = bytes.first, isLetterOrDigit(first), bytes.count <= maximumAliasBytes else { return false }
    return bytes.allSatisfy {
      isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
    }
  }

  /// The reference as a user would write it.
  public var description: String {
    (peer.map { $0 + "/" } ?? "") + name.text + (version.map { "@v\($0)" } ?? "")
  }

  /// `v3`, without leading zeros: one version has one spelling.
  private static func version(_ text: String) -> ArtifactVersion? {
    let digits = text.utf8.dropFirst()
    guard text.utf8.first == UInt8(ascii: "v"), let first = digits.first, first != UInt8(ascii: "0") else { return nil }
    guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return ArtifactVersion(String(decoding: digits, as: UTF8.self))
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}
