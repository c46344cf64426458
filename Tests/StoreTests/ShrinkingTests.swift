import Glibc
import Primitives
import Synchronization
import Testing

@testable import Session
@testable import Store

/// Room that deletions left goes back to the file system, and nothing with it.
@Suite struct ShrinkingTests {
  private static let many =
    "INSERT INTO setting SELECT 'k' || value, hex(zeroblob(8000)) FROM "
    + "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1500) SELECT value FROM n)"

  private func size(_ state: State) throws -> Int {
    var status = stat()
    try #require(stat(state.path, &status) == 0)
    return Int(status.st_size)
  }

  /// Some 24 MB of rows, and a session behind them at the end of the file.
  private func filled(_ database: Database) async throws -> [UInt8] {
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    _ = try await database.number(Self.many)
    try await database.apply([commit(1, [.putSession(session(1), secret(noise(9_000, 1)))])])
    try await database.checkpoint()
    return try #require(try await database.loadPeer(node(1))?.sessions.first).bytes
  }

  @Test func theFileShrinksAfterABulkDeletionAndNothingIsLost() async throws {
    let state = try State()
    let database = state.database
    let kept = try await filled(database)
    let before = try size(state)
    #expect(before > 20 << 20)
    #expect(try await database.shrink() == 0, "nothing is free")
    _ = try await database.number("DELETE FROM setting WHERE key LIKE 'k%'")
    var slices = 0
    while case let count = try await database.shrink(), count > 0 {
      #expect(count <= Shrinking.pagesPerSlice)
      slices += 1
    }
    #expect(slices >= 4)
    #expect(try size(state) < Shrinking.leastFreeBytes + (1 << 20))
    #expect(try await database.loadPeer(node(1))?.sessions.first?.bytes == kept)
    // The database is as durable as before, and others may open it.
    #expect(try await database.number("PRAGMA synchronous") == 2)
    #expect(try await database.number("PRAGMA wal_autocheckpoint") == Database.autocheckpointPages)
    #expect(try await database.number("PRAGMA busy_timeout") == 5_000)
    let other = try Database(path: state.path, key: testKey)
    try await other.set("a", "b")
    #expect(try await database.setting("a") == "b")
    await other.close()
    await database.close()
    #expect(code { try Database.examine(state.path, .whole) } == nil)
  }

  @Test func nothingMovesWhileAnotherProgramHasTheDatabaseOpen() async throws {
    let state = try State()
    _ = try await filled(state.database)
    _ = try await state.database.number("DELETE FROM setting WHERE key LIKE 'k%'")
    let other = try Database(path: state.path, key: testKey)
    _ = try await other.peers()
    let before = try size(state)
    #expect(try await state.database.shrink() == 0)
    #expect(try size(state) == before)
    try await other.set("a", "b")
    await other.close()
    #expect(try await state.database.shrink() > 0)
    #expect(try await state.database.setting("a") == "b")
    await state.database.close()
  }

