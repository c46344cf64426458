internal import EventLoop
internal import FoundationEssentials
internal import GRDB
internal import Glibc
internal import Primitives
internal import Session

/// The node's state: SQLite behind one writer on a thread of its own.
///
/// Every throwing call is one transaction, or shares one with others that waited (``SharedWrites``). Returning means that it is on the disk (`synchronous=FULL`); throwing means that none of it
/// is. Keys that were deleted or overwritten are overwritten on the disk (`secure_delete`), and the write-ahead log that still
/// holds them is overwritten and cut to nothing: at once after a deletion, else by ``maintain()`` and every few commits.
public actor Database {
  /// Commits that may overwrite ratchet state before the log that holds the old state is cut: that costs four syncs.
  static let commitsPerCheckpoint = 64

  /// Pages of log after which SQLite moves them into the database by itself: its own default.
  static let autocheckpointPages = 1_000

  /// How long to wait for another program that reads the file, a backup say, before a call fails.
  static let busySeconds = 5.0

  private let executor: ThreadExecutor
  private let queue: DatabaseQueue
  let path: String
  /// The database's own file. Open for as long as SQLite has it open: closing any descriptor of the file would end SQLite's locks.
  let file: Descriptor
  /// Whether SQLite found damage while it read or wrote.
  public private(set) var isDamaged = false
  /// What secrets are sealed under.
  nonisolated let key: StateKey
  private var staleCommits = 0
  private var log: WriteAheadLog
  private var isClosed = false
  nonisolated let shared = SharedWrites()
  /// Called between durable writes of the cutting of the log.
  let step: DurableStep

  /// The thread all of it runs on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Opens or makes the database of a folder that is held, and brings every stored secret, the identity's too, under the ring's key.
  /// Blocks for a moment, so not on the loop.
  ///
  /// Throws `newerSchema` for a newer program's state, `corruptDatabase` for a damaged one, `foreignKey` for one that belongs to
  /// another key and `stateMissing` where there is none and the identity has been used with one; none is touched.
  public init(folder: StateFolder, keys: Keyring) throws(StoreError) {
    try folder.requireState()
    try self.init(path: folder.locations.databaseFile, keys: keys)
    try folder.settleFiles(keys)
  }

  init(path: String, keys: Keyring, step: @escaping DurableStep = { _ in }) throws(StoreError) {
    self.path = path
    self.step = step
    log = WriteAheadLog(of: path)
    key = keys.key
    file = try Self.file(path)
    queue = try Self.settled(path, file, keys)
    executor = ThreadExecutor(name: "pawl.store")
  }

  /// A database under one key.
  init(path: String, key: StateKey, step: @escaping DurableStep = { _ in }) throws(StoreError) {
    try self.init(path: path, keys: Keyring(key), step: step)
  }

  /// The database's file, made if it is missing: SQLite would make it under the umask, and -wal and -shm take its mode. To be closed
  /// after SQLite has closed it.
  static func file(_ path: String) throws(StoreError) -> Descriptor {
    guard let file = Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) else { throw .state(errno, path) }
    return file
  }

  /// Opens the database and seals anew what is not sealed under the ring's key. What it was before is gone from the file then.
  static func settled(
    _ path: String, _ file: Descriptor, _ keys: Keyring, _ step: DurableStep = { _ in }
  ) throws(StoreError) -> DatabaseQueue {
    do {
      let queue = try open(path, file)
      try step("seal the database")
      try queue.write { db in try Sealing.settle(db, keys, path) }
      if try queue.read(Sealing.isClean) {
        // One of an earlier version: from now on it can give room back. Where there is no room for that, the next start tries again.
        if try queue.read(Shrinking.isToBePrepared), (try? Vacuum.run(queue, path)) != nil {
          var log = WriteAheadLog(of: path)
          try queue.writeWithoutTransaction { db in try log.cut(db) { _ in } }
        }
        return queue
      }
      try step("clean the database")
      // Overwriting alone leaves what lay in the unused ends of pages. Where there is no room for it, the next start tries again.
      let isVacuumed = (try? Vacuum.run(queue, path)) != nil
      var log = WriteAheadLog(of: path)
      try queue.writeWithoutTransaction { db in try log.cut(db, step) }
      guard isVacuumed else { return queue }
      try step("note that the database is clean")
      try queue.write { db in try db.execute(sql: "UPDATE sealing SET is_clean = 1") }
      return queue
    } catch {
      throw StoreError(database: error, path)
    }
  }

  /// The id of the key that a database is sealed under; nil if there is none, or it is not sealed. Changes nothing.
  static func sealedUnder(_ path: String) throws(StoreError) -> [UInt8]? {
    guard access(path, F_OK) == 0 else { return nil }
    do {
      var configuration = Configuration()
      configuration.readonly = true
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      let key = try queue.read(Sealing.key)
      try queue.close()
      return key
    } catch {
      throw StoreError(database: error, path)
    }
  }

  private static func open(_ path: String, _ file: Descriptor) throws -> DatabaseQueue {
    try examine(path)
    var configuration = Configuration()
    configuration.journalMode = .wal
    configuration.foreignKeysEnabled = true
    configuration.busyMode = .timeout(busySeconds)
    configuration.prepareDatabase { db in
      // Of a new database at once, of an older one with the next VACUUM.
      try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
      try db.execute(
        sql: "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY")
    }
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    // Only now: GRDB sets NORMAL when it turns the write-ahead log on, which may lose the last commits in a power cut.
    try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
    // Before anything can move the log into the database.
    try Tail.overwrite(of: file, queue)
    try Schema.migrator.migrate(queue)
    return queue
  }

  /// Looks before anything is written: opening for writing alone changes the file.
  static func examine(_ path: String, _ scope: Examination = .start) throws {
    var configuration = Configuration()
    configuration.readonly = true
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try queue.read { db in
      guard try scope.isWhole(db) else {
        throw StoreError(.corruptDatabase, path, detail: "the state database is damaged")
      }
      guard try !Schema.migrator.hasBeenSuperseded(db) else {
        throw StoreError(.newerSchema, path, detail: "the state was written by a newer pawl")
      }
    }
    try queue.close()
  }

  /// Makes the database of a state that begins anew, without a secret in it.
  static func create(_ path: String) throws(StoreError) {
    let file = try file(path)
    do { try withExtendedLifetime(file) { try open(path, file).close() } } catch { throw StoreError(database: error, path) }
  }

  deinit {
    let executor = executor
    Task { await executor.stop() }
  }

  /// Cuts the write-ahead log, closes the file and ends the thread. Later calls throw `database`.
  public nonisolated func close() async {
    await shut()
    await executor.stop()
  }

  private func shut() {
    guard !isClosed else { return }
    try? checkpoint()
    isClosed = true
    try? queue.close()
  }

  /// Cuts the write-ahead log if it holds overwritten keys. For the node's timer, every ten seconds or so.
  public func maintain() throws(StoreError) {
    if staleCommits > 0 { try checkpoint() }
  }

  // MARK: For the files beside this one

  /// One durable transaction.
  func write<T>(_ body: (GRDB.Database) throws -> T) throws(StoreError) -> T {
    try requireOpen()
    do {
      if log.isOverwritten { try queue.writeWithoutTransaction { db in try log.truncate(db) } }
      return try queue.write(body)
    } catch {
      throw noted(error)
    }
  }

  /// A read that sees one state.
  func read<T>(_ body: (GRDB.Database) throws -> T) throws(StoreError) -> T {
    try requireOpen()
    do {
      return try queue.read(body)
    } catch {
      throw noted(error)
    }
  }

  /// For statements that open their own transactions, or must be in none.
  func outsideTransaction<T>(_ body: (GRDB.Database) throws -> T) throws(StoreError) -> T {
    try requireOpen()
    do {
      if log.isOverwritten { try queue.writeWithoutTransaction { db in try log.truncate(db) } }
      return try queue.writeWithoutTransaction(body)
    } catch {
      throw noted(error)
    }
  }

  private func noted(_ error: any Error) -> StoreError {
    let error = StoreError(database: error, path)
    if error.code == .corruptDatabase { isDamaged = true }
    return error
  }

  /// Cuts the log, for whoever has the connection already.
  func cut(_ db: GRDB.Database) throws { try log.cut(db, step) }

  /// Moves the log into the database, overwrites it and cuts it to no bytes.
  func checkpoint() throws(StoreError) {
    try requireOpen()
    do {
      try queue.writeWithoutTransaction(cut)
    } catch {
      throw StoreError(database: error, path)
    }
    staleCommits = 0
  }

  /// GRDB must not be asked after it was closed.
  private func requireOpen() throws(StoreError) {
    if isClosed { throw StoreError(.database, path, detail: "the state database was closed") }
  }

  /// To be called after a commit that deleted (`now`) or overwrote keys. The commit stands whatever becomes of the checkpoint.
  func keysBecameStale(now: Bool, commits: Int = 1) {
    staleCommits += commits
    if now || staleCommits >= Self.commitsPerCheckpoint { try? checkpoint() }
  }

  /// An error in our kinds.
  func failure(_ error: any Error) -> StoreError { StoreError(database: error, path) }

  /// Runs any statement and returns its first number: how tests look at SQLite itself.
  func number(_ sql: String) throws(StoreError) -> Int? {
    try write { db in try Int.fetchOne(db, sql: sql) }
  }

  /// The same for statements that may be in no transaction.
  func run(_ sql: String) throws(StoreError) {
    try outsideTransaction { db in try db.execute(sql: sql) }
  }
}

