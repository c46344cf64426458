internal import GRDB
internal import Glibc

/// Giving room back to the file system, a few pages at a time, with nothing in it.
///
/// Free pages are zeros already (`secure_delete`). But to cut the file, SQLite moves pages that are
/// in use from its end into free ones, and what it cuts off still holds their contents: sealed
/// states of sessions among them, which would outlive their deletion in blocks that no file has. So
/// between the commit that moves the pages, which is in the log then, and the checkpoint that cuts
/// the file, the end of the file is overwritten: ``Tail``.
enum Shrinking {
  /// So much must be free before anything moves: what is used again soon need not go.
  static let leastFreeBytes = 4 << 20
  /// And one page of so many.
  static let leastFreeShare = 4
  /// Pages of one slice: with 4 KiB each, 4 MiB.
  static let pagesPerSlice = 1_024
  /// Rebuilding a larger database of an earlier version would hold a start up for too long; its
  /// free pages are used again, and stay.
  static let preparedUpToBytes = 1 << 30

  /// Whether a database was made by a version that could not give room back.
  static func isToBePrepared(_ db: GRDB.Database) throws -> Bool {
    let bytes = try number(db, "page_count") * number(db, "page_size")
    return try number(db, "auto_vacuum") == 0 && bytes <= preparedUpToBytes
  }

  /// How many pages go in the next slice; zero: it is not worth it.
  static func slice(_ db: GRDB.Database) throws -> Int {
    let free = try number(db, "freelist_count")
    guard try number(db, "auto_vacuum") == 2, try free * number(db, "page_size") >= leastFreeBytes,
      try free * leastFreeShare >= number(db, "page_count")
    else { return 0 }
    return min(free, pagesPerSlice)
  }

  static func number(_ db: GRDB.Database, _ name: String) throws -> Int { try Int.fetchOne(db, sql: "PRAGMA \(name)") ?? 0 }
}

/// What lies in the file beyond the last page of the database, from the commit that shortens it to
/// the checkpoint that cuts it.
enum Tail {
  /// Zeros of one write.
  private static let blockBytes = 256 << 10

  /// Overwrites it. To be called before a checkpoint, also at a start: the process may have died
  /// between the two.
  static func overwrite(of file: Descriptor, _ queue: DatabaseQueue) throws {
    try queue.writeWithoutTransaction { db in
      guard try range(of: file, db) != nil else { return }
      try db.inTransaction(.immediate) {
        try overwrite(of: file, db)
        return .commit
      }
    }
  }

  /// The same within a transaction that has the database for itself.
  static func overwrite(of file: Descriptor, _ db: GRDB.Database) throws {
    guard let range = try range(of: file, db) else { return }
    let zeros = [UInt8](repeating: 0, count: min(range.count, blockBytes))
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: blockBytes) {
      let count = min(blockBytes, range.upperBound - offset)
      let isWritten = zeros.withUnsafeBytes { file.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: UInt64(offset)) }
      guard isWritten else { throw StoreError(.io, detail: "the state database cannot be overwritten") }
    }
    guard fdatasync(file.raw) == 0 else { throw StoreError(.io, detail: "the state database cannot be synced") }
  }

  private static func range(of file: Descriptor, _ db: GRDB.Database) throws -> Range<Int>? {
    guard let status = file.status() else { return nil }
    let end = try Shrinking.number(db, "page_count") * Shrinking.number(db, "page_size")
    return Int(status.st_size) > end ? end..<Int(status.st_size) : nil
  }
}

extension Database {
  /// Gives one slice of free room back. Returns how many pages; zero: there is little to give, or
  /// another program has the database open.
  public func shrink() throws(StoreError) -> Int {
    guard try read(Shrinking.slice) > 0 else { return 0 }
    // What the log holds goes into the file first, so that the slice's commit is all that is in it.
    try checkpoint()
    let given: Int = try outsideTransaction { db in
      // Nobody else may be reading what is about to be overwritten: with this, a transaction begins
      // only if no other program has the database open, and none can open it.
      try db.execute(sql: "PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 0")
      _ = try Row.fetchOne(db, sql: "PRAGMA locking_mode = EXCLUSIVE")
      defer {
        _ = try? Row.fetchOne(db, sql: "PRAGMA locking_mode = NORMAL")
        try? db.execute(
          sql: "PRAGMA busy_timeout = \(Int(Self.busySeconds * 1_000)); PRAGMA wal_autocheckpoint = \(Self.autocheckpointPages)"
        )
      }
      do { return try moved(db) } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY { return 0 }
    }
    // Lets go of the file for others.
    _ = try read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM setting") }
    return given
  }

  private func moved(_ db: GRDB.Database) throws -> Int {
    let count = try Shrinking.slice(db)
    guard count > 0 else { return 0 }
    try db.inTransaction(.immediate) {
      // A page a row: only who fetches all of them has it done.
      _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(\(count))")
      return .commit
    }
    try step("overwrite the end of the database")
    try db.inTransaction(.immediate) {
      try Tail.overwrite(of: file, db)
      return .commit
    }
    try step("cut the database")
    try cut(db)
    return count
  }
}
