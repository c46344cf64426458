import Artifact
import Primitives
import Testing

@testable import Session
@testable import Store

func artifact(_ name: String, _ version: ArtifactVersion, seed: UInt8 = 0) -> PublishedArtifact {
  PublishedArtifact(
    name: name, version: version, digest: digest(UInt8(version) &+ seed), manifest: [1, seed], signature: [2],
    root: "/src/\(name)",
    isFolder: true, created: 5)
}

func transfer(_ byte: UInt8, peer: UInt8 = 1, plan: [UInt8] = [], state: TransferState = .waiting) -> TransferRow {
  TransferRow(
    id: [UInt8](repeating: byte, count: 16), peer: node(peer), digest: digest(1), reference: "studio/lora", destination: "/d",
    partial: nil, options: [1], plan: plan, state: state, created: UInt64(byte), bootID: "boot")
}

@Suite struct PublishedTablesTests {
  private func visible(_ state: State, to peer: NodeID) async throws -> [String] {
    try await state.database.visible(to: peer, after: .start, limit: 100, noteBytes: 1_000).map(\.name)
  }

  @Test func aPublishedVersionComesBackWithItsFiles() async throws {
    let state = try State()
    let identity = FileIdentity(device: .max, inode: .max - 1, sizeBytes: 1 << 40, modifiedNanoseconds: -5)
    let files = [
      PublishedFile(index: 0, source: "a", identity: identity, leaves: pattern(64)),
      PublishedFile(index: 1, source: "b/模型", identity: identity, leaves: []),
    ]
    let published = artifact("lora", 1)
    try await state.database.publish(published, files: files, audience: [])
    #expect(try await state.database.published(name: "lora") == published)
    #expect(try await state.database.published(digest: published.digest) == published)
    #expect(try await state.database.publishedFiles(published.digest, withLeaves: true) == files)
    #expect(try await state.database.publishedFiles(published.digest).map(\.leaves) == [[], []])
    #expect(try await state.database.leafList(published.digest, file: 0) == pattern(64))
    #expect(try await state.database.leafList(published.digest, file: 5) == nil)
    await state.database.close()
  }

  @Test func versionsCountUpAndAreNeverTakenTwice() async throws {
    let state = try State()
    try await state.database.publish(artifact("lora", 1), files: [], audience: [])
    try await state.database.publish(artifact("lora", 2), files: [], audience: [])
    let result = await code {
      try await state.database.publish(artifact("lora", 2, seed: 9), files: [], audience: [])
    }
    #expect(result == .versionTaken)
    #expect(try await state.database.withdraw(name: "lora", version: 2).map(\.version) == [2])
    #expect(try await state.database.published(name: "lora")?.version == 1)
    #expect(try await state.database.published(name: "lora", version: 2) == nil)
    #expect(try await state.database.latest("lora")?.version == 2)
    #expect(try await state.database.offered(name: "lora", version: nil).map(\.version) == [1])
    #expect(try await state.database.offeredCount() == 1)
    await state.database.close()
  }

  @Test func aPeerSeesWhatWasSharedWithItAndNothingElse() async throws {
    let state = try State()
    try await state.pair(1, alias: "a")
    try await state.pair(2, alias: "b")
    try await state.database.publish(artifact("nobody", 1), files: [], audience: [])
    try await state.database.publish(artifact("one", 2), files: [], audience: [.peer(node(1))])
    try await state.database.publish(artifact("everybody", 3), files: [], audience: [.all])
    #expect(try await visible(state, to: node(1)) == ["everybody", "one"])
    #expect(try await visible(state, to: node(2)) == ["everybody"])
    #expect(try await visible(state, to: node(9)).isEmpty)
    #expect(try await state.database.isVisible(digest(2), to: node(1)))
    #expect(try await !state.database.isVisible(digest(2), to: node(2)))
    #expect(try await !state.database.isVisible(digest(9), to: node(1)))
    #expect(try await state.database.visible(name: "one", version: nil, to: node(2)) == nil)
    #expect(try await state.database.visible(name: "one", version: 2, to: node(1))?.name == "one")
    #expect(try await state.database.visible(name: "one", version: 3, to: node(1)) == nil)
    // Everybody is also who comes later.
    try await state.pair(3, alias: "c")
    #expect(try await visible(state, to: node(3)) == ["everybody"])
    try await state.database.setBlocked(node(1), true)
    #expect(try await visible(state, to: node(1)).isEmpty)
    await state.database.close()
  }

