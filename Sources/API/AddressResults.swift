/// Answer to `peer address`.
public struct PeerAddressesResult: ResultBody {
  /// One address of a peer.
  public struct Address: Codable, Hashable, Sendable {
    /// Who named an address.
    public enum Origin: String, Codable, Hashable, Sendable {
      /// The user, with `peer address … add`. It stays until the user removes it.
      case added
      /// The user, with a ticket.
      case ticket
      /// The peer itself.
      case peer
      /// It is in use, or was stored by an older version.
      case other
    }

    /// `HOST:PORT`
    public var address: String
    /// Who named it.
    public var origin: Origin
    /// The last handshake that this node began succeeded there.
    public var reached: Bool

    /// An address.
    public init(address: String, origin: Origin, reached: Bool = false) {
      self.address = address
      self.origin = origin
      self.reached = reached
    }
  }

  /// The peer's alias.
  public var peer: String
  /// A link is up.
  public var online: Bool
  /// In the order in which they are tried.
  public var addresses: [Address]

  /// A peer's addresses.
  public init(peer: String, online: Bool, addresses: [Address]) {
    self.peer = peer
    self.online = online
    self.addresses = addresses
  }
}

/// Answer to `tickets`.
public struct TicketsResult: ResultBody {
  /// One ticket, without its secret.
  public struct Ticket: Codable, Hashable, Sendable {
    /// 16 bytes in hex; `tickets revoke` takes the beginning of it.
    public var id: String
    /// The alias that the new peer gets; nil (`null` in JSON): its own name.
    public var alias: String?
    /// When it stops working, in Unix seconds.
    public var expires: UInt64
    /// Whether a node has joined with it.
    public var used: Bool
    /// The alias of that node, or the beginning of its node id; nil (`null`): nobody has.
    public var usedBy: String?
    /// Too many bad attempts used it up.
    public var spoiled: Bool

    /// A ticket.
    public init(
      id: String, alias: String? = nil, expires: UInt64, used: Bool = false, usedBy: String? = nil, spoiled: Bool = false
    ) {
      self.id = id
      self.alias = alias
      self.expires = expires
      self.used = used
      self.usedBy = usedBy
      self.spoiled = spoiled
    }

    private enum CodingKeys: String, CodingKey {
      case id, alias, expires, used, spoiled
      case usedBy = "used_by"
    }

    /// Writes all fields; what is not known is `null`, not left out.
    public func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(id, forKey: .id)
      try fields.encode(alias, forKey: .alias)
      try fields.encode(expires, forKey: .expires)
      try fields.encode(used, forKey: .used)
      try fields.encode(usedBy, forKey: .usedBy)
      try fields.encode(spoiled, forKey: .spoiled)
    }
  }

  /// Those that have not expired, soonest to expire first.
  public var tickets: [Ticket]
  /// The id of the one that was just revoked; nil: none was to be.
  public var revoked: String?

  /// The tickets.
  public init(tickets: [Ticket], revoked: String? = nil) {
    self.tickets = tickets
    self.revoked = revoked
  }
}
