public import Artifact
public import Primitives
public import Session

/// An artifact that we publish.
public struct PublishedArtifact: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// Its version.
  public let version: ArtifactVersion
  /// The manifest's SHA-256.
  public let digest: Digest
  /// The manifest, byte for byte.
  public let manifest: [UInt8]
  /// Our signature of it.
  public let signature: [UInt8]
  /// The absolute folder that the files' sources are under.
  public let root: String
  /// A folder was shared, not a file.
  public let isFolder: Bool
  /// When, Unix seconds.
  public let created: UInt64
  /// It was taken back; kept so that its version is never used again.
  public let isWithdrawn: Bool

  /// An artifact to publish.
  public init(
    name: String, version: ArtifactVersion, digest: Digest, manifest: [UInt8], signature: [UInt8], root: String, isFolder: Bool,
    created: UInt64, isWithdrawn: Bool = false
  ) {
    self.name = name
    self.version = version
    self.digest = digest
    self.manifest = manifest
    self.signature = signature
    self.root = root
    self.isFolder = isFolder
    self.created = created
    self.isWithdrawn = isWithdrawn
  }
}

/// A published file, where it lies.
public struct PublishedFile: Hashable, Sendable {
  /// Its number in the manifest.
  public let index: Int
  /// Its path on the disk, below the artifact's root.
  public let source: String
  /// What it was when it was shared.
  public let identity: FileIdentity
  /// Its leaf list, 32 bytes a chunk; empty where it was not asked for.
  public let leaves: [UInt8]

  /// A published file.
  public init(index: Int, source: String, identity: FileIdentity, leaves: [UInt8] = []) {
    self.index = index
    self.source = source
    self.identity = identity
    self.leaves = leaves
  }
}

/// Who may see and pull a version.
public struct Audience: Hashable, Sendable {
  /// One entry of an audience.
  public enum Member: Hashable, Sendable {
    /// Every peer, now and later.
    case all
    /// One peer.
    case peer(NodeID)
  }

  /// Every peer may.
  public let isAll: Bool
  /// These may.
  public let peers: Set<NodeID>

  /// Nobody may.
  public var isEmpty: Bool { !isAll && peers.isEmpty }
}

/// The highest version of a name that a publisher showed us.
public struct RememberedVersion: Hashable, Sendable {
  /// The version.
  public let version: ArtifactVersion
  /// Its manifest's SHA-256.
  public let digest: Digest
}

/// How a version compares to what the publisher showed before.
public enum RememberOutcome: Hashable, Sendable {
  /// Not seen before, and the highest now.
  case new
  /// Seen before, the same.
  case known
  /// Not seen before, and below what was.
  case lower(highest: RememberedVersion)
  /// This version was another artifact: the publisher shows different things. Nothing was remembered.
  case differs(known: Digest)
}

/// A manifest that was verified.
public struct KnownManifest: Hashable, Sendable {
  /// Its SHA-256.
  public let digest: Digest
  /// Who signed it.
  public let publisher: NodeID
  /// The artifact's name.
  public let name: String
  /// The artifact's version.
  public let version: ArtifactVersion
  /// Byte for byte.
  public let bytes: [UInt8]
  /// The publisher's signature.
  public let signature: [UInt8]

  /// A verified manifest.
  public init(digest: Digest, publisher: NodeID, name: String, version: ArtifactVersion, bytes: [UInt8], signature: [UInt8]) {
    self.digest = digest
    self.publisher = publisher
    self.name = name
    self.version = version
    self.bytes = bytes
    self.signature = signature
  }
}
