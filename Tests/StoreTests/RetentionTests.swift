import Artifact
import Primitives
import Session
import Testing

@testable import Store

/// What goes with time, what is said before, and what never goes.
@Suite struct RetentionTests {
  private static let day: UInt64 = 86_400
  private static let start: UInt64 = 1_800_000_000

  private func stateWithTransfer() async throws -> State {
    let state = try State()
    try await state.pair(1)
    try await state.database.saveTransfer(transfer(7))
    #expect(try await state.database.noteIdleTransfers(now: Self.start, ranSeconds: 0).isEmpty)
    return state
  }

  @Test func aDownloadThatNobodyContinuesIsSaidAWeekBeforeItIsDue() async throws {
    let state = try await stateWithTransfer()
    let database = state.database
    #expect(try await database.noteIdleTransfers(now: Self.start + 23 * Self.day - 1, ranSeconds: 3_600).isEmpty)
    let said = try #require(try await database.noteIdleTransfers(now: Self.start + 23 * Self.day, ranSeconds: 3_600).first)
    #expect(said.isNew && !said.isDue && said.removal >= Self.start + 30 * Self.day)
    let again = try await database.noteIdleTransfers(now: Self.start + 24 * Self.day, ranSeconds: Self.day)
    #expect(again.map(\.isNew) == [false] && again.map(\.isDue) == [false])
    #expect(again.map(\.removal) == [Self.start + 30 * Self.day])
    #expect(try await database.idleTransfers(now: Self.start + 30 * Self.day - 1).map(\.isDue) == [false])
    #expect(try await database.idleTransfers(now: Self.start + 30 * Self.day).map(\.isDue) == [true])
    await database.close()
  }

