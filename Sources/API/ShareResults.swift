/// One file of a `share` or `pull` result.
public struct FileEntry: Codable, Hashable, Sendable {
  /// As the manifest names it. Where a pull had to give it another name: what it is called in the artifact's folder.
  public var path: String
  /// As the manifest names it, where ``path`` is another.
  public var artifactPath: String?
  /// In bytes.
  public var size: UInt64
  /// In hex, computed here; nil (`null` in JSON) while it is not computed yet.
  public var sha256: String?

  /// A file.
  public init(path: String, artifactPath: String? = nil, size: UInt64, sha256: String?) {
    self.path = path
    self.artifactPath = artifactPath
    self.size = size
    self.sha256 = sha256
  }

  private enum CodingKeys: String, CodingKey {
    case path, size, sha256
    case artifactPath = "artifact_path"
  }

  /// Writes the fields; a missing hash is `null`, not left out.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(path, forKey: .path)
    try fields.encodeIfPresent(artifactPath, forKey: .artifactPath)
    try fields.encode(size, forKey: .size)
    try fields.encode(sha256, forKey: .sha256)
  }
}

/// A symbolic link that `share` followed.
public struct LinkEntry: Codable, Hashable, Sendable {
  /// Its path in the artifact.
  public var path: String
  /// The absolute path of the file that is shared in its place.
  public var target: String

  /// A link.
  public init(path: String, target: String) {
    self.path = path
    self.target = target
  }
}

/// Answer to `share`.
public struct ShareResult: ResultBody {
  /// The artifact's name.
  public var artifact: String
  /// The version that it is now.
  public var version: UInt32
  /// The artifact digest, in hex.
  public var digest: String
  /// Its files.
  public var files: [FileEntry]
  /// Bytes in all files.
  public var bytes: UInt64
  /// Folders without files, which are carried as well.
  public var folders: [String]
  /// Links that were followed.
  public var links: [LinkEntry]
  /// What was left out because of its name, by its path below the shared folder, a folder with `/` at its end: the first hundred.
  public var leftOut: [String]
  /// How many names were left out.
  public var leftOutCount: Int
  /// Identical to the version before, which it still is; only the audience may have grown.
  public var unchanged: Bool
  /// Aliases that may see and pull it now, or `all`; empty: nobody yet.
  public var audience: [String]
  /// The versions that those who were named may pull because of this.
  public var opened: [UInt32]
  /// What a user should know, one line each: files that are not what they are called.
  public var warnings: [String]

  /// A published version.
  public init(
    artifact: String, version: UInt32, digest: String, files: [FileEntry], bytes: UInt64, folders: [String] = [],
    links: [LinkEntry] = [], leftOut: [String] = [], leftOutCount: Int = 0, unchanged: Bool = false, audience: [String],
    opened: [UInt32] = [], warnings: [String] = []
  ) {
    self.artifact = artifact
    self.version = version
    self.digest = digest
    self.files = files
    self.bytes = bytes
    self.folders = folders
    self.links = links
    self.leftOut = leftOut
    self.leftOutCount = leftOutCount
    self.unchanged = unchanged
    self.audience = audience
    self.opened = opened
    self.warnings = warnings
  }

  private enum CodingKeys: String, CodingKey {
    case artifact, version, digest, files, bytes, folders, links, unchanged, audience, opened, warnings
    case leftOut = "left_out"
    case leftOutCount = "left_out_count"
  }

  /// Reads the fields; what a node of the version before does not say is empty.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    artifact = try fields.decode(String.self, forKey: .artifact)
    version = try fields.decode(UInt32.self, forKey: .version)
    digest = try fields.decode(String.self, forKey: .digest)
    files = try fields.decode([FileEntry].self, forKey: .files)
    bytes = try fields.decode(UInt64.self, forKey: .bytes)
    folders = try fields.decodeIfPresent([String].self, forKey: .folders) ?? []
    links = try fields.decodeIfPresent([LinkEntry].self, forKey: .links) ?? []
    leftOut = try fields.decodeIfPresent([String].self, forKey: .leftOut) ?? []
    leftOutCount = try fields.decodeIfPresent(Int.self, forKey: .leftOutCount) ?? leftOut.count
    unchanged = try fields.decode(Bool.self, forKey: .unchanged)
    audience = try fields.decode([String].self, forKey: .audience)
    opened = try fields.decodeIfPresent([UInt32].self, forKey: .opened) ?? []
    warnings = try fields.decode([String].self, forKey: .warnings)
  }
}

/// Answer to `unshare`.
public struct UnshareResult: ResultBody {
  /// The artifact's name.
  public var artifact: String
  /// The versions that were withdrawn, or whose audience became smaller.
  public var versions: [UInt32]
  /// Who may not have them any more, by alias, or `all`; empty: nobody may, they are withdrawn.
  public var from: [String]
  /// Who may have at least one of these versions still, by alias, or `all`; empty: nobody.
  public var audience: [String]

  /// What was withdrawn, or from whom.
  public init(artifact: String, versions: [UInt32], from: [String] = [], audience: [String] = []) {
    self.artifact = artifact
    self.versions = versions
    self.from = from
    self.audience = audience
  }
}

/// One artifact, as `ls` shows it.
public struct ArtifactSummary: Codable, Hashable, Sendable {
  /// The artifact's name.
  public var artifact: String
  /// Its version.
  public var version: UInt32
  /// The artifact digest, in hex.
  public var digest: String
  /// How many files.
  public var files: Int
  /// Bytes in all files.
  public var bytes: UInt64
  /// When it was published, in Unix seconds.
  public var created: UInt64
  /// The publisher's note; as it came.
  public var note: String
  /// Ours: aliases that may see and pull it, or `all`. A peer's: nil.
  public var audience: [String]?
  /// Ours: whether its files are there to be served. A peer's: nil.
  public var state: SourceState?

  /// An artifact.
  public init(
    artifact: String, version: UInt32, digest: String, files: Int, bytes: UInt64, created: UInt64, note: String = "",
    audience: [String]? = nil, state: SourceState? = nil
  ) {
    self.artifact = artifact
    self.version = version
    self.digest = digest
    self.files = files
    self.bytes = bytes
    self.created = created
    self.note = note
    self.audience = audience
    self.state = state
  }
}

/// Whether a version that we share can be served.
public enum SourceState: String, Codable, Hashable, Sendable {
  /// As far as is known, its files are what was shared.
  case current
  /// A file is not what was shared any more.
  case changed
  /// A file is not there any more.
  case gone
}

/// Answer to `ls`.
public struct ListResult: ResultBody {
  /// Whose artifacts, by alias; nil: ours.
  public var peer: String?
  /// By name, then version, newest first.
  public var artifacts: [ArtifactSummary]

  /// What is shared.
  public init(peer: String? = nil, artifacts: [ArtifactSummary]) {
    self.peer = peer
    self.artifacts = artifacts
  }
}
