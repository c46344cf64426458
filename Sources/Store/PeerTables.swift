internal import FoundationEssentials
internal import GRDB
public import Session

extension Database {
  /// A setting that the program keeps for itself, like the port it got.
  public func setting(_ key: String) throws(StoreError) -> String? {
    try read { db in try db.row("SELECT value FROM setting WHERE key = ?", [key]) { $0.text("value") } }
  }

  /// Sets or removes a setting.
  public func set(_ key: String, _ value: String?) throws(StoreError) {
    try write { db in
      if let value {
        try db.run("INSERT INTO setting VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value])
      } else {
        try db.run("DELETE FROM setting WHERE key = ?", [key])
      }
    }
  }

  /// All peers, by alias.
  public func peers() throws(StoreError) -> [PeerRow] {
    try read { db in try db.rows("SELECT * FROM peer ORDER BY alias") { try PeerRow($0) } }
  }

  /// The peer with a node id.
  public func peer(_ id: NodeID) throws(StoreError) -> PeerRow? {
    try read { db in try PeerRow.find(db, id) }
  }

  /// The peer with an alias.
  public func peer(alias: String) throws(StoreError) -> PeerRow? {
    try read { db in try PeerRow.find(db, alias: alias) }
  }

  /// Gives a peer another alias. Throws `unknownPeer`, `aliasTaken`.
  public func rename(_ old: String, to new: String) throws(StoreError) -> PeerRow {
    try write { db in
      guard let peer = try PeerRow.find(db, alias: old) else { throw StoreError.unknownPeer(old) }
      if old != new, try PeerRow.find(db, alias: new) != nil { throw StoreError.aliasTaken(new) }
      try db.run("UPDATE peer SET alias = ? WHERE id = ?", [new, peer.id.column])
      return try PeerRow.known(db, peer.id)
    }
  }

  /// Records that the user compared safety numbers, or takes it back. Throws `unknownPeer`.
  public nonisolated func setVerified(_ id: NodeID, _ verified: Bool) async throws(StoreError) {
    try await update("UPDATE peer SET verified = ? WHERE id = ?", [verified, id.column], id)
  }

  /// Blocks or unblocks. Throws `unknownPeer`.
  public nonisolated func setBlocked(_ id: NodeID, _ blocked: Bool) async throws(StoreError) {
    try await update("UPDATE peer SET blocked = ? WHERE id = ?", [blocked, id.column], id)
  }

  /// Records a link. Throws `unknownPeer`.
  public nonisolated func touch(_ id: NodeID, lastSeen: UInt64) async throws(StoreError) {
    try await update("UPDATE peer SET last_seen = ? WHERE id = ?", [lastSeen.column, id.column], id)
  }

  /// Records what a peer says of itself; its alias stays. Throws `unknownPeer`.
  public nonisolated func setCard(_ id: NodeID, name: String, addresses: [String]) async throws(StoreError) {
    try await update(
      "UPDATE peer SET name = ?, addresses = ? WHERE id = ?", [name, try PeerRow.encode(addresses), id.column], id)
  }

  /// Records where a handshake that we began has succeeded; nil forgets it. Throws `unknownPeer`.
  public nonisolated func setReached(_ id: NodeID, _ address: String?) async throws(StoreError) {
    try await update("UPDATE peer SET reached = ? WHERE id = ?", [address, id.column], id)
  }

  private nonisolated func update(
    _ sql: String, _ arguments: StatementArguments, _ id: NodeID
  ) async throws(StoreError) {
    try await together { db in
      try db.run(sql, arguments)
      guard db.changesCount == 1 else { throw StoreError.unknownPeer(id.hex) }
      return .none
    }
  }

  /// The joiner's side of pairing, and pairing again: the peer and the first state of its session, or nothing.
  /// A peer that is known keeps its alias, unless one is given. Throws `aliasTaken`.
  public func addPeer(
    _ peer: NewPeer, alias: AliasWish, commits: [SessionCommit] = [], prekeys: PrekeyCommit? = nil
  ) throws(StoreError) -> PeerRow {
    try write { db in
      let row = try PeerRow.insert(db, peer, alias)
      try SessionWriter.apply(db, commits, prekeys, key)
      return row
    }
  }

  /// Forgets a peer: sessions, keys, outbox, tickets it used, what it may see, what it told us, its transfers. One transaction, then the
  /// log is cut. Records of files that were delivered stay, without the peer: the files are the user's. Nil if there is no such peer.
  public func revoke(_ id: NodeID) throws(StoreError) -> Revoked? {
    let revoked = try write { db in try PeerRow.revoke(db, id) }
    if revoked != nil { keysBecameStale(now: true) }
    return revoked
  }
}

extension PeerRow {
  init(_ row: RowReader) throws {
    id = try row.node("id")
    alias = row.text("alias")
    record = row.bytes("record")
    name = row.text("name")
    // What does not read is no reason to know no peer any more: the peer says again where it is.
    addresses = (try? JSONDecoder().decode([String].self, from: Data(row.text("addresses").utf8))) ?? []
    verified = row.flag("verified")
    blocked = row.flag("blocked")
    added = row.unsigned("added")
    lastSeen = row.optionalUnsigned("last_seen")
    reached = row.optionalText("reached")
  }

