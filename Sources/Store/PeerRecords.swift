public import Session

/// A peer as it is stored.
public struct PeerRow: Hashable, Sendable {
  /// Its node id.
  public let id: NodeID
  /// What the user calls it: unique.
  public let alias: String
  /// Its identity record's bytes.
  public let record: [UInt8]
  /// What it calls itself.
  public let name: String
  /// Where it can be reached, `host:port`.
  public let addresses: [String]
  /// The user compared safety numbers.
  public let verified: Bool
  /// It may neither see nor pull anything, and no link to it is kept.
  public let blocked: Bool
  /// When it was paired, Unix seconds.
  public let added: UInt64
  /// When a link to it last stood, Unix seconds.
  public let lastSeen: UInt64?
  /// Where the last handshake succeeded that we began, `host:port`; nil: none yet.
  public let reached: String?
}

/// A peer that was just paired with.
public struct NewPeer: Hashable, Sendable {
  /// Its node id.
  public let id: NodeID
  /// Its identity record's bytes.
  public let record: [UInt8]
  /// What it calls itself.
  public let name: String
  /// Where it can be reached, `host:port`.
  public let addresses: [String]
  /// Now, Unix seconds.
  public let added: UInt64

  /// A new peer.
  public init(id: NodeID, record: [UInt8], name: String, addresses: [String], added: UInt64) {
    self.id = id
    self.record = record
    self.name = name
    self.addresses = addresses
    self.added = added
  }
}

/// How a peer gets its alias.
public enum AliasWish: Hashable, Sendable {
  /// The user said it: taken is an error.
  case given(String)
  /// The peer's own name: taken becomes `name-2`, `name-3`, …
  case wanted(String)
}

/// What a revocation took away.
public struct Revoked: Sendable {
  /// The peer as it was.
  public let peer: PeerRow
  /// Its transfers: their partial folders are still on the disk, and are the caller's to discard
  /// (``Database/orphanedPartials()``).
  public let transfers: [TransferRow]
}

/// What became of a ticket.
public enum TicketState: Hashable, Sendable {
  /// Nobody joined with it.
  case open
  /// This node joined; it may repeat, nobody else may.
  case usedBy(NodeID)
  /// The user took it back.
  case withdrawn
}

/// A ticket that we gave out.
public struct TicketRow: Hashable, Sendable {
  /// Completed handshakes with a bad introduction after which a ticket is spoilt.
  public static let spoiltAt = 3
  /// Tickets alive at once: more than anybody hands out in a quarter of an hour, few enough to try each.
  public static let maximumAlive = 32

  /// Its 16-byte id.
  public let id: [UInt8]
  /// The ticket's bytes. They hold its secret.
  public let bytes: [UInt8]
  /// Unix seconds.
  public let expires: UInt64
  /// The alias that the inviter chose for the joiner.
  public let alias: String?
  /// The peer whose new machine it was made for.
  public let replaces: NodeID?
  /// What became of it.
  public let state: TicketState
  /// How many joiners proved the secret and then sent nonsense.
  public let spoiltCount: Int

  /// A ticket, new unless said otherwise.
  public init(
    id: [UInt8], bytes: [UInt8], expires: UInt64, alias: String?, replaces: NodeID? = nil, state: TicketState = .open,
    spoiltCount: Int = 0
  ) {
    self.id = id
    self.bytes = bytes
    self.expires = expires
    self.alias = alias
    self.replaces = replaces
    self.state = state
    self.spoiltCount = spoiltCount
  }

  /// Whether too many bad joins used it up.
  public var isSpoilt: Bool { spoiltCount >= Self.spoiltAt }

  /// The reason to refuse any joiner with this ticket; nil if its introduction must be judged.
  ///
  /// - Parameter joiner: the node that it claims to be; nil: none that its key fits.
  public func refusal(of joiner: NodeID?, at now: UInt64) -> PairRefusal? {
    if expires <= now { return .expired }
    if isSpoilt { return .spoilt }
    if case .usedBy(let owner) = state, owner != joiner { return .used }
    return nil
  }
}

extension TicketRow: CustomStringConvertible {
  /// Without the secret.
  public var description: String { "ticket expiring \(expires), \(state)" }
}

/// What became of an attempt to join.
public enum PairingOutcome: Hashable, Sendable {
  /// The peer is in, and the ticket is its own.
  case paired(PeerRow)
  /// The same joiner again: its answer was lost. Nothing was changed but what the commits say.
  case repeated(PeerRow)
  /// The ticket is the newcomer's, and the user is asked whether it is a peer whose identity changed.
  case claimed(IdentityClaim)
  /// The user is asked about this peer already, and another newcomer. Nothing was changed.
  case occupied(NodeID)
  /// Somebody else used it.
  case used
  /// Too late.
  case expired
  /// Too many bad joins.
  case spoilt
  /// The user took it back.
  case withdrawn
  /// No such ticket.
  case unknown
}
