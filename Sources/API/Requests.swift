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
  /// Whoever joins is the new machine of the peer that is called `alias`.
  public var newMachine: Bool

  /// Fields of `invite`.
  public init(
    alias: String? = nil, expiresSeconds: UInt64 = defaultExpiresSeconds, addresses: [String] = [], wait: Bool = true,
    newMachine: Bool = false
  ) {
    self.alias = alias
    self.expiresSeconds = expiresSeconds
    self.addresses = addresses
    self.wait = wait
    self.newMachine = newMachine
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case alias, addresses, wait
    case expiresSeconds = "expires_seconds"
    case newMachine = "new_machine"
  }

  /// Reads the fields; all of them may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    alias = try fields.decodeIfPresent(String.self, forKey: .alias)
    expiresSeconds = try fields.decodeIfPresent(UInt64.self, forKey: .expiresSeconds) ?? Self.defaultExpiresSeconds
    addresses = try fields.decodeIfPresent([String].self, forKey: .addresses) ?? []
    wait = try fields.decodeIfPresent(Bool.self, forKey: .wait) ?? true
    newMachine = try fields.decodeIfPresent(Bool.self, forKey: .newMachine) ?? false
  }
}

/// Fields of `join`.
public struct JoinRequest: RequestFields {
  /// The ticket's text.
  public var ticket: String
  /// The alias the inviter is to get; nil: its own name.
  public var alias: String?
  /// The inviter is the new machine of the peer that is called `alias`.
  public var newMachine: Bool

  /// Fields of `join`.
  public init(ticket: String, alias: String? = nil, newMachine: Bool = false) {
    self.ticket = ticket
    self.alias = alias
    self.newMachine = newMachine
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case ticket, alias
    case newMachine = "new_machine"
  }

  /// Reads the fields; `alias` and `new_machine` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    ticket = try fields.decode(String.self, forKey: .ticket)
    alias = try fields.decodeIfPresent(String.self, forKey: .alias)
    newMachine = try fields.decodeIfPresent(Bool.self, forKey: .newMachine) ?? false
  }
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
  /// What the user says about a changed identity.
  public enum Decision: String, Codable, Hashable, Sendable {
    /// The new one is the peer; the old one is revoked.
    case acceptNew = "accept-new"
    /// The old one stays; the new one is forgotten.
    case keepOld = "keep-old"
  }

  /// Alias, or the beginning of a node id.
  public var peer: String
  /// The user has compared the numbers: mark the peer as verified.
  public var confirm: Bool
  /// Which of two identities the peer has from now on; nil: only show.
  public var decision: Decision?

  /// Fields of `verify`.
  public init(peer: String, confirm: Bool = false, decision: Decision? = nil) {
    self.peer = peer
    self.confirm = confirm
    self.decision = decision
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case peer, confirm, decision }

  /// Reads the fields; `confirm` and `decision` may be left out.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    peer = try fields.decode(String.self, forKey: .peer)
    confirm = try fields.decodeIfPresent(Bool.self, forKey: .confirm) ?? false
    decision = try fields.decodeIfPresent(Decision.self, forKey: .decision)
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
