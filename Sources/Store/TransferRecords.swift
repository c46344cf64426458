public import Artifact
public import Primitives
public import Session

/// How far a transfer is.
public enum TransferState: String, Hashable, Sendable {
  /// Begun, not running: the peer is away, or the node was restarted.
  case waiting
  /// Bytes flow.
  case running
  /// The user stopped it.
  case paused
  /// All is fetched and synced; files get their names. After a crash: reopen, finish, place.
  case placing
  /// It cannot go on.
  case failed
}

/// A pull that is not done.
public struct TransferRow: Hashable, Sendable {
  /// Its 16-byte id.
  public let id: [UInt8]
  /// Whom it pulls from.
  public let peer: NodeID
  /// What it pulls.
  public let digest: Digest
  /// What the user typed, `PEER/NAME@vN`.
  public let reference: String
  /// The absolute folder that was asked for.
  public let destination: String
  /// The partial folder, once there is one.
  public let partial: String?
  /// The user's options; the caller's JSON.
  public let options: [UInt8]
  /// ``PlacementPlan/encoded()``; empty before there is one.
  public let plan: [UInt8]
  /// How far it is.
  public let state: TransferState
  /// When, Unix seconds.
  public let created: UInt64
  /// ``BootID/current()`` when its resume maps were last trusted.
  public let bootID: String
  /// Why it does not run, for people; nil: it does, or its node was stopped.
  public let reason: String?

  /// A transfer.
  public init(
    id: [UInt8], peer: NodeID, digest: Digest, reference: String, destination: String, partial: String?, options: [UInt8],
    plan: [UInt8], state: TransferState, created: UInt64, bootID: String, reason: String? = nil
  ) {
    self.id = id
    self.peer = peer
    self.digest = digest
    self.reference = reference
    self.destination = destination
    self.partial = partial
    self.options = options
    self.plan = plan
    self.state = state
    self.created = created
    self.bootID = bootID
    self.reason = reason
  }
}

/// An artifact that was delivered.
public struct Holding: Hashable, Sendable {
  /// The record's number; 0 before it is stored.
  public let id: Int64
  /// The manifest's SHA-256.
  public let digest: Digest
  /// The artifact's name.
  public let name: String
  /// The artifact's version.
  public let version: ArtifactVersion
  /// Who signed it.
  public let publisher: NodeID
  /// Whom it came from; nil once that peer was revoked.
  public let peer: NodeID?
  /// Where it is, absolute.
  public let path: String
  /// When, Unix seconds.
  public let delivered: UInt64

  /// A delivery to record.
  public init(
    id: Int64 = 0, digest: Digest, name: String, version: ArtifactVersion, publisher: NodeID, peer: NodeID?, path: String,
    delivered: UInt64
  ) {
    self.id = id
    self.digest = digest
    self.name = name
    self.version = version
    self.publisher = publisher
    self.peer = peer
    self.path = path
    self.delivered = delivered
  }
}

/// A delivered file.
public struct HoldingFile: Hashable, Sendable {
  /// What the last read-back found.
  public enum State: String, Sendable {
    /// Not read back yet.
    case pending
    /// The hash computed here is the publisher's claim.
    case verified
    /// It is not, and the file is still under its final name: it must be set aside.
    case condemned
    /// It is not, and the file was set aside.
    case mismatch
    /// It was changed here after it was placed.
    case changed
    /// It is not there.
    case missing
    /// It cannot be read: tried again when the node starts, and by `check --read-data`.
    case unreadable

    /// Whether reading it now could say more.
    public var isToBeRead: Bool {
      switch self {
      case .pending, .condemned, .missing, .unreadable: true
      case .verified, .mismatch, .changed: false
      }
    }
  }

  /// The delivery.
  public let holding: Int64
  /// Its number in the manifest.
  public let index: Int
  /// Where it is, absolute.
  public let path: String
  /// Bytes.
  public let sizeBytes: UInt64
  /// The publisher's claim; never shown as verified.
  public let expected: Digest
  /// What was computed here.
  public let computed: Digest?
  /// What the last read-back found.
  public let state: State

  /// A delivered file, not read back yet.
  public init(
    holding: Int64 = 0, index: Int, path: String, sizeBytes: UInt64, expected: Digest, computed: Digest? = nil,
    state: State = .pending
  ) {
    self.holding = holding
    self.index = index
    self.path = path
    self.sizeBytes = sizeBytes
    self.expected = expected
    self.computed = computed
    self.state = state
  }
}