  @Test func aKillAnywhereInASliceLosesNothingAndLeavesNothing() async throws {
    let temporary = try TemporaryFolder()
    let steps = Mutex<[String]>([])
    let isOn = Mutex(false)
    let path = temporary("pawl.db")
    let database = try Database(path: path, key: testKey) { step throws(StoreError) in
      guard isOn.withLock({ $0 }) else { return }
      let number = steps.withLock { steps in
        steps.append(step)
        return steps.count
      }
      do {
        for suffix in ["", "-wal"] { try temporary.file("killed-\(number)\(suffix)", try temporary.bytes("pawl.db\(suffix)")) }
      } catch { throw StoreError(.io, detail: "\(error)") }
    }
    let kept = try await filled(database)
    _ = try await database.number("DELETE FROM setting WHERE key LIKE 'k%'")
    try await database.checkpoint()
    let pieces = [Array(kept[40..<104]), Array(kept.suffix(64))]
    isOn.withLock { $0 = true }
    #expect(try await database.shrink() > 0)
    isOn.withLock { $0 = false }
    let all = steps.withLock { $0 }
    let overwriting = try #require(all.firstIndex(of: "overwrite the end of the database")) + 1
    let cutting = try #require(all.firstIndex(of: "cut the database")) + 1
    let pages = try await database.number("PRAGMA page_count") ?? 0
    let before = try temporary.bytes("killed-\(overwriting)").dropFirst(pages * 4_096)
    let after = try temporary.bytes("killed-\(cutting)").dropFirst(pages * 4_096)
    // The session lay at the end, and was moved from there.
    #expect(pieces.contains { contains(Array(before), $0) })
    #expect(after.count == before.count && after.allSatisfy { $0 == 0 })
    for number in 1...all.count {
      let killed = try Database(path: temporary("killed-\(number)"), key: testKey)
      if number == overwriting {
        // The next start does what this one did not come to, before anything is cut.
        let end = try temporary.bytes("killed-\(number)").dropFirst(pages * 4_096)
        #expect(end.count == before.count && end.allSatisfy { $0 == 0 })
      }
      #expect(try await killed.loadPeer(node(1))?.sessions.first?.bytes == kept, "\(all[number - 1])")
      await killed.close()
      #expect(code { try Database.examine(temporary("killed-\(number)"), .whole) } == nil)
    }
    await database.close()
  }

  @Test func aDatabaseOfAnEarlierVersionCanGiveRoomBackFromTheNextStartOn() async throws {
    let state = try State()
    try await state.pair(1)
    #expect(try await state.database.number("PRAGMA auto_vacuum") == 2)
    try await state.database.run("PRAGMA auto_vacuum = NONE; VACUUM")
    #expect(try await state.database.number("PRAGMA auto_vacuum") == 0)
    await state.database.close()
    let again = try Database(path: state.path, key: testKey)
    #expect(try await again.number("PRAGMA auto_vacuum") == 2)
    #expect(try await again.peers().count == 1)
    await again.close()
  }

  // MARK: What a start looks at

  /// Overwrites the first page of a table.
  private func damage(_ table: String, _ state: State) async throws {
    let page = try #require(try await state.database.number("SELECT rootpage FROM sqlite_master WHERE name = '\(table)'"))
    await state.database.close()
    let file = try #require(Descriptor.open(state.path, O_WRONLY))
    let junk = pattern(4_096, seed: 77)
    #expect(junk.withUnsafeBytes { file.write($0, at: UInt64((page - 1) * 4_096)) })
  }

  private func large() async throws -> State {
    let state = try State()
    try await state.pair(1)
    _ = try await state.database.number(
      "INSERT INTO known_manifest VALUES (x'\(digest(1).hex)', zeroblob(32), 'large', 1, zeroblob(\(Examination.wholeUpToBytes)), x'')"
    )
    return state
  }

  @Test func aSmallDatabaseIsCheckedWholeAtEachStart() async throws {
    let state = try State()
    try await state.pair(1)
    try await damage("known_manifest", state)
    #expect(code { _ = try Database(path: state.path, key: testKey) } == .corruptDatabase)
  }

  @Test func ofALargeDatabaseAStartChecksWhatItReadsAndDamageElsewhereIsNoticedWhenItIsRead() async throws {
    let state = try await large()
    try await damage("known_manifest", state)
    // A whole check would have found it.
    #expect(code { try Database.examine(state.path, .whole) } == .corruptDatabase)
    let database = try Database(path: state.path, key: testKey)
    #expect(try await database.peers().count == 1)
    #expect(await !database.isDamaged)
    #expect(await code { _ = try await database.manifest(digest(1)) } == .corruptDatabase)
    #expect(await database.isDamaged)
    await database.close()
    let sessions = try await large()
    try await damage("session", sessions)
    #expect(code { _ = try Database(path: sessions.path, key: testKey) } == .corruptDatabase)
  }
}
