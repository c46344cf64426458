internal import GRDB

/// How much of a database is looked at before it is used.
///
/// A whole check reads every page. Of a large database a start checks the tables that it reads
/// anyway; damage in the others (manifests, leaf lists, records of files) is found when they are
/// read: ``Database/isDamaged``.
enum Examination {
  /// What a start checks.
  case start
  /// Everything.
  case whole

  /// Up to this size a start checks everything: a fraction of a second.
  static let wholeUpToBytes = 32 << 20

  /// The tables that every start reads.
  static let startTables = [
    "setting", "peer", "ticket", "session", "received", "pair", "replay", "peer_state", "prekey", "held_bundle", "claim",
    "spent_init", "sealing",
  ]

  /// Whether nothing wrong was found.
  func isWhole(_ db: GRDB.Database) throws -> Bool {
    let bytes = try (Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0) * (Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
    guard case .start = self, bytes > Self.wholeUpToBytes else { return try Self.check(db, "1") }
    for table in Self.startTables where try db.tableExists(table) {
      guard try Self.check(db, table) else { return false }
    }
    return true
  }

  private static func check(_ db: GRDB.Database, _ what: String) throws -> Bool {
    try String.fetchOne(db, sql: "PRAGMA quick_check(\(what))") == "ok"
  }
}
