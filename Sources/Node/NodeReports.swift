public import Artifact
public import Primitives
public import Store

/// One artifact of a listing.
public struct ArtifactEntry: Sendable {
  /// NAME.
  public let name: String
  /// Its version.
  public let version: UInt64
  /// The artifact digest in hex.
  public let digest: String
  /// How many files.
  public let files: Int
  /// Bytes in all files.
  public let bytes: UInt64
  /// Unix seconds, by the publisher's clock.
  public let created: UInt64
  /// The publisher's note, as it came.
  public let note: String
  /// Ours: aliases that may pull it, or `all`. A peer's: nil.
  public let audience: [String]?
  /// Ours: whether its files are still there, as far as it was looked at. A peer's: nil.
  public let state: SourceState?
}

/// A verified manifest and whose it is.
public struct ManifestReport: Sendable {
  /// The manifest: its signature is the publisher's.
  public let manifest: Manifest
  /// Its digest.
  public let digest: Digest
  /// Our alias of the publisher, or our own name.
  public let publisherAlias: String?
  /// We published it.
  public let isOwn: Bool
  /// Ours: aliases that may pull it, or `all`. A peer's: nil.
  public let audience: [String]?
  /// Ours: whether its files are still there, as far as it was looked at. A peer's: nil.
  public let state: SourceState?
}

/// What `pull` is asked to fetch.
public struct PullCommand: Sendable {
  /// `PEER/NAME[@vN]`.
  public var reference: String
  /// Absolute path of the folder that it is placed in.
  public var directory: String
  /// Patterns of paths in the manifest; empty: all.
  public var only: [String]
  /// What to do with a different file that is there already: `skip`, `overwrite`, `rename`.
  public var conflict: String
  /// Answer only after the read-back, however large.
  public var waitsForReadBack: Bool

  /// A request.
  public init(
    reference: String, directory: String, only: [String] = [], conflict: String = "skip", waitsForReadBack: Bool = false
  ) {
    self.reference = reference
    self.directory = directory
    self.only = only
    self.conflict = conflict
    self.waitsForReadBack = waitsForReadBack
  }
}

/// How far a pull has come.
public struct PullProgress: Sendable {
  /// What is being done.
  public enum Phase: Sendable {
    /// The name and the manifest are being fetched.
    case asking
    /// Other pulls have to end first.
    case waiting
    /// What is on disk already is being looked at.
    case examining
    /// Bytes are on their way.
    case fetching
    /// Files move to their final names.
    case placing
    /// Files are read back.
    case reading
  }

  /// What is being done.
  public var phase: Phase
  /// The file that moved last, as the manifest names it.
  public var file: String?
  /// Files that are whole.
  public var filesDone = 0
  /// Files to fetch.
  public var filesTotal = 0
  /// Bytes that are there and verified, earlier attempts included.
  public var bytes: UInt64 = 0
  /// Bytes to fetch in all.
  public var bytesTotal: UInt64 = 0
  /// Of `bytes`, those that were there when the pull began.
  public var bytesResumed: UInt64 = 0
  /// Since the fetching began, in this run.
  public var bytesPerSecond: UInt64 = 0
  /// Alias of the peer that bytes come from.
  public var source: String?
}

/// What a pull has brought.
public struct PullSummary: Sendable {
  /// NAME.
  public let name: String
  /// Its version.
  public let version: UInt64
  /// The artifact digest in hex.
  public let digest: String
  /// Where it is: the folder, or the one file. Absolute.
  public let path: String
  /// The files that are there now; a hash is one computed here from disk.
  public let files: [FileSummary]
  /// Bytes in these files.
  public let bytes: UInt64
  /// Bytes of contents that travelled for this request.
  public let bytesTransferred: UInt64
  /// Wall-clock seconds.
  public let seconds: Double
  /// Aliases that bytes came from.
  public let sources: [String]
  /// Every file was read back and is what the publisher claimed.
  public let isReadBack: Bool
  /// Files that are there and could not be read back: each with its path and why, in a line.
  public let unread: [String]
  /// Manifest paths left alone because something different is there.
  public let skipped: [String]
  /// What the user should know of the files that are there, a line each.
  public let warnings: [String]
}

/// One file as `check` found it.
public struct CheckEntry: Sendable {
  /// What was found.
  public enum State: Sendable {
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
  }

  /// NAME.
  public let name: String
  /// Its version.
  public let version: UInt64
  /// Alias of the publisher; nil: we are.
  public let publisher: String?
  /// Absolute.
  public let path: String
  /// Bytes, as the manifest says.
  public let sizeBytes: UInt64
  /// SHA-256 in hex, computed here.
  public let sha256: String?
  /// What was found.
  public let state: State
}

/// What a node says of itself.
public struct NodeReport: Sendable {
  /// Node id in hex.
  public let id: String
  /// Its name.
  public let name: String
  /// `HOST:PORT` it listens on.
  public let listening: String
  /// Where others may reach it.
  public let addresses: [String]
  /// Unix seconds since when it runs.
  public let started: UInt64
  /// The peers.
  public let peers: [PeerSummary]
  /// Transfers under way, and pulls that could be resumed.
  public let transfers: [TransferReport]
  /// How many artifacts are shared.
  public let sharedCount: Int
  /// How many tickets are open.
  public let ticketCount: Int
  /// What is not as it should be, a line each.
  public let warnings: [String]
}

/// One transfer.
public struct TransferReport: Sendable {
  /// 16 bytes in hex.
  public let id: String
  /// Alias of the other side.
  public let peer: String
  /// NAME.
  public let name: String
  /// Its version, if known.
  public let version: UInt64?
  /// True: we fetch. False: we serve.
  public let isPull: Bool
  /// False: it waits to be resumed.
  public let isRunning: Bool
  /// Bytes that are there, or were sent.
  public let bytes: UInt64
  /// Bytes in all; 0: not known.
  public let bytesTotal: UInt64
  /// Over the last seconds.
  public let bytesPerSecond: UInt64
}
