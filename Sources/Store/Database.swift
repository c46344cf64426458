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

  /// How long to wait for another program that reads the file, a backup say, before a call fails.
  static let busySeconds = 5.0

  private let executor: ThreadExecutor
  private let queue: DatabaseQueue
  private let path: String
  /// What secrets are sealed under.
  nonisolated let key: StateKey
  private var staleCommits = 0
  private var log: WriteAheadLog
  private var isClosed = false
  nonisolated let shared = SharedWrites()
  /// Called between durable writes of the cutting of the log.
  private let step: DurableStep

  /// The thread all of it runs on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Opens or makes the database of a folder that is held, and brings every stored secret, the identity's too, under the ring's key.
  /// Blocks for a moment, so not on the loop.
  ///
  /// Throws `newerSchema` for a newer program's state, `corruptDatabase` for a damaged one and `foreignKey` for one that belongs to
  /// another key; none is touched.
  public init(folder: StateFolder, keys: Keyring) throws(StoreError) {
    try self.init(path: folder.locations.databaseFile, keys: keys)
    try folder.settleFiles(keys)
  }

  init(path: String, keys: Keyring, step: @escaping DurableStep = { _ in }) throws(StoreError) {
    self.path = path
    self.step = step
    log = WriteAheadLog(of: path)
    key = keys.key
    queue = try Self.settled(path, keys)
    executor = ThreadExecutor(name: "pawl.store")
  }

  /// A database under one key.
  init(path: String, key: StateKey, step: @escaping DurableStep = { _ in }) throws(StoreError) {
    try self.init(path: path, keys: Keyring(key), step: step)
  }

  /// Opens the database and seals anew what is not sealed under the ring's key. What it was before is gone from the file then.
  static func settled(_ path: String, _ keys: Keyring, _ step: DurableStep = { _ in }) throws(StoreError) -> DatabaseQueue {
    // SQLite would make it under the umask; -wal and -shm take its mode.
    guard Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) != nil else { throw .state(errno, path) }
    do {
      let queue = try open(path)
      try step("seal the database")
      try queue.write { db in try Sealing.settle(db, keys, path) }
      if try queue.read(Sealing.isClean) { return queue }
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

  private static func open(_ path: String) throws -> DatabaseQueue {
    try examine(path)
    var configuration = Configuration()
    configuration.journalMode = .wal
    configuration.foreignKeysEnabled = true
    configuration.busyMode = .timeout(busySeconds)
    configuration.prepareDatabase { db in
      try db.execute(
        sql: "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY")
    }
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    // Only now: GRDB sets NORMAL when it turns the write-ahead log on, which may lose the last commits in a power cut.
    try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
    try Schema.migrator.migrate(queue)
    return queue
  }

  /// Looks before anything is written: opening for writing alone changes the file.
  private static func examine(_ path: String) throws {
    var configuration = Configuration()
    configuration.readonly = true
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try queue.read { db in
      if let complaint = try String.fetchOne(db, sql: "PRAGMA quick_check(1)"), complaint != "ok" {
        throw StoreError(.corruptDatabase, path, detail: "the state database is damaged (\(complaint))")
      }
      guard try !Schema.migrator.hasBeenSuperseded(db) else {
        throw StoreError(.newerSchema, path, detail: "the state was written by a newer pawl")
      }
    }
    try queue.close()
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
      throw StoreError(database: error, path)
    }
  }

  /// A read that sees one state.
  func read<T>(_ body: (GRDB.Database) throws -> T) throws(StoreError) -> T {
    try requireOpen()
    do {
      return try queue.read(body)
    } catch {
      throw StoreError(database: error, path)
    }
  }

  /// Moves the log into the database, overwrites it and cuts it to no bytes.
  func checkpoint() throws(StoreError) {
    try requireOpen()
    do {
      try queue.writeWithoutTransaction { db in try log.cut(db, step) }
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
