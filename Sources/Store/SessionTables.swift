internal import FoundationEssentials
internal import GRDB
internal import Primitives
public import Session

extension Database {
  /// Everything of one peer's sessions, for a restart; nil if there is no such peer.
  public func loadPeer(_ id: NodeID) throws(StoreError) -> PeerSnapshot? {
    try read { db in
      guard let peer = try PeerRow.find(db, id) else { return nil }
      let key: StatementArguments = [id.column]
      return PeerSnapshot(
        peer: peer.record,
        sessions: try db.rows("SELECT * FROM session WHERE peer = ? ORDER BY rowid", key) {
          StoredSession(id: try $0.session("id"), bytes: $0.bytes("state"))
        },
        outbox: try db.rows("SELECT * FROM outbox WHERE peer = ? ORDER BY session, sequence", key) {
          OutboxEntry(
            session: try $0.session("session"), sequence: $0.unsigned("sequence"), id: try $0.envelope("digest"),
            envelope: $0.bytes("envelope"), isOwn: $0.flag("own"))
        },
        received: try db.rows("SELECT * FROM received WHERE peer = ? ORDER BY number", key) {
          StoredReceipt(session: try $0.session("session"), envelope: try $0.envelope("digest"))
        },
        pairs: try db.rows("SELECT * FROM pair WHERE peer = ? ORDER BY rowid", key) { try StoredBlob($0) },
        replays: try db.rows("SELECT * FROM replay WHERE peer = ? ORDER BY rowid", key) {
          ReplayEntry(hash: try $0.digest("hash"), session: try $0.session("session"), expires: $0.unsigned("expires"))
        },
        state: try db.row("SELECT bytes FROM peer_state WHERE peer = ?", key) { $0.bytes("bytes") },
        held: try db.row("SELECT bytes FROM held_bundle WHERE peer = ?", key) { $0.bytes("bytes") })
    }
  }

  /// Forgets what is stored of a peer's sessions, which cannot be used: it is about to be paired anew. The peer, what it may see and the
  /// hashes of starts that were used stay.
  public func forgetSessions(of peer: NodeID) throws(StoreError) {
    try write { db in
      try SpentInitiations.keep(db, of: peer)
      for table in ["session", "outbox", "received", "pair", "replay", "peer_state", "held_bundle"] {
        try db.run("DELETE FROM \(table) WHERE peer = ?", [peer.column])
      }
    }
    keysBecameStale(now: true)
  }

  /// The node's signed prekeys.
  public func loadPrekeys() throws(StoreError) -> [StoredBlob] {
    try read { db in try db.rows("SELECT * FROM prekey ORDER BY id") { try StoredBlob($0) } }
  }

  /// Writes what several peers' sessions have become in one durable transaction: envelopes that are ready together share one
  /// commit. Returning means that their frames may go. Throws `unknownPeer` (and writes nothing) for a peer that was revoked.
  public nonisolated func apply(_ commits: [SessionCommit], prekeys: PrekeyCommit? = nil) async throws(StoreError) {
    try await together { [key] db in try SessionWriter.apply(db, commits, prekeys, key) }
  }
}

/// Turns session changes into rows.
enum SessionWriter {
  /// What a commit did to keys on the disk.
  enum Effect: Int, Comparable {
    case none, overwroteKeys, deletedKeys
    static func < (left: Effect, right: Effect) -> Bool { left.rawValue < right.rawValue }
  }

  @discardableResult
  static func apply(_ db: GRDB.Database, _ commits: [SessionCommit], _ prekeys: PrekeyCommit?, _ key: StateKey) throws -> Effect
  {
    var effect = Effect.none
    for commit in commits where !commit.isEmpty {
      let peer = commit.peer.column
      guard try db.row("SELECT 1 AS found FROM peer WHERE id = ?", [peer], { _ in true }) != nil else {
        throw StoreError.unknownPeer(commit.peer.hex)
      }
      for change in commit.changes { effect = max(effect, try apply(db, peer, change, key)) }
    }
    for (id, secret) in prekeys?.put ?? [:] {
      try db.run(
        "INSERT INTO prekey VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes",
        [id, secret.sealed(with: key).column])
    }
    for id in prekeys?.delete ?? [] {
      try db.run("DELETE FROM prekey WHERE id = ?", [id])
      effect = .deletedKeys
    }
    return effect
  }