  @Test func withdrawingTheLastVersionForgetsTheAudience() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1)), .all])
    #expect(try await state.database.withdraw(name: "lora", version: nil).count == 1)
    #expect(try await state.database.withdraw(name: "lora", version: nil).isEmpty)
    try await state.database.publish(artifact("lora", 2), files: [], audience: [])
    #expect(try await state.database.audience("lora", version: 2).isEmpty)
    #expect(try await visible(state, to: node(1)).isEmpty)
    // The very same manifest may come back.
    try await state.database.publish(artifact("lora", 1), files: [], audience: [])
    #expect(try await state.database.published(name: "lora", version: 1) != nil)
    await state.database.close()
  }
}

@Suite struct KnownTablesTests {
  @Test func aPublisherThatShowsTwoThingsUnderOneVersionIsNoticed() async throws {
    let state = try State()
    func remember(_ version: ArtifactVersion, _ byte: UInt8, by publisher: UInt8 = 1) async throws -> RememberOutcome {
      try await state.database.remember(publisher: node(publisher), name: "lora", version: version, digest: digest(byte))
    }
    #expect(try await remember(2, 2) == .new)
    #expect(try await remember(2, 2) == .known)
    #expect(try await remember(2, 3) == .differs(known: digest(2)))
    #expect(try await remember(2, 3, by: 9) == .new)
    #expect(try await remember(1, 1) == .lower(highest: RememberedVersion(version: 2, digest: digest(2))))
    #expect(try await remember(.max, 7) == .new)
    #expect(try await state.database.remembered(publisher: node(1), name: "lora")?.version == .max)
    #expect(try await state.database.remembered(publisher: node(1), name: "other") == nil)
    await state.database.close()
  }

  @Test func aVerifiedManifestComesBackByteForByte() async throws {
    let state = try State()
    let manifest = KnownManifest(
      digest: digest(1), publisher: node(1), name: "lora", version: 3, bytes: pattern(5_000), signature: pattern(3_373))
    try await state.database.saveManifest(manifest)
    try await state.database.saveManifest(manifest)
    #expect(try await state.database.manifest(digest(1)) == manifest)
    #expect(try await state.database.manifest(digest(2)) == nil)
    await state.database.close()
  }
}

