internal import GRDB
public import Primitives
internal import Session

/// What outlives a revoked peer: hashes of the INIT0s that made a session with it, as long as the signed prekeys that they name.
///
/// Without them a recorded start from signed prekeys alone would make a session again, were the same node paired once more. A hash
/// says nothing to whoever has not recorded the INIT, which travels inside links only.
enum SpentInitiations {
  /// Kept; those that die first go first. As many as sixteen peers leave that filled their replay tables.
  static let maximumKept = 16 * PeerMachine.maximumReplays

  /// Keeps those of a peer that is about to be deleted.
  static func keep(_ db: GRDB.Database, of peer: NodeID) throws {
    try db.run("INSERT OR IGNORE INTO spent_init SELECT hash, expires FROM replay WHERE peer = ?", [peer.column])
    let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM spent_init") ?? 0
    guard count > maximumKept else { return }
    try db.run(
      "DELETE FROM spent_init WHERE hash IN (SELECT hash FROM spent_init ORDER BY expires LIMIT ?)", [count - maximumKept])
  }
}

extension Database {
  /// Hashes of INIT0s that made sessions with peers that were revoked since, and that make no other.
  public func spentInitiations() throws(StoreError) -> Set<Digest> {
    try read { db in Set(try db.rows("SELECT hash FROM spent_init") { try $0.digest("hash") }) }
  }

  /// Deletes the hashes whose signed prekeys are dead.
  public func forgetSpentInitiations(expiredAt now: UInt64) throws(StoreError) {
    let isAny = try write { db in
      try db.run("DELETE FROM spent_init WHERE expires <= ?", [now.column])
      return db.changesCount > 0
    }
    if isAny { keysBecameStale(now: false) }
  }
}
