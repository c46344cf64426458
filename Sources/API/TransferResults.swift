/// One transfer, as `transfers` and `cancel` show it.
public struct Transfer: Codable, Hashable, Sendable {
  /// Which way the bytes go.
  public enum Direction: String, Codable, Hashable, Sendable {
    /// To this node.
    case incoming = "in"
    /// To a peer.
    case outgoing = "out"
  }

  /// How far a transfer is. A state of a newer node is kept as it came.
  public struct State: RawRepresentable, Codable, Hashable, Sendable {
    /// The word in the line.
    public var rawValue: String

    /// Any word.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The manifest is being asked for.
    public static let asking = State(rawValue: "asking")
    /// Bytes are on their way.
    public static let running = State(rawValue: "running")
    /// The user stopped it.
    public static let paused = State(rawValue: "paused")
    /// The peer is away, or the command that fetched it ended early.
    public static let waiting = State(rawValue: "waiting")
    /// Everything is here; files get their final names.
    public static let placing = State(rawValue: "placing")
    /// What is on the disk is being compared with the manifest.
    public static let checking = State(rawValue: "checking")
    /// It cannot go on.
    public static let failed = State(rawValue: "failed")
  }

  /// 16 bytes in hex; `cancel` takes the beginning of it.
  public var id: String
  /// Which way the bytes go.
  public var direction: Direction
  /// The artifact's name.
  public var artifact: String
  /// Its version; nil (`null` in JSON) while it is not known.
  public var version: UInt32?
  /// The other side's alias.
  public var peer: String
  /// How far it is.
  public var state: State
  /// Bytes that are there and verified, or were sent.
  public var bytes: UInt64
  /// Bytes in all; nil (`null`) while that is not known: a server does not know what the other side has already.
  public var bytesTotal: UInt64?
  /// The rate of the last seconds.
  public var bytesPerSecond: UInt64
  /// Seconds to go at this rate; nil (`null`) where there is none to tell from.
  public var etaSeconds: UInt64?
  /// Aliases of the peers that bytes come from.
  public var sources: [String]
  /// Why it does not move; nil (`null`): it does.
  public var reason: String?
  /// The folder that holds what has arrived, absolute; nil (`null`): there is none.
  public var partial: String?

  /// A transfer. `etaSeconds` follows from the numbers.
  public init(
    id: String, direction: Direction, artifact: String, version: UInt32? = nil, peer: String, state: State,
    bytes: UInt64 = 0, bytesTotal: UInt64? = nil, bytesPerSecond: UInt64 = 0, sources: [String] = [],
    reason: String? = nil, partial: String? = nil
  ) {
    self.id = id
    self.direction = direction
    self.artifact = artifact
    self.version = version
    self.peer = peer
    self.state = state
    self.bytes = bytes
    self.bytesTotal = bytesTotal
    self.bytesPerSecond = bytesPerSecond
    let left = bytesTotal.map { $0 - min($0, bytes) }
    etaSeconds = bytesPerSecond > 0 ? left.map { ($0 + bytesPerSecond - 1) / bytesPerSecond } : nil
    self.sources = sources
    self.reason = reason
    self.partial = partial
  }

  private enum CodingKeys: String, CodingKey {
    case id, direction, artifact, version, peer, state, bytes, sources, reason, partial
    case bytesTotal = "bytes_total"
    case bytesPerSecond = "bytes_per_second"
    case etaSeconds = "eta_seconds"
  }

  /// Writes all fields; what is not known is `null`, not left out.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(id, forKey: .id)
    try fields.encode(direction, forKey: .direction)
    try fields.encode(artifact, forKey: .artifact)
    try fields.encode(version, forKey: .version)
    try fields.encode(peer, forKey: .peer)
    try fields.encode(state, forKey: .state)
    try fields.encode(bytes, forKey: .bytes)
    try fields.encode(bytesTotal, forKey: .bytesTotal)
    try fields.encode(bytesPerSecond, forKey: .bytesPerSecond)
    try fields.encode(etaSeconds, forKey: .etaSeconds)
    try fields.encode(sources, forKey: .sources)
    try fields.encode(reason, forKey: .reason)
    try fields.encode(partial, forKey: .partial)
  }
}

/// Answer to `transfers`.
public struct TransfersResult: ResultBody {
  /// Incoming ones first; of each kind those that move first.
  public var transfers: [Transfer]

  /// What moves or waits.
  public init(transfers: [Transfer]) { self.transfers = transfers }
}

/// Answer to `cancel`.
public struct CancelResult: ResultBody {
  /// What was canceled, as it was before.
  public var transfer: Transfer

  /// A transfer that is gone, with what had arrived of it.
  public init(transfer: Transfer) { self.transfer = transfer }
}

/// Answer to `forget`.
public struct ForgetResult: ResultBody {
  /// One download whose record is gone.
  public struct Download: Codable, Hashable, Sendable {
    /// The artifact's name.
    public var artifact: String
    /// Its version.
    public var version: UInt32
    /// The publisher's alias, or the beginning of its node id.
    public var publisher: String
    /// Where its files were placed. Absolute.
    public var path: String

    /// A download.
    public init(artifact: String, version: UInt32, publisher: String, path: String) {
      self.artifact = artifact
      self.version = version
      self.publisher = publisher
      self.path = path
    }
  }

  /// The downloads that `check` no longer looks at; their files stay.
  public var forgotten: [Download]

  /// What was forgotten.
  public init(forgotten: [Download]) { self.forgotten = forgotten }
}

/// What was kept of a pull that ended early.
public struct KeptTransfer: Codable, Hashable, Sendable {
  /// Its id, for `cancel`.
  public var id: String
  /// The folder that holds what has arrived. Absolute.
  public var partial: String

  /// What the next `pull` of the same artifact goes on with.
  public init(id: String, partial: String) {
    self.id = id
    self.partial = partial
  }
}