@Suite struct TransferTablesTests {
  @Test func aTransferAndItsMapsSurviveAKill() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.saveTransfer(transfer(1))
    try await state.database.setTransferPlan(transfer(1).id, plan: [9], partial: "/d/.pawl-partial-1")
    try await state.database.setTransferState(transfer(1).id, .running)
    try await state.database.saveResume(transfer(1).id, [0: [0x80], 7: [0xFF, 0x01]])
    try await state.database.saveResume(transfer(1).id, [0: [0xC0], 8: [1]])
    try await state.database.saveResume(transfer(1).id, [8: []])
    let after = try state.killed()
    let row = try #require(try await after.transfers().first)
    #expect(row.state == .running && row.plan == [9] && row.partial == "/d/.pawl-partial-1" && row.bootID == "boot")
    #expect(try await after.resumeMaps(row.id) == [0: [0xC0], 7: [0xFF, 0x01]])
    try await after.setTransferBoot(row.id, bootID: "next")
    #expect(try await after.transfer(row.id)?.bootID == "next")
    await after.close()
    await state.database.close()
  }

  @Test func savingAgainKeepsTheMaps() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.saveTransfer(transfer(1))
    try await state.database.saveResume(transfer(1).id, [0: [1]])
    try await state.database.saveTransfer(transfer(1, state: .paused))
    #expect(try await state.database.resumeMaps(transfer(1).id) == [0: [1]])
    #expect(try await state.database.transfer(transfer(1).id)?.state == .paused)
    await state.database.close()
  }

  @Test func aCancelledTransfersLastWritesAreRefused() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.saveTransfer(transfer(1))
    try await state.database.saveResume(transfer(1).id, [0: [1]])
    try await state.database.deleteTransfer(transfer(1).id)
    #expect(await code { try await state.database.saveResume(transfer(1).id, [0: [1]]) } == .unknownTransfer)
    #expect(await code { try await state.database.setTransferState(transfer(1).id, .failed) } == .unknownTransfer)
    #expect(try await state.database.resumeMaps(transfer(1).id).isEmpty)
    #expect(await code { try await state.database.saveTransfer(transfer(2, peer: 9)) } == .unknownPeer)
    await state.database.close()
  }

  @Test func aDeliveryTakesTheTransfersPlaceInOneStep() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.saveTransfer(transfer(1))
    let holding = Holding(
      digest: digest(1), name: "lora", version: 1, publisher: node(1), peer: node(1), path: "/d/lora", delivered: 7)
    let files = (0..<3).map { HoldingFile(index: $0, path: "/d/lora/\($0)", sizeBytes: 1, expected: digest(UInt8($0))) }
    let id = try await state.database.recordDelivery(transfer: transfer(1).id, holding: holding, files: files)
    #expect(try await state.database.transfers().isEmpty)
    let database = state.database
    #expect(try await database.pendingReadBacks() == [id])
    #expect(try await database.setReadBack(holding: id, file: 0, .hash(digest(0))) == .verified)
    #expect(try await database.setReadBack(holding: id, file: 1, .hash(digest(9))) == .condemned)
    #expect(try await database.setReadBack(holding: id, file: 2, .missing) == .missing)
    #expect(try await database.setReadBack(holding: id, file: 3, .missing) == nil)
    #expect(try await database.pendingReadBacks() == [id], "one is still to be set aside")
    try await database.setQuarantined(holding: id, file: 1)
    #expect(try await database.pendingReadBacks().isEmpty)
    let stored = try await database.holdingFiles(id)
    #expect(stored.map(\.state) == [.verified, .mismatch, .missing])
    #expect(stored.map(\.computed) == [digest(0), digest(9), nil])
    // What was once what its publisher claimed was changed here; what was set aside stays condemned by its name.
    #expect(try await database.setReadBack(holding: id, file: 0, .hash(digest(9))) == .changed)
    #expect(try await database.setReadBack(holding: id, file: 0, .hash(digest(0))) == .verified)
    #expect(try await database.setReadBack(holding: id, file: 1, .hash(digest(8))) == .mismatch)
    #expect(try await database.setReadBack(holding: id, file: 2, .unreadable) == .unreadable)
    #expect(try await database.pendingReadBacks() == [id])
    #expect(try await state.database.holdings(name: "lora").map(\.path) == ["/d/lora"])
    #expect(try await state.database.holdings(name: "other").isEmpty)
    await state.database.close()
  }

  @Test func recordingADeliveryLooksAtNoOther() async throws {
    let state = try State()
    try await state.pair(1)
    let database = state.database
    let holding = Holding(
      digest: digest(1), name: "lora", version: 1, publisher: node(1), peer: node(1), path: "/d/lora", delivered: 7)
    func files(_ names: [String]) -> [HoldingFile] {
      names.enumerated().map { HoldingFile(index: $0, path: "/d/lora/\($1)", sizeBytes: 1, expected: digest(UInt8($0))) }
    }
    let first = try await database.recordDelivery(transfer: nil, holding: holding, files: files(["a", "b"]))
    let plans = try await QueryPlans.of(database) {
      _ = try await database.recordDelivery(transfer: [9], holding: holding, files: files(["b", "c"]))
    }
    #expect(plans.unbounded.isEmpty, "\(plans.steps)")
    #expect(try await database.holdings().map(\.id).contains(first), "one of its files is as it was")
    _ = try await database.recordDelivery(transfer: nil, holding: holding, files: files(["a"]))
    #expect(try await !database.holdings().map(\.id).contains(first))
    await database.close()
  }

  @Test func pullingTheSamePathsAgainReplacesTheirRecord() async throws {
    let state = try State()
    let holding = Holding(
      digest: digest(1), name: "lora", version: 1, publisher: node(1), peer: nil, path: "/d/lora", delivered: 7)
    let file = HoldingFile(index: 0, path: "/d/lora/a", sizeBytes: 1, expected: digest(1))
    _ = try await state.database.recordDelivery(transfer: nil, holding: holding, files: [file])
    let second = try await state.database.recordDelivery(transfer: nil, holding: holding, files: [file])
    #expect(try await state.database.holdings().map(\.id) == [second])
    await state.database.close()
  }
}
