internal import Glibc
internal import GRDB

/// Cuts SQLite's write-ahead log so that nothing of it is left on the disk, not even in blocks that no file has any more.
///
/// The log holds sealed ratchet states that were overwritten since, and truncating alone leaves them in freed blocks. So the bytes
/// are overwritten first, once all of them are in the database and while nobody can write:
/// 1. a checkpoint moves everything into the database and waits until no reader needs the log;
/// 2. under the write lock the log's header is overwritten and synced. From here on a recovery takes the log for empty; with its
///    header and only some of its frames it would bring back older pages;
/// 3. the rest is overwritten and synced;
/// 4. a second checkpoint, which finds nothing to do, restarts the log and truncates the file.
struct WriteAheadLog {
  /// The log's header, as in SQLite's file format.
  private static let headerBytes = 32
  /// Zeros of one write.
  private static let blockBytes = 256 << 10

  private let path: String
  /// The bytes are overwritten and the file is not truncated yet. A commit that were appended now would be lost with its process.
  private(set) var isOverwritten = false

  /// The log of the database at a path.
  init(of database: String) { path = database + "-wal" }

  /// Overwrites and truncates. Throws if a reader of another program is in the way, or another program wrote meanwhile.
  mutating func cut(_ db: GRDB.Database, _ step: DurableStep) throws {
    let version = try Self.version(db)
    _ = try db.checkpoint(.restart)
    try step("overwrite the log")
    try db.inTransaction(.immediate) {
      guard try Self.version(db) == version else { throw DatabaseError(resultCode: .SQLITE_BUSY) }
      try overwrite(step)
      return .commit
    }
    try step("truncate the log")
    try truncate(db)
  }

  /// Restarts the log and truncates the file. Throws if that cannot be now.
  mutating func truncate(_ db: GRDB.Database) throws {
    _ = try db.checkpoint(.truncate)
    isOverwritten = false
  }

  /// Changes with every commit of another connection.
  private static func version(_ db: GRDB.Database) throws -> Int? { try Int.fetchOne(db, sql: "PRAGMA data_version") }

  private mutating func overwrite(_ step: DurableStep) throws {
    guard let file = Descriptor.open(path, O_WRONLY | O_NOFOLLOW), let status = file.status() else {
      if errno == ENOENT { return }
      throw StoreError.state(errno, path)
    }
    let size = Int(status.st_size)
    guard size > 0 else { return }
    isOverwritten = true
    try zero(0..<min(size, Self.headerBytes), of: file)
    try step("overwrite the log's frames")
    guard size > Self.headerBytes else { return }
    try zero(Self.headerBytes..<size, of: file)
  }

  private func zero(_ range: Range<Int>, of file: Descriptor) throws {
    let zeros = [UInt8](repeating: 0, count: min(range.count, Self.blockBytes))
    var offset = range.lowerBound
    while offset < range.upperBound {
      let count = min(range.upperBound - offset, zeros.count)
      let isWritten = zeros.withUnsafeBytes { file.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: UInt64(offset)) }
      guard isWritten else { throw StoreError.state(errno, path) }
      offset += count
    }
    guard fdatasync(file.raw) == 0 else { throw StoreError.state(errno, path) }
  }
}

/// VACUUM without leaving anything in blocks that the database gives back: it gives none back.
enum Vacuum {
  /// Zeros of one row that takes up room.
  private static let rowBytes = 16 << 20

  /// Rebuilds the database. Nothing is written into it before the log is cut: until then, all of it is in the log.
  static func run(_ queue: DatabaseQueue, _ path: String) throws {
    try queue.writeWithoutTransaction { db in
      let automatic = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint") ?? 0
      try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
      defer { try? db.execute(sql: "PRAGMA wal_autocheckpoint = \(automatic)") }
      try db.execute(sql: "VACUUM")
      try fill(db, path)
    }
  }

  /// The pages at the old end would be cut off with what is in them: they become free pages of the database, all zeros.
  private static func fill(_ db: GRDB.Database, _ path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { throw StoreError.state(errno, path) }
    func room() throws -> Int {
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      return Int(status.st_size) - pages * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
    }
    guard try room() > 0 else { return }
    try db.inTransaction(.immediate) {
      try db.execute(sql: "CREATE TABLE filling (zeros BLOB) STRICT")
      while case let room = try room(), room > 0 {
        try db.execute(sql: "INSERT INTO filling VALUES (zeroblob(?))", arguments: [min(room, rowBytes)])
      }
      try db.execute(sql: "DROP TABLE filling")
      return .commit
    }
  }
}
