import Glibc
import Primitives
import Testing

@testable import Session
@testable import Store

/// What the tests' databases seal secrets under.
let testKey = StateKey.random(.seeded(0x5EA1))

/// A database in a folder of its own, and what a test needs to put into it.
struct State {
  let temporary: TemporaryFolder
  let path: String
  let database: Database

  init() throws {
    temporary = try TemporaryFolder()
    path = temporary("pawl.db")
    database = try Database(path: path, key: testKey)
  }

  /// The files as a killed process leaves them: copied while the database is open, with its write-ahead log.
  func killed(_ name: String = "killed.db") throws -> Database {
    for suffix in ["", "-wal"] where temporary.exists("pawl.db" + suffix) {
      try temporary.file(name + suffix, try temporary.bytes("pawl.db" + suffix))
    }
    return try Database(path: temporary(name), key: testKey)
  }

  @discardableResult
  func pair(_ byte: UInt8, alias: String = "peer") async throws -> PeerRow {
    try await database.addPeer(newPeer(byte), alias: .wanted(alias))
  }

  /// Whether the bytes lie anywhere in the database's files.
  func holds(_ needle: [UInt8]) throws -> Bool {
    for suffix in ["", "-wal"] where temporary.exists("pawl.db" + suffix) {
      if contains(try temporary.bytes("pawl.db" + suffix), needle) { return true }
    }
    return false
  }
}

func contains(_ bytes: [UInt8], _ needle: [UInt8]) -> Bool {
  bytes.withUnsafeBytes { bytes in
    needle.withUnsafeBytes { needle in
      var offset = 0
      while offset + needle.count <= bytes.count,
        let found = memchr(bytes.baseAddress! + offset, Int32(needle[0]), bytes.count - needle.count - offset + 1)
      {
        if memcmp(found, needle.baseAddress!, needle.count) == 0 { return true }
        offset = UnsafeRawPointer(found) - bytes.baseAddress! + 1
      }
      return false
    }
  }
}

func newPeer(_ byte: UInt8, name: String = "studio") -> NewPeer {
  NewPeer(id: node(byte), record: [byte, 1, 2], name: name, addresses: ["10.0.0.\(byte):7411"], added: 1_000)
}

@Suite struct DatabaseTests {
  @Test func everyCommitIsSyncedAndDeletedBytesAreOverwritten() async throws {
    let state = try State()
    #expect(try await state.database.number("PRAGMA synchronous") == 2)
    #expect(try await state.database.number("PRAGMA secure_delete") == 1)
    #expect(try await state.database.number("PRAGMA foreign_keys") == 1)
    try await state.database.set("a", "b")
    #expect(try await state.database.number("PRAGMA synchronous") == 2)
    #expect(state.temporary.exists("pawl.db-wal"))
    await state.database.close()
  }

  @Test func whatWasCommittedSurvivesAKill() async throws {
    let state = try State()
    try await state.database.set("port", "7411")
    try await state.pair(1, alias: "laptop")
    let after = try state.killed()
    #expect(try await after.setting("port") == "7411")
    #expect(try await after.peer(alias: "laptop")?.id == node(1))
    await after.close()
    await state.database.close()
  }

  @Test func stateSurvivesARestart() async throws {
    let state = try State()
    try await state.pair(1)
    await state.database.close()
    #expect(try !state.temporary.exists("pawl.db-wal") || state.temporary.bytes("pawl.db-wal").isEmpty)
    let again = try Database(path: state.path, key: testKey)
    #expect(try await again.peers().count == 1)
    await again.close()
  }

  @Test func aClosedDatabaseSaysSo() async throws {
    let state = try State()
    await state.database.close()
    #expect(await code { _ = try await state.database.peers() } != nil)
    await state.database.close()
  }

  @Test func newerStateIsRefusedAndLeftAlone() async throws {
    let state = try State()
    _ = try await state.database.number("INSERT INTO grdb_migrations VALUES ('99')")
    await state.database.close()
    let before = try state.temporary.bytes("pawl.db")
    #expect(code { _ = try Database(path: state.path, key: testKey) } == .newerSchema)
    #expect(try state.temporary.bytes("pawl.db") == before)
  }

  @Test func damagedStateIsAClearError() async throws {
    let state = try State()
    try await state.pair(1)
    await state.database.close()
    var bytes = try state.temporary.bytes("pawl.db")
    for index in 4_096..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index) }
    try state.temporary.file("damaged.db", bytes)
    #expect(code { _ = try Database(path: state.temporary("damaged.db"), key: testKey) } == .corruptDatabase)
    try state.temporary.file("foreign.db", pattern(9_000))
    #expect(code { _ = try Database(path: state.temporary("foreign.db"), key: testKey) } == .corruptDatabase)
    #expect(try state.temporary.bytes("foreign.db") == pattern(9_000))
  }

  @Test func aLinkInTheDatabasesPlaceIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.link("pawl.db", to: temporary("elsewhere"))
    #expect(code { _ = try Database(path: temporary("pawl.db"), key: testKey) } != nil)
    #expect(!temporary.exists("elsewhere"))
  }

  @Test func theDatabaseIsReadableByItsOwnerOnlyWhateverTheUmask() async throws {
    let state = try State()
    try await state.database.set("a", "b")
    for name in ["pawl.db", "pawl.db-wal", "pawl.db-shm"] { #expect(try state.temporary.mode(name) == 0o600) }
    await state.database.close()
  }

  @Test func settingsAreReplacedAndRemoved() async throws {
    let state = try State()
    #expect(try await state.database.setting("port") == nil)
    try await state.database.set("port", "1")
    try await state.database.set("port", "2")
    #expect(try await state.database.setting("port") == "2")
    try await state.database.set("port", nil)
    #expect(try await state.database.setting("port") == nil)
    await state.database.close()
  }
}
