/// Fields of `invite`.
public struct InviteRequest: RequestFields {
  /// How long a ticket lives if nothing is said.
  public static let defaultExpiresSeconds: UInt64 = 15 * 60

  /// The alias the new peer is to get; nil: its own name.
  public var alias: String?
  /// How long the ticket lives.
  public var expiresSeconds: UInt64
  /// `HOST:PORT` to put into the ticket instead of what the node finds.
  public var addresses: [String]
  /// Answer when the ticket is used or expired, not at once.
  public var wait: Bool

  /// Fields of `invite`.
  public init(
    alias: String? = nil, expiresSeconds: UInt64 = defaultExpiresSeconds, addresses: [String] = [], wait: Bool = true
  ) {
    self.alias = alias
    self.expiresSeconds = expiresSeconds
    self.addresses = addresses
    self.wait = wait
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case alias, addresses, wait
    case expiresSeconds = "expires_seconds"
  }

  /// Reads the fields; `expires_seconds`, `addresses` and `wait` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    alias = try fields.decodeIfPresent(String.self, forKey: .alias)
    expiresSeconds = try fields.decodeIfPresent(UInt64.self, forKey: .expiresSeconds) ?? Self.defaultExpiresSeconds
    addresses = try fields.decodeIfPresent([String].self, forKey: .addresses) ?? []
    wait = try fields.decodeIfPresent(Bool.self, forKey: .wait) ?? true
  }
}

/// Fields of `join`.
public struct JoinRequest: RequestFields {
  /// The ticket's text.
  public var ticket: String
  /// The alias the inviter is to get; nil: its own name.
  public var alias: String?

  /// Fields of `join`.
  public init(ticket: String, alias: String? = nil) {
    self.ticket = ticket
    self.alias = alias
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case ticket, alias }
}

/// Fields of `peer-rename`.
public struct RenameRequest: RequestFields {
  /// The alias now.
  public var old: String
  /// The alias from now on.
  public var new: String

  /// Fields of `peer-rename`.
  public init(old: String, new: String) {
    self.old = old
    self.new = new
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case old, new }
}

/// Fields of `verify`.
public struct VerifyRequest: RequestFields {
  /// Alias, or the beginning of a node id.
  public var peer: String
  /// The user has compared the numbers: mark the peer as verified.
  public var confirm: Bool

  /// Fields of `verify`.
  public init(peer: String, confirm: Bool = false) {
    self.peer = peer
    self.confirm = confirm
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case peer, confirm }

  /// Reads the fields; `confirm` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    peer = try fields.decode(String.self, forKey: .peer)
    confirm = try fields.decodeIfPresent(Bool.self, forKey: .confirm) ?? false
  }
}

/// Fields of `revoke`.
public struct RevokeRequest: RequestFields {
  /// Alias, or the beginning of a node id.
  public var peer: String

  /// Fields of `revoke`.
  public init(peer: String) { self.peer = peer }

  enum CodingKeys: String, CodingKey, CaseIterable { case peer }
}

/// Fields of `ls`.
public struct ListRequest: RequestFields {
  /// Whose artifacts; nil: our own.
  public var peer: String?

  /// Fields of `ls`.
  public init(peer: String? = nil) { self.peer = peer }

  enum CodingKeys: String, CodingKey, CaseIterable { case peer }
}
