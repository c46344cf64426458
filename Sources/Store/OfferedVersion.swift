public import Artifact
public import Primitives

/// A version that is shared now, as a listing shows it: no manifest is read for it.
public struct OfferedVersion: Hashable, Sendable {
  /// The artifact's name.
  public let name: String
  /// Its version.
  public let version: ArtifactVersion
  /// The manifest's SHA-256.
  public let digest: Digest
  /// How many files the version has.
  public let files: Int
  /// The length of all files together.
  public let sizeBytes: UInt64
  /// When it was published, Unix seconds.
  public let created: UInt64
  /// The note that was given with it.
  public let note: String
  /// The absolute folder that the files' sources are under.
  public let root: String
  /// What was found when its sources were last looked at.
  public let state: SourceState

  /// The version's place in a listing.
  public var position: VersionPosition { VersionPosition(name: name, version: version) }
}

/// A place in a listing: by the bytes of the name, then by version.
public struct VersionPosition: Hashable, Comparable, Sendable {
  /// The position before every version.
  public static let start = VersionPosition(name: "", version: 0)

  /// The artifact's name.
  public let name: String
  /// Its version.
  public let version: ArtifactVersion

  /// The position of a version.
  public init(name: String, version: ArtifactVersion) {
    self.name = name
    self.version = version
  }

  /// The order of a listing.
  public static func < (left: Self, right: Self) -> Bool {
    if left.name.utf8.elementsEqual(right.name.utf8) { return left.version < right.version }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}

/// Whether a version can still be served, as far as a look at its files tells. The later case outranks the earlier one.
public enum SourceState: String, Hashable, Comparable, CaseIterable, Sendable {
  /// Every file is the one that was shared.
  case current
  /// A file has other contents under its old size and time, which only reading it shows.
  case damaged
  /// A file is no longer the one that was shared.
  case changed
  /// A file is not there any more.
  case gone

  /// The order of the cases.
  public static func < (left: Self, right: Self) -> Bool {
    (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
  }
}

/// How the audience of a version that is being published comes about.
public enum AudienceRule: Hashable, Sendable {
  /// A new version begins with the audience of the one before; whoever is named is added to it.
  case inherited
  /// A new version is for nobody but those who are named.
  case onlyThis
  /// As ``inherited``, and those who are named are added to every version of the name.
  case allVersions
}

/// What became of taking members out of audiences.
public enum AudienceCut: Hashable, Sendable {
  /// They are out of the audiences of these versions.
  case done([OfferedVersion])
  /// No such version is shared.
  case notOffered
  /// None of the members was in an audience.
  case notMembers
  /// These versions are for every peer, so leaving a peer out of the others would not keep it out. Nothing was changed.
  case forEveryone([ArtifactVersion])
}
