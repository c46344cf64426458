internal import Glibc
internal import GRDB
internal import Session

/// The partial folder of a transfer whose record went with its peer. It is still to be removed.
public struct OrphanedPartial: Hashable, Sendable {
  /// The id that the transfer had, in hex.
  public let transfer: String
  /// The folder's absolute path.
  public let path: String
}

extension OrphanedPartial {
  /// What the keys of such settings begin with; they end with the transfer's id in hex.
  private static let prefix = "orphaned-partial."

  /// Keeps in mind the partial folders of a peer's transfers, which are about to go.
  static func keep(_ db: GRDB.Database, of peer: NodeID) throws {
    try db.run(
      "INSERT OR REPLACE INTO setting SELECT ? || lower(hex(id)), partial FROM transfer WHERE peer = ? AND partial IS NOT NULL",
      [prefix, peer.column])
  }

  static func all(_ db: GRDB.Database) throws -> [OrphanedPartial] {
    try db.rows("SELECT key, value FROM setting WHERE key GLOB ? || '*' ORDER BY key", [prefix]) { row in
      OrphanedPartial(transfer: String(row.text("key").dropFirst(prefix.count)), path: row.text("value"))
    }
  }

  static func forget(_ db: GRDB.Database, _ transfer: String) throws {
    try db.run("DELETE FROM setting WHERE key = ?", [prefix + transfer])
  }
}

extension Database {
  /// Partial folders whose transfers went with a revoked peer.
  public func orphanedPartials() throws(StoreError) -> [OrphanedPartial] { try read(OrphanedPartial.all) }

  /// Forgets one: its folder is gone.
  public func forgetOrphanedPartial(_ transfer: String) throws(StoreError) {
    try write { db in try OrphanedPartial.forget(db, transfer) }
  }
}

extension PartialFolder {
  /// Removes an orphaned partial folder. False: the folder that it was made in is not there now, and
  /// nothing was touched. Blocks, so on a worker.
  public static func discard(_ orphan: OrphanedPartial) throws(StoreError) -> Bool {
    let (folder, name) = Beneath.split(orphan.path)
    guard name.hasPrefix(prefix) else {
      throw StoreError(.badRecord, orphan.path, detail: "this is no partial folder, so it was not removed")
    }
    guard let destination = Descriptor.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY) else {
      if errno == ENOENT || errno == ENOTDIR { return false }
      throw .destination(errno, folder)
    }
    try Removal.remove(name, in: destination, path: orphan.path)
    return true
  }
}
