internal import FoundationEssentials
internal import GRDB
internal import Primitives
public import Session

extension Database {
  /// Keeps a ticket that is about to be given out; those that ended a day ago go. Throws `tooManyTickets`, and
  /// `aliasTaken` if it names an alias that a peer has.
  public func addTicket(_ ticket: TicketRow, now: UInt64) throws(StoreError) {
    let key = key
    let expired = try write { db in
      let expired = try Self.deleteExpired(db, now)
      if let alias = ticket.alias, let owner = try PeerRow.find(db, alias: alias), owner.id != ticket.replaces {
        throw StoreError.aliasTaken(alias)
      }
      let alive =
        try Int.fetchOne(
          db, sql: "SELECT count(*) FROM ticket WHERE used_by IS NULL AND NOT withdrawn AND expires > ?",
          arguments: [now.column]) ?? 0
      guard alive < TicketRow.maximumAlive else {
        throw StoreError(.tooManyTickets, detail: "\(TicketRow.maximumAlive) tickets are alive already")
      }
      try db.run(
        "INSERT INTO ticket (id, bytes, expires, alias, replaces) VALUES (?, ?, ?, ?, ?)",
        [ticket.id.column, ticket.sealed(key).column, ticket.expires.column, ticket.alias, ticket.replaces?.column])
      return expired
    }
    if expired > 0 { keysBecameStale(now: true) }
  }

  /// The ticket with an id, in whatever state.
  public func ticket(_ id: [UInt8]) throws(StoreError) -> TicketRow? {
    let key = key
    return try read { db in try TicketRow.find(db, id, key) }
  }

  /// The tickets that have not expired, used and withdrawn ones too, soonest to expire first.
  public func tickets(now: UInt64) throws(StoreError) -> [TicketRow] {
    let key = key
    return try read { db in
      try db.rows("SELECT * FROM ticket WHERE expires > ? ORDER BY expires", [now.column]) { try TicketRow($0, key) }
    }
  }

  /// Takes a ticket back unless it is used.
  public func withdrawTicket(_ id: [UInt8]) throws(StoreError) {
    try write { db in try db.run("UPDATE ticket SET withdrawn = 1 WHERE id = ? AND used_by IS NULL", [id.column]) }
  }

  /// Counts a joiner that proved the secret and then sent an invalid record or bundle; the ticket as it is then. One that is spoilt
  /// is not written again.
  public func countSpoilt(_ id: [UInt8]) throws(StoreError) -> TicketRow? {
    let key = key
    return try write { db in
      try db.run("UPDATE ticket SET spoilt = spoilt + 1 WHERE id = ? AND spoilt < ?", [id.column, TicketRow.spoiltAt])
      return try TicketRow.find(db, id, key)
    }
  }

  /// Deletes the tickets that ended a day ago, with their secrets. Until then who comes late is told that a ticket has expired.
  public func deleteExpiredTickets(now: UInt64) throws(StoreError) {
    if try write({ db in try Self.deleteExpired(db, now) }) > 0 { keysBecameStale(now: true) }
  }

  /// The inviter's side of pairing: {peer, ticket used by this joiner, first state of its session} in one transaction, or a refusal
  /// that changes nothing. Only then may the inviter answer. If the ticket names an alias that was taken since, `-2` is added.
  ///
  /// - Parameter likeness: the peer that the joiner seems to be under new keys. Then {question, ticket used} are the transaction, and
  ///   so they are with a ticket that was made for a peer's new machine.
  public func completePairing(
    ticket id: [UInt8], peer: NewPeer, likeness: (peer: NodeID, reason: ClaimReason)? = nil, commits: [SessionCommit] = [],
    prekeys: PrekeyCommit? = nil, now: UInt64
  ) throws(StoreError) -> PairingOutcome {
    let key = key
    return try write { db in
      guard let ticket = try TicketRow.find(db, id, key) else { return .unknown }
      guard ticket.expires > now else { return .expired }
      guard !ticket.isSpoilt else { return .spoilt }
      switch ticket.state {
      case .withdrawn: return .withdrawn
      case .usedBy(let joiner) where joiner != peer.id: return .used
      case .usedBy, .open: break
      }
      let isKnown = try PeerRow.find(db, peer.id) != nil
      if !isKnown, let claim = try Self.claim(db, of: peer, likeness: likeness, ticket: ticket) {
        guard case .open(let claim) = try claim.open(db) else { return .occupied(claim.peer) }
        try db.run("UPDATE ticket SET used_by = ? WHERE id = ?", [peer.id.column, id.column])
        return .claimed(claim)
      }
      guard ticket.state == .open else {
        let row = try PeerRow.insert(db, peer, .wanted(peer.name))
        try SessionWriter.apply(db, commits, prekeys, key)
        return .repeated(row)
      }
      let alias = ticket.alias ?? (peer.name.isEmpty ? "peer" : peer.name)
      let isFree = try ticket.alias != nil && PeerRow.find(db, alias: alias) == nil
      let row = try PeerRow.insert(db, peer, isFree ? .given(alias) : .wanted(alias))
      try db.run("UPDATE ticket SET used_by = ? WHERE id = ?", [peer.id.column, id.column])
      try SessionWriter.apply(db, commits, prekeys, key)
      return .paired(row)
    }
  }

  private static func claim(
    _ db: GRDB.Database, of newcomer: NewPeer, likeness: (peer: NodeID, reason: ClaimReason)?, ticket: TicketRow
  ) throws -> IdentityClaim? {
    if let peer = ticket.replaces, try PeerRow.find(db, peer) != nil {
      return IdentityClaim(peer: peer, newcomer: newcomer, reason: .announced)
    }
    if let likeness { return IdentityClaim(peer: likeness.peer, newcomer: newcomer, reason: likeness.reason) }
    return try IdentityClaim.find(db, of: newcomer.id)
  }

  private static func deleteExpired(_ db: GRDB.Database, _ now: UInt64) throws -> Int {
    try db.run("DELETE FROM ticket WHERE expires <= ?", [(now - min(now, Ticket.rememberedSeconds)).column])
    return db.changesCount
  }
}

extension TicketRow {
  /// Binds a ticket's bytes to its row.
  static func context(_ id: [UInt8]) -> [UInt8] { Array("pawl/1 state ticket".utf8) + id }

  func sealed(_ key: StateKey) -> [UInt8] { key.seal(bytes.span, context: Self.context(id)) }

  init(_ row: RowReader, _ key: StateKey) throws {
    let id = row.bytes("id")
    guard let bytes = try? key.open(row.bytes("bytes"), context: Self.context(id)) else { throw row.bad("bytes") }
    let usedBy = try row.optionalNode("used_by")
    self.init(
      id: id, bytes: [UInt8](copying: bytes.span), expires: row.unsigned("expires"), alias: row.optionalText("alias"),
      replaces: try row.optionalNode("replaces"),
      state: usedBy.map { .usedBy($0) } ?? (row.flag("withdrawn") ? .withdrawn : .open), spoiltCount: row.int("spoilt"))
  }

  static func find(_ db: GRDB.Database, _ id: [UInt8], _ key: StateKey) throws -> TicketRow? {
    try db.row("SELECT * FROM ticket WHERE id = ?", [id.column]) { try TicketRow($0, key) }
  }
}
