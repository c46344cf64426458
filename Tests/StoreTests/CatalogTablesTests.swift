import Artifact
import Primitives
import Session
import Testing

@testable import Store

/// What a listing costs follows from its length, and not from how much is shared or how long manifests are.
@Suite struct CatalogTablesTests {
  private func page(
    _ state: State, to byte: UInt8, after position: VersionPosition = .start, limit: Int = 100, noteBytes: Int = 49_132
  ) async throws -> [String] {
    try await state.database.visible(to: node(byte), after: position, limit: limit, noteBytes: noteBytes).map {
      "\($0.name)@v\($0.version)"
    }
  }

  @Test func everyQueryOfAPeerSeeksInAnIndex() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.fillCatalog(20, audience: [1], all: true)
    let database = state.database
    let plans = try await QueryPlans.of(database) {
      _ = try await database.visible(
        to: node(1), after: VersionPosition(name: "model-1-3", version: 1), limit: 5, noteBytes: 100)
      _ = try await database.visible(name: "model-1-3", version: nil, to: node(1))
      _ = try await database.visible(name: "model-1-3", version: 1, to: node(1))
      _ = try await database.isVisible(digest(1), to: node(1))
    }
    #expect(plans.unbounded.isEmpty, "\(plans.steps)")
    // An index that begins with the name would lead through what all the others may have.
    let own = plans.steps.filter { $0.hasPrefix("SEARCH audience ") }
    #expect(own.count > 3 && own.allSatisfy { $0.contains("(peer=? AND ") }, "\(own)")
    await database.close()
  }

  @Test func ourOwnListingSeeksToItsSliceAndACountReadsNoVersion() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.fillCatalog(20, audience: [1])
    let database = state.database
    let plans = try await QueryPlans.of(database) {
      _ = try await database.offered(after: VersionPosition(name: "model-1-3", version: 1), limit: 5)
      _ = try await database.offered(name: "model-1-3", version: nil)
      _ = try await database.publishedFiles(digest(1), from: 5, limit: 5)
      try await database.setSourceState(digest(1), .gone)
    }
    #expect(plans.unbounded.isEmpty, "\(plans.steps)")
    let count = try await QueryPlans.of(database) { _ = try await database.offeredCount() }
    #expect(try await database.offeredCount() == 20)
    #expect(count.steps.count == 1 && count.steps[0].contains("USING COVERING INDEX"), "\(count.steps)")
    await database.close()
  }

  /// A manifest may take 32 MiB of its row, and SQLite walks all of that to what comes behind it.
  @Test func noQueryOfAListingReadsTheTableThatHoldsTheManifests() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.fillCatalog(3, audience: [1])
    let database = state.database
    let plans = try await QueryPlans.of(database) {
      _ = try await database.visible(to: node(1), after: .start, limit: 5, noteBytes: 100)
      _ = try await database.visible(name: "model-1-1", version: nil, to: node(1))
      _ = try await database.isVisible(digest(1), to: node(1))
      _ = try await database.offered(after: .start, limit: 5)
      _ = try await database.offeredCount()
    }
    #expect(plans.steps.allSatisfy { !$0.split(separator: " ").contains("published") }, "\(plans.steps)")
    await database.close()
  }

  @Test func pagesFollowEachOtherWithoutAGapOrARepetition() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.pair(2, alias: "other")
    var expected: [String] = []
    for (number, name) in ["B", "a", "z", "ä", "模型"].enumerated() {
      for version in 1...3 as ClosedRange<ArtifactVersion> {
        // Some for one peer, some for every peer, some for both, some for the other.
        let audience: [[Audience.Member]] = [[.peer(node(1))], [.all], [.all, .peer(node(1))], [.peer(node(2))]]
        let members = audience[(number + Int(version)) % 4]
        try await state.database.publish(
          artifact(name, version, seed: UInt8(10 * number)), files: [], audience: members, rule: .onlyThis)
        if members != [.peer(node(2))] { expected.append("\(name)@v\(version)") }
      }
    }
    #expect(try await page(state, to: 1) == expected)
    for limit in 1...4 {
      var found: [String] = []
      var position = VersionPosition.start
      while true {
        let next = try await state.database.visible(to: node(1), after: position, limit: limit, noteBytes: 10)
        guard let last = next.last else { break }
        found += next.map { "\($0.name)@v\($0.version)" }
        position = last.position
      }
      #expect(found == expected, "\(limit) a page")
    }
    await state.database.close()
  }

  @Test func aPageEndsWhereItsNotesFillIt() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.fillCatalog(30, audience: [1], note: String(repeating: "n", count: 1_000))
    #expect(try await page(state, to: 1, noteBytes: 9_999).count == 10)
    #expect(try await page(state, to: 1, limit: 4).count == 4)
    await state.database.close()
  }

  @Test func whatWasFoundOfAVersionIsKeptUntilItIsSharedAgain() async throws {
    let state = try State()
    let lora = artifact("lora", 1)
    try await state.database.publish(lora, note: "first", files: [], audience: [])
    try await state.database.setSourceState(lora.digest, .gone)
    let after = try state.killed()
    let kept = try #require(try await after.offered(name: "lora", version: 1).first)
    #expect(kept.state == .gone && kept.note == "first" && kept.root == "/src/lora")
    try await after.publish(lora, note: "first", files: [], audience: [])
    #expect(try await after.offered(name: "lora", version: 1).map(\.state) == [.current])
    await after.close()
    await state.database.close()
  }
}
