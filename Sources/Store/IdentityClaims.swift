internal import FoundationEssentials
internal import GRDB
public import Session

/// Why a newcomer is taken for a peer whose identity changed.
public enum ClaimReason: String, Hashable, Sendable {
  /// Its record has a key in common with the peer's.
  case sharedKey = "shared_key"
  /// It has the peer's name, and a place where the peer was reached.
  case nameAndPlace = "name_and_place"
  /// The user said so: the ticket was made, or used, for the peer's new machine.
  case announced
}

/// A genuine introduction of a node that is not known, and seems to be a peer under new keys: a question to the user.
public struct IdentityClaim: Hashable, Sendable {
  /// The peer as we know it.
  public let peer: NodeID
  /// The node that came; `added` is when.
  public let newcomer: NewPeer
  /// Why it is taken for the peer.
  public let reason: ClaimReason
  /// With what a session with it can be started; nil: it will start one.
  public let bundle: [UInt8]?

  /// A question about a peer.
  public init(peer: NodeID, newcomer: NewPeer, reason: ClaimReason, bundle: [UInt8]? = nil) {
    self.peer = peer
    self.newcomer = newcomer
    self.reason = reason
    self.bundle = bundle
  }
}

/// What became of a claim.
public enum ClaimOutcome: Hashable, Sendable {
  /// The question is open, and the peer is blocked.
  case open(IdentityClaim)
  /// A question about another newcomer is open already, and stays the one that the user was asked.
  case occupied
}

extension Database {
  /// All open questions.
  public func claims() throws(StoreError) -> [IdentityClaim] {
    try read { db in try db.rows("SELECT * FROM claim") { try IdentityClaim($0) } }
  }

  /// Opens a question about a peer, and blocks the peer until it is decided: one transaction. Throws `unknownPeer`.
  public func open(_ claim: IdentityClaim) throws(StoreError) -> ClaimOutcome {
    try write { db in try claim.open(db) }
  }

  /// The newcomer takes the peer's place: it gets the alias and what the peer may see, and nothing else of it; the peer is revoked.
  /// One transaction, with the first state of its session. Nil if there is no open question.
  public func acceptClaim(
    on id: NodeID, commits: [SessionCommit] = [], now: UInt64
  ) throws(StoreError) -> (row: PeerRow, revoked: Revoked)? {
    let accepted: (row: PeerRow, revoked: Revoked)? = try write { db in
      guard let claim = try IdentityClaim.find(db, on: id) else { return nil }
      let versions = try db.rows("SELECT name, version FROM audience WHERE peer = ?", [id.column]) {
        VersionPosition(name: $0.text("name"), version: try $0.version("version"))
      }
      // First the question: the ticket stays the newcomer's, whose answer may have been lost.
      try db.run("DELETE FROM claim WHERE peer = ?", [id.column])
      guard let revoked = try PeerRow.revoke(db, id) else { return nil }
      let came = claim.newcomer
      let newcomer = NewPeer(id: came.id, record: came.record, name: came.name, addresses: came.addresses, added: now)
      let row = try PeerRow.insert(db, newcomer, .given(revoked.peer.alias))
      for each in versions { try db.run("INSERT INTO audience VALUES (?, ?, ?)", [row.id.column, each.name, each.version]) }
      try SessionWriter.apply(db, commits, nil, key)
      return (row, revoked)
    }
    if accepted != nil { keysBecameStale(now: true) }
    return accepted
  }

  /// The newcomer is forgotten, with the ticket it used, and the peer is as it was. One transaction. Nil if there is no open question.
  public func dropClaim(on id: NodeID) throws(StoreError) -> PeerRow? {
    let row: PeerRow? = try write { db in
      guard let claim = try IdentityClaim.find(db, on: id) else { return nil }
      try db.run("DELETE FROM ticket WHERE used_by = ?", [claim.newcomer.id.column])
      try db.run("DELETE FROM claim WHERE peer = ?", [id.column])
      try db.run("UPDATE peer SET blocked = 0 WHERE id = ?", [id.column])
      return try PeerRow.known(db, id)
    }
    if row != nil { keysBecameStale(now: true) }
    return row
  }
}

extension IdentityClaim {
  init(_ row: RowReader) throws {
    guard let reason = ClaimReason(rawValue: row.text("reason")) else { throw row.bad("reason") }
    self.init(
      peer: try row.node("peer"),
      newcomer: NewPeer(
        id: try row.node("id"), record: row.bytes("record"), name: row.text("name"),
        addresses: try JSONDecoder().decode([String].self, from: Data(row.text("addresses").utf8)), added: row.unsigned("came")),
      reason: reason, bundle: row.optionalBytes("bundle"))
  }

  static func find(_ db: GRDB.Database, on peer: NodeID) throws -> IdentityClaim? {
    try db.row("SELECT * FROM claim WHERE peer = ?", [peer.column]) { try IdentityClaim($0) }
  }

  static func find(_ db: GRDB.Database, of newcomer: NodeID) throws -> IdentityClaim? {
    try db.row("SELECT * FROM claim WHERE id = ?", [newcomer.column]) { try IdentityClaim($0) }
  }

  /// Opens the question, or renews what its newcomer says of itself. The first newcomer keeps it: what the user looks at is not exchanged.
  /// A newcomer about whom a question is open stays in that one.
  func open(_ db: GRDB.Database) throws -> ClaimOutcome {
    let peer = try Self.find(db, of: newcomer.id)?.peer ?? peer
    guard try PeerRow.find(db, peer) != nil else { throw StoreError.unknownPeer(peer.hex) }
    if let other = try Self.find(db, on: peer), other.newcomer.id != newcomer.id { return .occupied }
    try db.run(
      """
      INSERT INTO claim (peer, id, record, name, addresses, reason, bundle, came) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (peer) DO UPDATE SET name = excluded.name, addresses = excluded.addresses, bundle = excluded.bundle
      """,
      [
        peer.column, newcomer.id.column, newcomer.record.column, newcomer.name, try PeerRow.encode(newcomer.addresses),
        reason.rawValue, bundle?.column, newcomer.added.column,
      ])
    try db.run("UPDATE peer SET blocked = 1 WHERE id = ?", [peer.column])
    return .open(try Self.find(db, on: peer) ?? self)
  }
}
