/// Why a name, a manifest, a leaf list or a map was refused.
///
/// Two errors are equal if their codes are: the reason is for people.
public struct ArtifactError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of rule was broken.
  public enum Code: String, Hashable, Sendable, CaseIterable {
    /// Not an artifact's name.
    case invalidName
    /// Not of the form `[PEER/]NAME[@vN]`.
    case invalidReference
    /// A path that could leave its folder, or that not every system can hold.
    case invalidPath
    /// Two paths that cannot lie in one folder.
    case pathCollision
    /// A named limit was passed.
    case limitExceeded
    /// A size or chunk size that no chunk layout has.
    case invalidLayout
    /// A file did not have the bytes that its size promised.
    case sizeChanged
    /// A leaf list of the wrong length, or one that does not lead to the root.
    case invalidLeafList
    /// A manifest that breaks a rule of its format.
    case invalidManifest
    /// Bytes whose hash is not the digest that names them.
    case digestMismatch
    /// The signature does not verify under the expected publisher's keys.
    case badSignature
    /// A manifest that names another publisher than the one that was expected.
    case wrongPublisher
    /// Not a glob pattern.
    case invalidPattern
    /// A saved map that does not fit its file.
    case invalidMap
  }

  /// What kind of rule was broken.
  public let code: Code
  /// One line for people. Texts from peers in it are escaped already.
  public let reason: String

  /// An error with its reason.
  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  /// The reason.
  public var description: String { reason }

  /// Equal by code.
  public static func == (left: ArtifactError, right: ArtifactError) -> Bool { left.code == right.code }

  /// Hashes the code alone, as equality does.
  public func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
