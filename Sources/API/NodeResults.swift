/// The fields of a `result` line.
public protocol ResultBody: Codable, Hashable, Sendable {}

/// Answer to `status`.
public struct StatusResult: ResultBody {
  /// The node's program version.
  public var version: String
  /// The node's process.
  public var pid: Int32
  /// The node id, in hex.
  public var node: String
  /// The node id, short and grouped for people.
  public var fingerprint: String
  /// The name that peers know us by.
  public var name: String
  /// Where it listens: `HOST:PORT`.
  public var listening: String
  /// When it was started, in Unix seconds.
  public var started: UInt64
  /// The state folder.
  public var state: String
  /// Everyone we are paired with.
  public var peers: [Peer]
  /// How many artifacts we share.
  public var shared: Int
  /// Tickets that are alive.
  public var tickets: Int
  /// What moves now, and what could be resumed.
  public var transfers: [TransferStatus]
  /// What is not as it should be, one line each; names from peers in it are as they are.
  public var warnings: [String]

  /// The state of the node.
  public init(
    version: String, pid: Int32, node: String, fingerprint: String, name: String, listening: String, started: UInt64,
    state: String, peers: [Peer], shared: Int, tickets: Int = 0, transfers: [TransferStatus] = [], warnings: [String] = []
  ) {
    self.version = version
    self.pid = pid
    self.node = node
    self.fingerprint = fingerprint
    self.name = name
    self.listening = listening
    self.started = started
    self.state = state
    self.peers = peers
    self.shared = shared
    self.tickets = tickets
    self.transfers = transfers
    self.warnings = warnings
  }
}

/// One transfer, as `status` shows it.
public struct TransferStatus: Codable, Hashable, Sendable {
  /// Which way the bytes go.
  public enum Direction: String, Codable, Hashable, Sendable {
    /// To us.
    case pull = "in"
    /// To a peer.
    case serve = "out"
  }

  /// What the user may call it by.
  public var id: String
  /// Which way the bytes go.
  public var direction: Direction
  /// The other side's alias.
  public var peer: String
  /// The artifact's name.
  public var artifact: String
  /// Its version; nil while it is not known yet.
  public var version: UInt32?
  /// `running`, `waiting`, `paused`, `placing`, `failed`.
  public var state: String
  /// Bytes that are there.
  public var bytes: UInt64
  /// Bytes in all.
  public var bytesTotal: UInt64
  /// The rate of the last seconds.
  public var bytesPerSecond: UInt64

  /// A transfer.
  public init(
    id: String, direction: Direction, peer: String, artifact: String, version: UInt32? = nil, state: String, bytes: UInt64,
    bytesTotal: UInt64, bytesPerSecond: UInt64 = 0
  ) {
    self.id = id
    self.direction = direction
    self.peer = peer
    self.artifact = artifact
    self.version = version
    self.state = state
    self.bytes = bytes
    self.bytesTotal = bytesTotal
    self.bytesPerSecond = bytesPerSecond
  }

  private enum CodingKeys: String, CodingKey {
    case id, direction, peer, artifact, version, state, bytes
    case bytesTotal = "bytes_total"
    case bytesPerSecond = "bytes_per_second"
  }
}

/// Answer to `id`.
public struct IdentityResult: ResultBody {
  /// The node id, in hex.
  public var node: String
  /// The node id, short and grouped for people.
  public var fingerprint: String
  /// The name that peers know us by.
  public var name: String
  /// `HOST:PORT` where peers can reach us; what a ticket would carry.
  public var addresses: [String]

  /// Who we are.
  public init(node: String, fingerprint: String, name: String, addresses: [String]) {
    self.node = node
    self.fingerprint = fingerprint
    self.name = name
    self.addresses = addresses
  }
}

/// Answer to `passphrase`, which needs no node.
public struct PassphraseResult: ResultBody {
  /// What became of the passphrase.
  public enum Change: String, Codable, Hashable, Sendable {
    /// There was none.
    case set
    /// There was another one.
    case changed
    /// There is none any longer.
    case removed
    /// There was none, and there is none.
    case none
  }

  /// What became of it.
  public var passphrase: Change

  /// What became of it.
  public init(passphrase: Change) { self.passphrase = passphrase }
}

/// Answer to `version`, which needs no node.
public struct VersionResult: ResultBody {
  /// The program's version.
  public var version: String
  /// The local API's version.
  public var api: Int

  /// This program.
  public init(version: String = Version.program, api: Int = Version.localAPI) {
    self.version = version
    self.api = api
  }
}
