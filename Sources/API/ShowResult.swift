/// Answer to `show`: the manifest for people.
public struct ShowResult: ResultBody {
  /// Who published it.
  public struct Publisher: Codable, Hashable, Sendable {
    /// Node id, in hex.
    public var node: String
    /// Our alias for it, or our own name; nil: a node that we do not know.
    public var alias: String?
    /// It is ours.
    public var isSelf: Bool

    /// A publisher.
    public init(node: String, alias: String?, isSelf: Bool = false) {
      self.node = node
      self.alias = alias
      self.isSelf = isSelf
    }

    private enum CodingKeys: String, CodingKey {
      case node, alias
      case isSelf = "self"
    }
  }

  /// What a tensor file says of itself. The publisher's claim.
  public struct Tensors: Codable, Hashable, Sendable {
    /// Element type → how many tensors have it.
    public var dtypes: [String: Int]
    /// How many tensors.
    public var tensors: Int
    /// How many numbers in all of them.
    public var parameters: UInt64
    /// It carries keys that tell how and on what it was trained.
    public var trainingMetadata: Bool
    /// The header could not be read.
    public var malformed: Bool

    /// Facts about a tensor file.
    public init(
      dtypes: [String: Int], tensors: Int, parameters: UInt64, trainingMetadata: Bool = false, malformed: Bool = false
    ) {
      self.dtypes = dtypes
      self.tensors = tensors
      self.parameters = parameters
      self.trainingMetadata = trainingMetadata
      self.malformed = malformed
    }

    private enum CodingKeys: String, CodingKey {
      case dtypes, tensors, parameters, malformed
      case trainingMetadata = "training_metadata"
    }
  }

  /// One file.
  public struct File: Codable, Hashable, Sendable {
    /// As the manifest names it.
    public var path: String
    /// In bytes.
    public var size: UInt64
    /// `safetensors`, `json`, …
    public var kind: String
    /// The publisher's claim, in hex.
    public var sha256: String
    /// The first ten digits of ``sha256``: the short hash that model sites show.
    public var autoV2: String
    /// It may be run.
    public var executable: Bool
    /// What a safetensors file says of itself.
    public var tensors: Tensors?

    /// A file.
    public init(path: String, size: UInt64, kind: String, sha256: String, executable: Bool = false, tensors: Tensors? = nil) {
      self.path = path
      self.size = size
      self.kind = kind
      self.sha256 = sha256
      autoV2 = String(sha256.prefix(10))
      self.executable = executable
      self.tensors = tensors
    }

    private enum CodingKeys: String, CodingKey {
      case path, size, kind, sha256, executable, tensors
      case autoV2 = "autov2"
    }
  }

  /// The artifact's name.
  public var artifact: String
  /// Its version.
  public var version: UInt32
  /// The artifact digest, in hex.
  public var digest: String
  /// The digest of the version before it.
  public var previous: String?
  /// Who published it.
  public var publisher: Publisher
  /// When, in Unix seconds, by the publisher's clock.
  public var created: UInt64
  /// The publisher's note; as it came.
  public var note: String
  /// Bytes in all files.
  public var bytes: UInt64
  /// Bytes in a chunk.
  public var chunk: UInt64
  /// Its files, by path.
  public var files: [File]
  /// Folders that hold nothing, by path; nil: none.
  public var folders: [String]?
  /// Paths of the files that describe the environment.
  public var environment: [String]
  /// Ours: aliases that may see and pull it, or `all`. A peer's: nil.
  public var audience: [String]?
  /// Ours: whether the files are still what was shared, as far as it was looked at. A peer's: nil.
  public var state: SourceState?

  /// A manifest for people.
  public init(
    artifact: String, version: UInt32, digest: String, previous: String? = nil, publisher: Publisher, created: UInt64,
    note: String, bytes: UInt64, chunk: UInt64, files: [File], folders: [String]? = nil, environment: [String] = [],
    audience: [String]? = nil, state: SourceState? = nil
  ) {
    self.artifact = artifact
    self.version = version
    self.digest = digest
    self.previous = previous
    self.publisher = publisher
    self.created = created
    self.note = note
    self.bytes = bytes
    self.chunk = chunk
    self.files = files
    self.folders = folders
    self.environment = environment
    self.audience = audience
    self.state = state
  }
}
