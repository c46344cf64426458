/// How the audience of a version that is shared comes about.
public enum AudienceScope: String, Codable, Hashable, Sendable, CaseIterable {
  /// A new version begins with the audience of the one before.
  case inherited
  /// A new version is for nobody but those who are named.
  case onlyThis = "only_this"
  /// As inherited, and those who are named may have every version of the name.
  case allVersions = "all_versions"
}

/// Fields of `share`.
public struct ShareRequest: RequestFields {
  /// The word in ``to`` that means every peer, now and later.
  public static let everyone = "all"

  /// Absolute path of a file or folder.
  public var path: String
  /// The artifact's name; nil: the path's base name.
  public var name: String?
  /// Aliases that may see and pull it, or `all`. Empty: nobody new.
  public var to: [String]
  /// A note that goes with this version; contents that are published already become a new version if it is another one.
  public var note: String?
  /// Take links to files of the folder itself, or of the Hugging Face cache that it is a snapshot of.
  public var follow: Bool
  /// Leave out nothing because of its name.
  public var all: Bool
  /// How the version's audience comes about.
  public var scope: AudienceScope

  /// Fields of `share`.
  public init(
    path: String, name: String? = nil, to: [String] = [], note: String? = nil, follow: Bool = false, all: Bool = false,
    scope: AudienceScope = .inherited
  ) {
    self.path = path
    self.name = name
    self.to = to
    self.note = note
    self.follow = follow
    self.all = all
    self.scope = scope
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case path, name, to, note, follow, all, scope }

  /// Reads the fields; all but `path` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    path = try fields.decode(String.self, forKey: .path)
    name = try fields.decodeIfPresent(String.self, forKey: .name)
    to = try fields.decodeIfPresent([String].self, forKey: .to) ?? []
    note = try fields.decodeIfPresent(String.self, forKey: .note)
    follow = try fields.decodeIfPresent(Bool.self, forKey: .follow) ?? false
    all = try fields.decodeIfPresent(Bool.self, forKey: .all) ?? false
    scope = try fields.decodeIfPresent(AudienceScope.self, forKey: .scope) ?? .inherited
  }
}

/// Fields of `unshare`.
public struct UnshareRequest: RequestFields {
  /// `NAME`, all versions, or `NAME@vN`.
  public var artifact: String
  /// Aliases to take out of its audience, or `all`; empty: it is withdrawn.
  public var from: [String]

  /// Fields of `unshare`.
  public init(artifact: String, from: [String] = []) {
    self.artifact = artifact
    self.from = from
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case artifact, from }

  /// Reads the fields; all but `artifact` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    artifact = try fields.decode(String.self, forKey: .artifact)
    from = try fields.decodeIfPresent([String].self, forKey: .from) ?? []
  }
}

/// Fields of `show`.
public struct ShowRequest: RequestFields {
  /// `[PEER/]NAME[@vN]`.
  public var artifact: String

  /// Fields of `show`.
  public init(artifact: String) { self.artifact = artifact }

  enum CodingKeys: String, CodingKey, CaseIterable { case artifact }
}

/// What to do with a file that is already there and different.
public enum ConflictRule: String, Codable, Hashable, Sendable, CaseIterable {
  /// Leave it; the pull exits with 16.
  case skip
  /// Replace it.
  case overwrite
  /// Place the new one under another name.
  case rename
}

/// Fields of `pull`.
public struct PullRequest: RequestFields {
  /// `PEER/NAME[@vN]`.
  public var artifact: String
  /// Absolute path of the folder to place it in.
  public var directory: String
  /// Patterns of paths in the manifest; empty: all files.
  public var only: [String]
  /// Aliases of further sources.
  public var from: [String]
  /// What to do with a file that is already there and different.
  public var conflict: ConflictRule
  /// Answer only after the read-back.
  public var verify: Bool

  /// Fields of `pull`.
  public init(
    artifact: String, directory: String, only: [String] = [], from: [String] = [], conflict: ConflictRule = .skip,
    verify: Bool = false
  ) {
    self.artifact = artifact
    self.directory = directory
    self.only = only
    self.from = from
    self.conflict = conflict
    self.verify = verify
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case artifact, directory, only, from, conflict, verify }

  /// Reads the fields; all but `artifact` and `directory` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    artifact = try fields.decode(String.self, forKey: .artifact)
    directory = try fields.decode(String.self, forKey: .directory)
    only = try fields.decodeIfPresent([String].self, forKey: .only) ?? []
    from = try fields.decodeIfPresent([String].self, forKey: .from) ?? []
    conflict = try fields.decodeIfPresent(ConflictRule.self, forKey: .conflict) ?? .skip
    verify = try fields.decodeIfPresent(Bool.self, forKey: .verify) ?? false
  }
}

/// Fields of `check`.
public struct CheckRequest: RequestFields {
  /// `NAME[@vN]`; nil: everything.
  public var artifact: String?
  /// Read and hash every byte, not only sizes and times.
  public var readData: Bool

  /// Fields of `check`.
  public init(artifact: String? = nil, readData: Bool = false) {
    self.artifact = artifact
    self.readData = readData
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case artifact
    case readData = "read_data"
  }

  /// Reads the fields; both may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    artifact = try fields.decodeIfPresent(String.self, forKey: .artifact)
    readData = try fields.decodeIfPresent(Bool.self, forKey: .readData) ?? false
  }
}
