import Glibc
import Testing

@testable import Store

/// An identity without the database that it was used with, and beginning anew.
@Suite struct NewStateTests {
  private static let lost = ["missing", "empty", "no tables"]

  /// Takes the database away in one of three ways.
  private func lose(_ home: SealedHome, _ how: String) async throws {
    for suffix in ["", "-wal", "-shm"] { unlink(home.places.databaseFile + suffix) }
    switch how {
    case "missing": break
    case "empty": try home.put("state/pawl.db", [])
    default:
      let database = try Database(path: home.places.databaseFile, key: testKey)
      _ = try await database.number("CREATE TABLE other (a)")
      for table in ["peer", "session"] { _ = try? await database.number("ALTER TABLE \(table) RENAME TO old_\(table)") }
      await database.close()
    }
  }

  @Test(arguments: Self.lost) func anIdentityWithoutItsDatabaseIsAnErrorAndNothingIsMade(_ how: String) async throws {
    let home = try await SealedHome.made()
    try await lose(home, how)
    // Which process held the lock may change, and SQLite may leave an empty log where it only
    // looked.
    func files() throws -> [String: [UInt8]] {
      let names = try home.files().filter { $0 != "state/lock" && $0 != "state/pawl.db-wal" }
      return try Dictionary(uniqueKeysWithValues: names.map { ($0, try home.bytes($0)) })
    }
    let before = try files()
    #expect(try await home.refusal() == .stateMissing)
    // A new passphrase would make an empty database as well.
    #expect(code { try home.rekey(nil, to: phrase("new")) } == .stateMissing)
    #expect(try files() == before)
    let error = StoreError(.stateMissing, "pawl.db", detail: "it is missing")
    #expect(error.hint?.contains("pawl up --new-state") == true && error.hint?.contains("backup") == true)
  }

  @Test(arguments: Self.lost + ["damaged"]) func beginningAnewKeepsIdentityAndKeyAndSetsTheOldDatabaseAside(
    _ how: String
  ) async throws {
    let home = try await SealedHome.made()
    let key = try home.bytes("identity/key")
    if how == "damaged" {
      var bytes = try home.bytes("state/pawl.db")
      for index in 4_096..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index) }
      try home.put("state/pawl.db", bytes)
      try home.put("state/pawl.db-wal", [1, 2, 3])
      #expect(try await home.refusal() == .corruptDatabase)
    } else {
      try await lose(home, how)
    }
    let old = how == "missing" ? nil : try home.bytes("state/pawl.db")
    let folder = try home.held()
    let aside = try folder.beginAnew(date: "20260131-120000")
    #expect((aside == nil) == (how == "missing"))
    if let aside { #expect(try TemporaryFolder.bytes(at: aside) == old) }
    if how == "damaged" { #expect(try TemporaryFolder.bytes(at: try #require(aside) + "-wal") == [1, 2, 3]) }
    let keys = try folder.unlock()
    let database = try Database(folder: folder, keys: keys)
    #expect(try await database.peers().isEmpty)
    #expect(try folder.identity(keys) == SealedHome.identity)
    #expect(try home.bytes("identity/key") == key)
    await database.close()
    // Unasked, it does not happen again.
    let before = try home.bytes("state/pawl.db")
    #expect(code { _ = try folder.beginAnew(date: "20260131-120000") } == .stateWorks)
    #expect(try home.bytes("state/pawl.db") == before)
    folder.release()
  }

  @Test func aStateThatWorksIsNotBegunAnew() async throws {
    let home = try await SealedHome.made()
    let folder = try home.held()
    #expect(code { _ = try folder.beginAnew(date: "x") } == .stateWorks)
    folder.release()
    try await home.open()
  }

  @Test func beginningAnewThatWasCutShortIsBegunAgain() async throws {
    let home = try await SealedHome.made()
    try home.put("state/pawl.db-wal", [1, 2, 3])
    // The database was set aside, and not its log.
    try #require(rename(home.places.databaseFile, home.places.databaseFile + ".broken-20260131-120000") == 0)
    #expect(try await home.refusal() == .stateMissing)
    let folder = try home.held()
    _ = try folder.beginAnew(date: "20260131-120000")
    #expect(try home.bytes("state/pawl.db.broken-20260131-120000-2-wal") == [1, 2, 3])
    let database = try Database(folder: folder, keys: try folder.unlock())
    #expect(try await database.peers().isEmpty)
    await database.close()
    folder.release()
  }

  /// A first start makes the key, the database and then the identity: wherever it dies, the next
  /// one goes on.
  @Test func aFirstStartThatDiesAnywhereLocksNobodyOut() async throws {
    for files in [[], ["identity/key"], ["identity/key", "state/pawl.db"]] {
      for isEmpty in [false, true] {
        let whole = try await SealedHome.made()
        let home = SealedHome(temporary: whole.temporary, name: "cut")
        for file in files { try home.put(file, isEmpty && file.hasSuffix("db") ? [] : try whole.bytes(file)) }
        let folder = try home.held()
        #expect(try folder.beginAnew(date: "x") == nil, "there is nothing to begin anew")
        let keys = try folder.unlock()
        let database = try Database(folder: folder, keys: keys)
        _ = try await database.peers()
        let identity = SealedHome.identity
        try folder.writeIdentity(identity.span, keys)
        await database.close()
        folder.release()
        let again = try home.held()
        let second = try Database(folder: again, keys: try again.unlock())
        await second.close()
        again.release()
      }
    }
  }
}
