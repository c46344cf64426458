/// Fields of `cancel`.
public struct CancelRequest: RequestFields {
  /// A transfer's id, or the beginning of one that no other begins with.
  public var id: String

  /// Fields of `cancel`.
  public init(id: String) { self.id = id }

  enum CodingKeys: String, CodingKey, CaseIterable { case id }
}

/// Fields of `forget`.
public struct ForgetRequest: RequestFields {
  /// `[PEER/]NAME[@vN]`; PEER is the publisher.
  public var artifact: String

  /// Only the copy at this path, absolute: what it was placed as, or the folder it was pulled to; nil: every copy.
  public var path: String?

  /// Fields of `forget`.
  public init(artifact: String, path: String? = nil) {
    self.artifact = artifact
    self.path = path
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case artifact, path }
}

/// Fields of `peer-address`.
public struct PeerAddressRequest: RequestFields {
  /// Alias, or the first eight or more digits of a node id.
  public var peer: String
  /// `HOST:PORT` at which the peer is to be dialed from now on.
  public var add: String?
  /// `HOST:PORT` that is to be dialed no longer.
  public var remove: String?

  /// Fields of `peer-address`. Without a change the addresses are listed.
  public init(peer: String, add: String? = nil, remove: String? = nil) {
    self.peer = peer
    self.add = add
    self.remove = remove
  }

  enum CodingKeys: String, CodingKey, CaseIterable { case peer, add, remove }
}

/// Fields of `tickets`.
public struct TicketsRequest: RequestFields {
  /// The id of a ticket to revoke, or the beginning of one; nil: only list.
  public var revoke: String?

  /// Fields of `tickets`.
  public init(revoke: String? = nil) { self.revoke = revoke }

  enum CodingKeys: String, CodingKey, CaseIterable { case revoke }
}