  static func encode(_ addresses: [String]) throws(StoreError) -> String {
    guard let json = try? JSONEncoder().encode(addresses) else {
      throw StoreError(.badRecord, detail: "addresses that are no text")
    }
    return String(decoding: json, as: UTF8.self)
  }

  static func find(_ db: GRDB.Database, _ id: NodeID) throws -> PeerRow? {
    try db.row("SELECT * FROM peer WHERE id = ?", [id.column]) { try PeerRow($0) }
  }

  static func find(_ db: GRDB.Database, alias: String) throws -> PeerRow? {
    try db.row("SELECT * FROM peer WHERE alias = ?", [alias]) { try PeerRow($0) }
  }

  static func known(_ db: GRDB.Database, _ id: NodeID) throws -> PeerRow {
    guard let row = try find(db, id) else { throw StoreError.unknownPeer(id.hex) }
    return row
  }

  /// Deletes a peer and all that hangs on it, an open question about it and its newcomer included.
  static func revoke(_ db: GRDB.Database, _ id: NodeID) throws -> Revoked? {
    guard let peer = try find(db, id) else { return nil }
    let transfers = try db.rows("SELECT * FROM transfer WHERE peer = ?", [id.column]) { try TransferRow($0) }
    try db.run("DELETE FROM ticket WHERE used_by = ?1 OR used_by = (SELECT id FROM claim WHERE peer = ?1)", [id.column])
    try db.run("DELETE FROM seen_version WHERE publisher = ?", [id.column])
    try db.run("DELETE FROM known_manifest WHERE publisher = ?", [id.column])
    try SpentInitiations.keep(db, of: id)
    try OrphanedPartial.keep(db, of: id)
    try db.run("DELETE FROM peer WHERE id = ?", [id.column])
    return Revoked(peer: peer, transfers: transfers)
  }

  /// Inserts a peer, or renews one that is known: its record is the same (the id is its hash), its alias stays its own.
  static func insert(_ db: GRDB.Database, _ peer: NewPeer, _ wish: AliasWish) throws -> PeerRow {
    let known = try find(db, peer.id)
    let alias: String
    switch wish {
    case .given(let given):
      if let other = try find(db, alias: given), other.id != peer.id { throw StoreError.aliasTaken(given) }
      alias = given
    case .wanted(let wanted):
      alias = try known?.alias ?? freeAlias(db, wanted)
    }
    try db.run(
      """
      INSERT INTO peer (id, alias, record, name, addresses, added) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET alias = excluded.alias, record = excluded.record, name = excluded.name, addresses = excluded.addresses
      """,
      [peer.id.column, alias, peer.record.column, peer.name, try encode(peer.addresses), peer.added.column])
    return try self.known(db, peer.id)
  }

  private static func freeAlias(_ db: GRDB.Database, _ wanted: String) throws -> String {
    var alias = wanted
    var number = 2
    // The word that means every peer in an audience is nobody's alias: a peer could choose it as its name.
    while try alias == "all" || find(db, alias: alias) != nil {
      let suffix = "-\(number)"
      alias = wanted.prefix(64 - suffix.count) + suffix
      number += 1
    }
    return alias
  }
}

extension StoreError {
  static func unknownPeer(_ who: String) -> StoreError { StoreError(.unknownPeer, who, detail: "no such peer") }
  static func aliasTaken(_ alias: String) -> StoreError {
    StoreError(.aliasTaken, alias, detail: "another peer has this alias")
  }
}