extension StoreError {
  /// What SQLite says, in our kinds.
  init(database error: any Error, _ path: String) {
    if let error = error as? StoreError {
      self = error
      return
    }
    if error is SessionError {
      self.init(.corruptDatabase, path, detail: "a stored session is damaged, or was not sealed under this key")
      return
    }
    let code = (error as? DatabaseError)?.resultCode
    switch code {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self.init(.corruptDatabase, path, detail: "the state database is damaged")
    case .SQLITE_FULL:
      self = .noRoom(path)
    case .SQLITE_IOERR where Self.isFull(path), .SQLITE_CANTOPEN where Self.isFull(path):
      self = .noRoom(path)
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
      self.init(.noPermission, path, detail: "the state database may not be written")
    case .SQLITE_CANTOPEN:
      self.init(.noPermission, path, detail: "the state database cannot be opened")
    default:
      // GRDB's description may hold arguments of the statement, and those may be secret.
      let message = (error as? DatabaseError)?.message ?? "\(type(of: error))"
      self.init(.database, path, detail: "the state database failed (\(message))")
    }
  }

  private static func noRoom(_ path: String) -> StoreError {
    StoreError(.noSpace, path, detail: "no room left for the node's state")
  }

  /// Whether the file system of a path has no room for what SQLite needs beside the database: it reports that as an error of the disk.
  private static func isFull(_ path: String) -> Bool {
    var space = statvfs()
    return statvfs(path, &space) == 0 && UInt64(space.f_bavail) * UInt64(space.f_frsize) < 64 << 10
  }
}
