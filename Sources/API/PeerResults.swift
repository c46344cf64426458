/// One peer, as `peers`, `status`, `join` and `invite` show it.
public struct Peer: Codable, Hashable, Sendable {
  /// What we call it.
  public var alias: String
  /// What it calls itself; as it came.
  public var name: String
  /// Its node id, in hex.
  public var node: String
  /// Its node id, short and grouped for people.
  public var fingerprint: String
  /// The user has compared the safety number.
  public var verified: Bool
  /// Its identity changed, or the user blocked it: nothing is exchanged.
  public var blocked: Bool
  /// `pinned`: the identity that we paired with. `changed`: another node claims to be this peer, and the user has to decide
  /// (`verify`). Nil from an older node.
  public var identity: String?
  /// There is a link now.
  public var online: Bool
  /// The address of the link, or the last one known.
  public var address: String?
  /// When it was last heard of, in Unix seconds; nil: never since pairing.
  public var lastSeen: UInt64?
  /// When we were paired, in Unix seconds.
  public var paired: UInt64
  /// The session's health: `none`, `starting`, `established`, `quarantined`; `damaged`: what is stored of it cannot be read, and nothing is
  /// exchanged until the two pair again.
  public var session: String
  /// What went wrong lately between the two, oldest first: all that has not healed, and for seven days what has.
  public var troubles: [Trouble]
  /// Messages to it that were lost with their session in the last seven days; nil: none, or an older node.
  public var undelivered: Undelivered?

  /// A peer.
  public init(
    alias: String, name: String, node: String, fingerprint: String, verified: Bool, blocked: Bool = false,
    identity: String = "pinned", online: Bool, address: String? = nil, lastSeen: UInt64? = nil, paired: UInt64, session: String,
    troubles: [Trouble] = [], undelivered: Undelivered? = nil
  ) {
    self.alias = alias
    self.name = name
    self.node = node
    self.fingerprint = fingerprint
    self.verified = verified
    self.blocked = blocked
    self.identity = identity
    self.online = online
    self.address = address
    self.lastSeen = lastSeen
    self.paired = paired
    self.session = session
    self.troubles = troubles
    self.undelivered = undelivered
  }

  private enum CodingKeys: String, CodingKey {
    case alias, name, node, fingerprint, verified, blocked, identity, online, address, paired, session, troubles, undelivered
    case lastSeen = "last_seen"
  }
}

/// Something that went wrong between us and a peer, and repairs itself.
public struct Trouble: Codable, Hashable, Sendable {
  /// What it was. A kind of a newer node is kept as it came.
  public struct Kind: RawRepresentable, Codable, Hashable, Sendable {
    /// The word in the line.
    public var rawValue: String

    /// Any word.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Our state was older than what the peer had seen.
    public static let rollback = Kind(rawValue: "rollback")
    /// The peer's state was older than what we had seen.
    public static let peerRollback = Kind(rawValue: "peer_rollback")
    /// A session could not be continued here.
    public static let lost = Kind(rawValue: "lost")
    /// The peer could not continue a session.
    public static let reset = Kind(rawValue: "reset")
    /// A session was started without a one-time prekey.
    public static let fallback = Kind(rawValue: "fallback")
  }

  /// What it was.
  public var kind: Kind
  /// When it was noticed, in Unix seconds.
  public var at: UInt64
  /// When a working session was there again, in Unix seconds; nil: not yet.
  public var healedAt: UInt64?

  /// A trouble.
  public init(kind: Kind, at: UInt64, healedAt: UInt64? = nil) {
    self.kind = kind
    self.at = at
    self.healedAt = healedAt
  }

  private enum CodingKeys: String, CodingKey {
    case kind, at
    case healedAt = "healed_at"
  }
}

/// Messages that could not be delivered: both sides lost what their session needed.
public struct Undelivered: Codable, Hashable, Sendable {
  /// How many messages.
  public var count: Int
  /// When the last of them was lost, in Unix seconds.
  public var at: UInt64

  /// Messages that nobody will receive any more.
  public init(count: Int, at: UInt64) {
    self.count = count
    self.at = at
  }
}

/// Answer to `peers`.
public struct PeersResult: ResultBody {
  /// By alias.
  public var peers: [Peer]

  /// Everyone we are paired with.
  public init(peers: [Peer]) { self.peers = peers }
}

/// A ticket that was made: `invite`'s event, and with `wait` false its result.
public struct TicketResult: ResultBody {
  /// The ticket's text, one line.
  public var ticket: String
  /// When it stops working, in Unix seconds.
  public var expires: UInt64
  /// The `HOST:PORT` in it.
  public var addresses: [String]
  /// The alias the new peer will get, if one was asked for.
  public var alias: String?
  /// Its id without its secret, for `tickets revoke`; nil from an older node.
  public var id: String?

  /// A ticket.
  public init(ticket: String, expires: UInt64, addresses: [String], alias: String? = nil, id: String? = nil) {
    self.ticket = ticket
    self.id = id
    self.expires = expires
    self.addresses = addresses
    self.alias = alias
  }
}

/// Answer to `join`, and to an `invite` whose ticket was used.
public struct PairingResult: ResultBody {
  /// The new peer.
  public var peer: Peer
  /// 60 digits that both sides must see alike.
  public var safetyNumber: String
  /// We were paired already; nothing changed.
  public var alreadyPaired: Bool
  /// The other side's user has to decide first: it takes us for a node that it knew under other keys. Nil: no.
  public var waits: Bool?

  /// A new peer.
  public init(peer: Peer, safetyNumber: String, alreadyPaired: Bool = false, waits: Bool? = nil) {
    self.peer = peer
    self.safetyNumber = safetyNumber
    self.alreadyPaired = alreadyPaired
    self.waits = waits
  }

  private enum CodingKeys: String, CodingKey {
    case peer, waits
    case safetyNumber = "safety_number"
    case alreadyPaired = "already_paired"
  }
}

/// Answer to `invite`.
public enum InviteResult: ResultBody {
  /// `wait` was false: here is the ticket.
  case ticket(TicketResult)
  /// The ticket was used.
  case paired(PairingResult)

  /// Reads either.
  public init(from decoder: any Decoder) throws {
    if let ticket = try? TicketResult(from: decoder) {
      self = .ticket(ticket)
    } else {
      self = .paired(try PairingResult(from: decoder))
    }
  }

  /// Writes the fields of either.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .ticket(let ticket): try ticket.encode(to: encoder)
    case .paired(let pairing): try pairing.encode(to: encoder)
    }
  }
}

/// Answer to `peer rename`.
public struct RenameResult: ResultBody {
  /// The alias before.
  public var old: String
  /// The peer, as it is now.
  public var peer: Peer

  /// A new alias.
  public init(old: String, peer: Peer) {
    self.old = old
    self.peer = peer
  }
}

/// Answer to `revoke`.
public struct RevokeResult: ResultBody {
  /// The alias that is free now.
  public var alias: String
  /// The node id that we no longer know, in hex.
  public var node: String
  /// Transfers with that peer that were ended.
  public var transfersEnded: Int

  /// A peer that is forgotten.
  public init(alias: String, node: String, transfersEnded: Int = 0) {
    self.alias = alias
    self.node = node
    self.transfersEnded = transfersEnded
  }

  private enum CodingKeys: String, CodingKey {
    case alias, node
    case transfersEnded = "transfers_ended"
  }
}