  private static func apply(_ db: GRDB.Database, _ peer: Data, _ change: SessionChange, _ key: StateKey) throws -> Effect {
    switch change {
    case .putSession(let id, let secret):
      try db.run(
        "INSERT INTO session VALUES (?, ?, ?) ON CONFLICT (peer, id) DO UPDATE SET state = excluded.state",
        [peer, id.bytes.column, secret.sealed(with: key).column])
      return .overwroteKeys
    case .deleteSession(let id):
      try db.run("DELETE FROM session WHERE peer = ? AND id = ?", [peer, id.bytes.column])
      return .deletedKeys
    case .putOutbox(let entry):
      try db.run(
        """
        INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (peer, session, digest) DO UPDATE
        SET sequence = excluded.sequence, envelope = excluded.envelope, own = excluded.own
        """,
        [
          peer, entry.session.bytes.column, entry.id.bytes.column, entry.sequence.column, entry.envelope.column,
          entry.isOwn,
        ])
    case .deleteOutbox(let session, let envelope):
      try db.run(
        "DELETE FROM outbox WHERE peer = ? AND session = ? AND digest = ?", [peer, session.bytes.column, envelope.bytes.column])
    case .deleteOutboxes(let session):
      try db.run("DELETE FROM outbox WHERE peer = ? AND session = ?", [peer, session.bytes.column])
    case .putReceived(let session, let envelope, at: let at):
      try db.run(
        "INSERT OR IGNORE INTO received (peer, session, digest, at) VALUES (?, ?, ?, ?)",
        [peer, session.bytes.column, envelope.bytes.column, at.column])
    case .trimReceived(let session, keep: let keep):
      try db.run(
        """
        DELETE FROM received WHERE peer = ?1 AND session = ?2 AND number NOT IN
        (SELECT number FROM received WHERE peer = ?1 AND session = ?2 ORDER BY number DESC LIMIT ?3)
        """, [peer, session.bytes.column, max(0, keep)])
    case .putPair(let id, let secret):
      try db.run(
        "INSERT INTO pair VALUES (?, ?, ?) ON CONFLICT (peer, id) DO UPDATE SET bytes = excluded.bytes",
        [peer, id, secret.sealed(with: key).column])
      return .overwroteKeys
    case .deletePair(let id):
      try db.run("DELETE FROM pair WHERE peer = ? AND id = ?", [peer, id])
      return .deletedKeys
    case .putReplay(let entry):
      try db.run(
        """
        INSERT INTO replay VALUES (?, ?, ?, ?) ON CONFLICT (peer, hash) DO UPDATE
        SET session = excluded.session, expires = excluded.expires
        """, [peer, entry.hash.column, entry.session.bytes.column, entry.expires.column])
    case .deleteReplays(expiredAt: let now):
      try db.run("DELETE FROM replay WHERE peer = ? AND expires <= ?", [peer, now.column])
    case .putHeldBundle(let bytes):
      try db.run(
        "INSERT INTO held_bundle VALUES (?, ?) ON CONFLICT (peer) DO UPDATE SET bytes = excluded.bytes", [peer, bytes.column])
    case .deleteHeldBundle: try db.run("DELETE FROM held_bundle WHERE peer = ?", [peer])
    case .putState(let bytes):
      try db.run(
        "INSERT INTO peer_state VALUES (?, ?) ON CONFLICT (peer) DO UPDATE SET bytes = excluded.bytes", [peer, bytes.column])
    }
    return .none
  }
}

extension RowReader {
  func session(_ name: String) throws(StoreError) -> SessionID {
    guard let id = SessionID(bytes(name)) else { throw bad(name) }
    return id
  }

  /// The number of a prekey or a pair.
  func number(_ name: String) throws(StoreError) -> UInt32 {
    guard let id = UInt32(exactly: int64(name)) else { throw bad(name) }
    return id
  }

  fileprivate func envelope(_ name: String) throws(StoreError) -> EnvelopeID {
    guard let id = EnvelopeID(bytes(name)) else { throw bad(name) }
    return id
  }
}

extension StoredBlob {
  fileprivate init(_ row: RowReader) throws(StoreError) {
    self.init(id: try row.number("id"), bytes: row.bytes("bytes"))
  }
}
