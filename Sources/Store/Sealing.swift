internal import FoundationEssentials
internal import GRDB
internal import Primitives
internal import Session

/// Which columns hold secrets, and bringing all of them under one key.
///
/// Sealed are sessions, one-time pairs, signed prekeys and tickets. Everything else says who the peers are and what is shared, and opens
/// nothing: `outbox` holds envelopes as they go over the wire, whose keys are gone; `peer_state` names of sessions and times; `received` and
/// `replay` hashes of what was on the wire; `held_bundle` and `claim` other nodes' public keys; `transfer` paths and options (grants are never stored).
enum Sealing {
  /// A column that holds a secret.
  private struct Column: Sendable {
    let table: String
    let name: String
    /// A value that does not open is trouble with one peer, who alone is kept out (`Node.load`), and not with the whole state.
    let isOfOnePeer: Bool
    /// Seals a row's value anew. No old key: it was not sealed.
    let reseal: @Sendable (RowReader, StateKey?, StateKey) throws -> [UInt8]

    init(
      _ table: String, _ name: String, isOfOnePeer: Bool = false,
      _ reseal: @escaping @Sendable (RowReader, StateKey?, StateKey) throws -> [UInt8]
    ) {
      (self.table, self.name, self.isOfOnePeer, self.reseal) = (table, name, isOfOnePeer, reseal)
    }
  }

  private static let columns = [
    Column("session", "state", isOfOnePeer: true) { row, old, new in
      try SecretPlace.session(try row.session("id"), of: try row.node("peer")).reseal(row.bytes("state"), from: old, to: new)
    },
    Column("pair", "bytes", isOfOnePeer: true) { row, old, new in
      try SecretPlace.pair(try row.number("id"), of: try row.node("peer")).reseal(row.bytes("bytes"), from: old, to: new)
    },
    Column("prekey", "bytes") { row, old, new in
      try SecretPlace.prekeys(try row.number("id")).reseal(row.bytes("bytes"), from: old, to: new)
    },
    Column("ticket", "bytes") { row, old, new in
      let context = TicketRow.context(row.bytes("id"))
      guard let old else { return new.seal(row.bytes("bytes").span, context: context) }
      let opened = try old.open(row.bytes("bytes"), context: context)
      return new.seal(opened.span, context: context)
    },
  ]

  /// The table that says which key the columns above are sealed under; made by migration 4.
  static let table = """
    CREATE TABLE sealing (
      id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB, is_clean INTEGER NOT NULL) STRICT;
    INSERT INTO sealing VALUES (1, NULL, 1);
    """

  /// The id of the key that a database is sealed under; nil if it is new, or an older program's.
  static func key(_ db: GRDB.Database) throws -> [UInt8]? {
    guard try db.tableExists("sealing") else { return nil }
    return try Data.fetchOne(db, sql: "SELECT key FROM sealing").map { [UInt8]($0) }
  }

  /// Brings every secret under the ring's key in one transaction. Throws `foreignKey`, and changes nothing, for a value that is
  /// sealed under a key that is not in the ring, or is not sealed where all are. Of sessions and pairs that is left to whoever opens them:
  /// it takes no value that is not sealed under the key.
  static func settle(_ db: GRDB.Database, _ keys: Keyring, _ path: String) throws {
    func foreign() -> StoreError {
      StoreError(.foreignKey, path, detail: "what is stored is sealed under another key than the one in the key file")
    }
    let mark = try key(db)
    if mark == keys.key.id {
      let head = keys.key.prefix.column
      for column in columns where !column.isOfOnePeer {
        let sql = "SELECT EXISTS (SELECT 1 FROM \(column.table) WHERE substr(\(column.name), 1, \(head.count)) IS NOT ?)"
        if try Bool.fetchOne(db, sql: sql, arguments: [head]) ?? true { throw foreign() }
      }
      return
    }
    let old: StateKey? = if case .key(let key) = keys.before, key.id == mark { key } else { nil }
    guard mark == nil || old != nil else { throw foreign() }
    var count = 0
    for column in columns {
      let rows = try db.rows("SELECT rowid AS number, * FROM \(column.table)") { row in
        // Without a mark nothing is sealed; that is for the first start after an older program alone.
        guard old != nil || keys.before.isPlaintext else { throw foreign() }
        do { return (row.int64("number"), try column.reseal(row, old, keys.key)) } catch {
          throw StoreError(.corruptDatabase, path, detail: "a secret in the table \(column.table) is damaged")
        }
      }
      for (number, sealed) in rows {
        try db.run("UPDATE \(column.table) SET \(column.name) = ? WHERE rowid = ?", [sealed.column, number])
      }
      count += rows.count
    }
    try db.run("UPDATE sealing SET key = ?, is_clean = ?", [keys.key.id.column, count == 0])
  }

  /// Whether pages that are no longer used may still hold what was there before the secrets were sealed.
  static func isClean(_ db: GRDB.Database) throws -> Bool { try Bool.fetchOne(db, sql: "SELECT is_clean FROM sealing") ?? true }
}

extension Keyring.Before {
  fileprivate var isPlaintext: Bool { if case .plaintext = self { true } else { false } }
}
