/// Answer to `pull`.
public struct PullResult: ResultBody {
  /// How far the read-back is.
  public enum ReadBack: String, Codable, Hashable, Sendable {
    /// Every file has been read back from disk and is what the publisher claimed.
    case verified
    /// Still under way; `check` shows it later.
    case pending
    /// A file could not be read back. The answer is then a ``Failure`` with code `partial` that carries this.
    case incomplete
  }

  /// The artifact's name.
  public var artifact: String
  /// Its version.
  public var version: UInt32
  /// The artifact digest, in hex.
  public var digest: String
  /// Where it is: the folder, or the one file. Absolute.
  public var path: String
  /// The files that are there now.
  public var files: [FileEntry]
  /// Bytes in these files.
  public var bytes: UInt64
  /// Bytes of contents that travelled for this request; less than ``bytes`` when it resumed or files were there.
  public var bytesTransferred: UInt64
  /// How long it took.
  public var seconds: Double
  /// Aliases that bytes came from.
  public var sources: [String]
  /// How far the read-back is.
  public var readBack: ReadBack
  /// Manifest paths that were left alone because something different is there.
  public var skipped: [String]
  /// What a user should know of the files that are there, one line each: malformed models, files that can run code.
  public var warnings: [String]

  /// What was placed. `seconds` is kept to the millisecond.
  public init(
    artifact: String, version: UInt32, digest: String, path: String, files: [FileEntry], bytes: UInt64,
    bytesTransferred: UInt64, seconds: Double, sources: [String], readBack: ReadBack, skipped: [String] = [],
    warnings: [String] = []
  ) {
    self.artifact = artifact
    self.version = version
    self.digest = digest
    self.path = path
    self.files = files
    self.bytes = bytes
    self.bytesTransferred = bytesTransferred
    self.seconds = (seconds * 1_000).rounded() / 1_000
    self.sources = sources
    self.readBack = readBack
    self.skipped = skipped
    self.warnings = warnings
  }

  private enum CodingKeys: String, CodingKey {
    case artifact, version, digest, path, files, bytes, seconds, sources, skipped, warnings
    case bytesTransferred = "bytes_transferred"
    case readBack = "read_back"
  }
}

/// Answer to `check`.
public struct CheckResult: ResultBody {
  /// What was found of one file.
  public enum State: String, Codable, Hashable, Sendable {
    /// Read here, and its hash is the claimed one.
    case verified
    /// Size and time are as they were; its bytes were not read.
    case unread
    /// The read-back after the delivery is still under way.
    case pending
    /// It changed since it was shared or placed.
    case changed
    /// It is gone.
    case missing
    /// It is what was delivered, and that is not what the publisher claimed.
    case mismatch
    /// It could not be read.
    case unreadable

    /// Whether something is wrong with the file.
    public var isWrong: Bool {
      switch self {
      case .verified, .unread, .pending: false
      case .changed, .missing, .mismatch, .unreadable: true
      }
    }
  }

  /// One file.
  public struct File: Codable, Hashable, Sendable {
    /// The artifact's name.
    public var artifact: String
    /// Its version.
    public var version: UInt32
    /// Who published it, by alias; nil: we did.
    public var publisher: String?
    /// Where it is. Absolute.
    public var path: String
    /// In bytes, as the manifest says.
    public var size: UInt64
    /// In hex, computed here.
    public var sha256: String?
    /// What was found.
    public var state: State

    /// A file that was looked at.
    public init(
      artifact: String, version: UInt32, publisher: String? = nil, path: String, size: UInt64, sha256: String?, state: State
    ) {
      self.artifact = artifact
      self.version = version
      self.publisher = publisher
      self.path = path
      self.size = size
      self.sha256 = sha256
      self.state = state
    }
  }

  /// All that was looked at.
  public var files: [File]

  /// What was found. A file that is wrong makes the answer a ``Failure`` with code `integrity` that carries this.
  public init(files: [File]) { self.files = files }

  /// How many files are not what they should be.
  public var wrong: Int { files.count { $0.state.isWrong } }
}