  @Test func whoeverContinuesADownloadBeginsTheMonthAnew() async throws {
    let state = try await stateWithTransfer()
    let database = state.database
    let id = transfer(7).id
    let uses: [@Sendable () async throws -> Void] = [
      { try await database.saveResume(id, [0: [1]]) }, { try await database.saveResume(id, [0: [3]]) },
      { try await database.setTransferState(id, .running) }, { try await database.saveTransfer(transfer(7, state: .running)) },
    ]
    var now = Self.start
    for use in uses {
      now += 25 * Self.day
      #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 0).count == 1)
      try await use()
      #expect(try await database.noteIdleTransfers(now: now, ranSeconds: Self.day).isEmpty)
      #expect(try await database.noteIdleTransfers(now: now + 22 * Self.day, ranSeconds: Self.day).isEmpty)
    }
    // An end is no progress.
    now += 25 * Self.day
    try await database.setTransferState(id, .waiting)
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 0).count == 1)
    try await database.deleteTransfer(id)
    #expect(try await database.number("SELECT count(*) FROM retention") == 0)
    await database.close()
  }

  @Test func aClockThatJumpsAYearAheadMakesNothingDue() async throws {
    let state = try await stateWithTransfer()
    let database = state.database
    var now = Self.start + 365 * Self.day
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 10).map(\.isDue) == [false])
    // Another jump, an hour later: nobody had the time to read it.
    now += 365 * Self.day
    let said = try #require(try await database.noteIdleTransfers(now: now, ranSeconds: 3_600).first)
    #expect(!said.isDue && said.removal == now + 23 * 3_600)
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 23 * 3_600 - 1).map(\.isDue) == [false])
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 1).map(\.isDue) == [true])
    // And one that goes back takes back what was said.
    now = Self.start + 10 * Self.day
    #expect(try await database.idleTransfers(now: now).isEmpty)
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 30 * Self.day).isEmpty)
    await database.close()
  }

  @Test func aClockThatJumpsTwiceDoesNotMakeAFreshDownloadDue() async throws {
    let state = try await stateWithTransfer()
    let database = state.database
    #expect(try await database.noteIdleTransfers(now: Self.start + 370 * Self.day, ranSeconds: 60).map(\.isDue) == [false])
    // Back to normal, for a day of running: that is no day in which somebody was told.
    for hour: UInt64 in 0...24 {
      #expect(try await database.noteIdleTransfers(now: Self.start + hour * 3_600, ranSeconds: 3_600).isEmpty)
    }
    let now = Self.start + 371 * Self.day
    let said = try #require(try await database.noteIdleTransfers(now: now, ranSeconds: 3_600).first)
    #expect(said.isNew && !said.isDue && said.removal == now + 7 * Self.day)
    #expect(try await database.idleTransfers(now: now + 100 * Self.day).map(\.isDue) == [false])
    await database.close()
  }

  @Test func aJumpThatIsKnownCountsAsNothing() async throws {
    let state = try await stateWithTransfer()
    let database = state.database
    let jump = 370 * Self.day
    #expect(try await database.noteIdleTransfers(now: Self.start + jump, ranSeconds: 60, jumpedSeconds: jump).isEmpty)
    var now = Self.start + jump + 23 * Self.day
    #expect(try await database.noteIdleTransfers(now: now - 1, ranSeconds: 3_600).isEmpty)
    #expect(try await database.noteIdleTransfers(now: now, ranSeconds: 3_600).map(\.removal) == [now + 7 * Self.day])
    // Another one, in the week of the notice.
    now += jump
    let said = try await database.noteIdleTransfers(now: now, ranSeconds: 2 * Self.day, jumpedSeconds: jump)
    #expect(said.map(\.removal) == [now + 7 * Self.day] && said.map(\.isDue) == [false])
    await database.close()
  }

  private func publish(_ version: ArtifactVersion, files: Int, in database: Database) async throws {
    let identity = FileIdentity(device: 1, inode: 2, sizeBytes: 3, modifiedNanoseconds: 4)
    try await database.publish(
      artifact("lora", version), files: (0..<files).map { PublishedFile(index: $0, source: "\($0)", identity: identity) },
      audience: [])
  }

  /// A whole sweep; returns in how many slices.
  @discardableResult private func sweep(_ database: Database, now: UInt64) async throws -> Int {
    var slices = 0
    var next: RetentionSweep? = RetentionSweep()
    while let sweep = next {
      next = try await database.sweep(sweep, now: now)
      slices += 1
    }
    return slices
  }

  @Test func aSweepLooksAtEveryRowOnceHoweverManyThereAre() async throws {
    let state = try State()
    let database = state.database
    func fill(_ names: Range<Int>) async throws {
      try await database.run(
        """
        WITH RECURSIVE n(i) AS (VALUES (\(names.lowerBound)) UNION ALL SELECT i + 1 FROM n WHERE i < \(names.upperBound - 1))
        INSERT INTO known_manifest SELECT CAST(printf('%032d', i * 7919 % 1000000) AS BLOB), zeroblob(32),
          printf('name%d', i / 10), i % 10 + 1, zeroblob(40), zeroblob(64) FROM n
        """)
    }
    try await fill(0..<4_000)
    let plans = try await QueryPlans.of(database) {
      let slices = try await sweep(database, now: Self.start)
      #expect(slices < 60)
    }
    // Which manifests are in use is asked only where some are due.
    #expect(Set(plans.unbounded.filter { $0.hasPrefix("SCAN ") }).isSubset(of: ["SCAN transfer", "SCAN holding"]))
    #expect(!plans.unbounded.contains { $0.contains("ORDER BY") }, "\(plans.unbounded)")
    #expect(try await database.number("SELECT count(*) FROM known_manifest") == 1_200)
    #expect(try await database.number("SELECT count(*) FROM known_manifest WHERE version < 8") == 0)
    let idle = try await QueryPlans.of(database) { try await sweep(database, now: Self.start) }
    #expect(idle.unbounded.isEmpty, "\(idle.unbounded)")
  }

  @Test func aWithdrawnVersionGoesAfterAMonthInSlicesAndItsNumberStays() async throws {
    let state = try State()
    let database = state.database
    for version: ArtifactVersion in 1...3 { try await publish(version, files: 1_200, in: database) }
    _ = try await database.withdraw(name: "lora", version: 3)
    _ = try await database.withdraw(name: "lora", version: 1)
    var now = Self.start
    try await sweep(database, now: now)
    #expect(try await database.number("SELECT count(*) FROM retention") == 2)
    // Brought back and withdrawn again: the month begins anew.
    now += 20 * Self.day
    try await publish(3, files: 1_200, in: database)
    _ = try await database.withdraw(name: "lora", version: 3)
    now += 10 * Self.day
    try await sweep(database, now: now)
    #expect(try await database.number("SELECT min(version) * 10 + max(version) FROM published") == 23)
    #expect(try await database.pastVersion("lora")?.version == 1)
    try await sweep(database, now: now)
    now += 30 * Self.day
    var slices: [Int] = []
    while case let count = try await database.retireWithdrawn(now: now), count > 0 { slices.append(count) }
    #expect(slices == [500, 500, 201])
    // What is still offered is never removed, and the number of what was stays.
    #expect(try await database.number("SELECT sum(version) FROM published") == 2)
    #expect(try await database.publishedFiles(artifact("lora", 2).digest).count == 1_200)
    let past = try #require(try await database.pastVersion("lora"))
    #expect(past.version == 3 && past.digest == artifact("lora", 3).digest)
    #expect(try await database.retireWithdrawn(now: now + 3_650 * Self.day) == 0)
    #expect(try await database.number("SELECT count(*) FROM retention") == 0)
    await database.close()
  }

  private func see(_ version: ArtifactVersion, in database: Database) async throws {
    let seen = digest(UInt8(version))
    _ = try await database.remember(publisher: node(1), name: "lora", version: version, digest: seen)
    try await database.saveManifest(
      KnownManifest(
        digest: seen, publisher: node(1), name: "lora", version: version, bytes: [UInt8](repeating: 1, count: 9_000),
        signature: [2]))
  }

  @Test func peersManifestsGoAndWhatPublishersShowedAndReplayHashesStay() async throws {
    let state = try State()
    let database = state.database
    try await state.pair(1)
    let replay = ReplayEntry(hash: digest(99), session: session(1), expires: .max >> 1)
    try await database.apply([commit(1, [.putReplay(replay)])])
    for version: ArtifactVersion in 1...7 { try await see(version, in: database) }
    let kept = TransferRow(
      id: [UInt8](repeating: 7, count: 16), peer: node(1), digest: digest(2), reference: "lora@v2", destination: "/d",
      partial: nil,
      options: [], plan: [], state: .waiting, created: 1, bootID: "")
    try await database.saveTransfer(kept)
    _ = try await database.recordDelivery(
      transfer: nil,
      holding: Holding(
        digest: digest(1), name: "lora", version: 1, publisher: node(1), peer: node(1), path: "/d/lora", delivered: 1),
      files: [HoldingFile(index: 0, path: "/d/lora", sizeBytes: 1, expected: digest(0))])
    func left() async throws -> [Int] {
      var left: [Int] = []
      for version in 1...7 where try await database.manifest(digest(UInt8(version))) != nil { left.append(version) }
      return left
    }
    try await sweep(database, now: Self.start)
    #expect(try await left() == [1, 2, 5, 6, 7], "the newest three, a delivery's and a download's")
    // One that was fetched again counts anew.
    try await see(6, in: database)
    try await sweep(database, now: Self.start + 100 * Self.day)
    try await sweep(database, now: Self.start + 180 * Self.day)
    #expect(try await left() == [1, 2, 6])
    #expect(try await database.remembered(publisher: node(1), name: "lora")?.version == 7)
    for version: ArtifactVersion in 1...7 {
      let said = try await database.remember(publisher: node(1), name: "lora", version: version, digest: digest(UInt8(version)))
      #expect(said == .known)
    }
    #expect(try await database.loadPeer(node(1))?.replays == [replay])
    await database.close()
  }
}
