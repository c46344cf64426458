import Glibc
import Primitives
import Synchronization
import Testing

@testable import Session
@testable import Store

/// What was overwritten or deleted is gone from the disk, not only from the files.
@Suite(.timeLimit(.minutes(5))) struct FreedBlockTests {
  private func put(_ bytes: [UInt8], _ database: Database) async throws -> [UInt8] {
    try await database.apply([commit(1, [.putSession(session(1), secret(bytes))])])
    return try #require(try await database.loadPeer(node(1))?.sessions.first).bytes
  }

  /// Pieces of a sealed row: SQLite cuts long values.
  private func pieces(_ row: [UInt8]) -> [[UInt8]] { [Array(row[40..<104]), Array(row.suffix(64))] }

  @Test(.enabled(if: DiskImage.isPossible)) func overwrittenRatchetStateLeavesFreedBlocksToo() async throws {
    let temporary = try TemporaryFolder()
    let disk = try DiskImage(temporary)
    let database = try Database(path: "\(disk.path)/pawl.db", key: testKey)
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    var old: [[UInt8]] = []
    for round in 0..<40 { old += pieces(try await put(noise(9_000, UInt8(round)), database)) }
    let last = pieces(try await put(noise(9_000, 200), database))
    #expect(try disk.held(of: old) == old.count, "before, the disk holds all of it")
    try await database.maintain()
    #expect(try disk.held(of: old) == 0)
    try await database.apply([commit(1, [.deleteSession(session(1))])])
    await database.close()
    disk.unmount()
    #expect(try disk.held(of: old + last) == 0)
  }

  @Test(.enabled(if: DiskImage.isPossible)) func theLogOfAKilledNodeLeavesFreedBlocksToo() async throws {
    let state = try State()
    try await state.pair(1)
    let old = pieces(try await put(noise(9_000, 1), state.database)) + pieces(try await put(noise(9_000, 2), state.database))
    _ = try await put(noise(900, 3), state.database)
    let temporary = try TemporaryFolder()
    let disk = try DiskImage(temporary)
    for name in ["pawl.db", "pawl.db-wal"] { try disk.put(name, try state.temporary.bytes(name)) }
    #expect(try disk.held(of: old) == old.count)
    let database = try Database(path: "\(disk.path)/pawl.db", key: testKey)
    await database.close()
    disk.unmount()
    #expect(try disk.held(of: old) == 0)
    await state.database.close()
  }

  @Test(.enabled(if: DiskImage.isPossible)) func whatAnOlderProgramStoredPlainlyLeavesFreedBlocksToo() async throws {
    // The last pages of the file are the first to be cut off when it is rebuilt: a large secret lies there, behind room that is free.
    let large = noise(40_000, 77)
    let home = try await SealedHome.plain(after: [
      "INSERT INTO setting VALUES ('room', hex(zeroblob(100000)))",
      "INSERT INTO session SELECT id, x'\(SealedHome.hex(session(7).bytes))', x'01\(SealedHome.hex(large))' FROM peer",
      "DELETE FROM setting WHERE key = 'room'",
    ])
    let temporary = try TemporaryFolder()
    let disk = try DiskImage(temporary)
    let bytes = try home.bytes("state/pawl.db")
    try disk.put("pawl.db", bytes)
    let plain = Array(SealedHome.secrets.dropFirst(2)) + [Array(large[..<64]), Array(large.suffix(64))]
    #expect(try disk.held(of: plain) == plain.count && contains(Array(bytes.suffix(12_000)), plain[plain.count - 1]))
    let database = try Database(
      path: "\(disk.path)/pawl.db",
      keys: Keyring(key: testKey, stored: .plain(testKey), before: .plaintext, isAlone: false))
    #expect(try await database.ticket(SealedHome.ticketID)?.bytes == SealedHome.ticket)
    await database.close()
    disk.unmount()
    #expect(try disk.held(of: plain) == 0)
  }

  @Test(.enabled(if: DiskImage.isPossible)) func whatADatabaseGivesBackHoldsNothingOfWhatLayThere() async throws {
    let temporary = try TemporaryFolder()
    let disk = try DiskImage(temporary)
    let database = try Database(path: "\(disk.path)/pawl.db", key: testKey)
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    _ = try await database.number("INSERT INTO setting VALUES ('room', hex(zeroblob(3000000)))")
    // The session is the last in the file, and is moved when what lies before it has gone.
    let old = pieces(try await put(noise(9_000, 1), database))
    _ = try await database.number("DELETE FROM setting")
    while try await database.shrink() > 0 {}
    #expect(try disk.held(of: old) == old.count)
    try await database.apply([commit(1, [.deleteSession(session(1))])])
    await database.close()
    disk.unmount()
    #expect(try disk.held(of: old) == 0)
  }

  /// The same wherever a disk image is not to be had: the log is all zeros when it is cut, and its header was the first to go.
  @Test func theLogIsOverwrittenHeaderFirstBeforeItIsCutAndAKillAtAnyStepLosesNothing() async throws {
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
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    let old = pieces(try await put(noise(9_000, 1), database))
    let now = try await put(noise(9_000, 2), database)
    isOn.withLock { $0 = true }
    try await database.maintain()
    isOn.withLock { $0 = false }
    let all = steps.withLock { $0 }
    #expect(all == ["overwrite the log", "overwrite the log's frames", "truncate the log"])
    let logs = try (1...3).map { try temporary.bytes("killed-\($0)-wal") }
    #expect(old.allSatisfy { contains(logs[0], $0) })
    // A header that outlived its frames would bring back older pages.
    #expect(logs[1].prefix(32).allSatisfy { $0 == 0 } && logs[1].dropFirst(32).elementsEqual(logs[0].dropFirst(32)))
    #expect(logs[2].count == logs[0].count && logs[2].allSatisfy { $0 == 0 })
    #expect(try temporary.bytes("pawl.db-wal").isEmpty)
    for number in 1...3 {
      let killed = try Database(path: temporary("killed-\(number)"), key: testKey)
      #expect(try await killed.loadPeer(node(1))?.sessions.first?.bytes == now)
      // And it goes on from there.
      let next = try await put(noise(300, 9), killed)
      await killed.close()
      let again = try Database(path: temporary("killed-\(number)"), key: testKey)
      #expect(try await again.loadPeer(node(1))?.sessions.first?.bytes == next)
      await again.close()
    }
    await database.close()
  }

  @Test func aFailureBetweenOverwritingAndCuttingLosesNoLaterCommit() async throws {
    let temporary = try TemporaryFolder()
    let isFailing = Mutex<String?>(nil)
    let database = try Database(path: temporary("pawl.db"), key: testKey) { step throws(StoreError) in
      if isFailing.withLock({ $0 }) == step { throw StoreError(.io, detail: step) }
    }
    _ = try await database.addPeer(newPeer(1), alias: .wanted("peer"))
    for (round, step) in ["overwrite the log", "overwrite the log's frames", "truncate the log"].enumerated() {
      let old = pieces(try await put(noise(900, UInt8(10 * round + 1)), database))
      _ = try await put(noise(900, UInt8(10 * round + 2)), database)
      isFailing.withLock { $0 = step }
      #expect(await code { try await database.maintain() } == .io)
      isFailing.withLock { $0 = nil }
      let now = try await put(noise(900, UInt8(10 * round + 3)), database)
      for suffix in ["", "-wal"] { try temporary.file("killed-\(round)\(suffix)", try temporary.bytes("pawl.db\(suffix)")) }
      let killed = try Database(path: temporary("killed-\(round)"), key: testKey)
      #expect(try await killed.loadPeer(node(1))?.sessions.first?.bytes == now, "\(step)")
      await killed.close()
      try await database.maintain()
      #expect(
        try old.allSatisfy { try !contains(temporary.bytes("pawl.db"), $0) && !contains(temporary.bytes("pawl.db-wal"), $0) })
    }
    await database.close()
  }
}
