import Artifact
import EventLoop
import Foundation
import Glibc
import Logging
import Primitives
import Session
@testable import Store
import Testing
import Transfer

@testable import Node

/// What a node removes by itself, what it says before, and what it does about a placement that was
/// cut short.
@Suite(.timeLimit(.minutes(5))) struct RetainingTests {
  /// A clock that a test sets.
  private final class Clock: Sendable {
    private let state = Locked((ahead: Int64(0), passed: Int64(0)))
    /// Time passes.
    func advance(_ seconds: UInt64) {
      state.withLock { ($0.ahead, $0.passed) = ($0.ahead + Int64(seconds), $0.passed + Int64(seconds)) }
    }
    /// Somebody sets the calendar.
    func set(by seconds: Int64) { state.withLock { $0.ahead += seconds } }
    var now: UInt64 { UInt64(Int64(Node.wallClock()) + state.withLock { $0.ahead }) }
    var elapsed: Duration { Retaining.elapsed + .seconds(state.withLock { $0.passed }) }
  }

  private static let day: UInt64 = 86_400
  private static let bytes = pattern(150_000)

  /// A download from laptop that studio has all bytes of, and its record.
  private struct Begun {
    let id: TransferID
    let plan: PlacementPlan
    let digest: Digest
  }

  /// Lays down what a pull of `laptop/art` into `into` leaves right before its files are placed.
  private func begin(
    _ studio: RunningNode, _ laptop: RunningNode, _ house: House, into: String, state: TransferState
  ) async throws -> Begun {
    let context = studio.node.context
    let shared = try #require(try await laptop.node.context.database.published(name: "art"))
    let manifest = try Manifest(decoding: shared.manifest.span)
    let id = TransferID.random(.system)
    let plan = try PlacementPlan.make(
      destination: "\(house.path)/\(into)", folder: "art",
      files: manifest.files.indices.map { WantedFile(index: $0, manifest.files[$0]) }, chunkBytes: manifest.chunkBytes,
      rule: .skip, shortID: String(id.hex.prefix(8)))
    try await context.database.saveManifest(
      KnownManifest(
        digest: shared.digest, publisher: laptop.node.id, name: "art", version: 1, bytes: shared.manifest,
        signature: shared.signature))
    try await context.database.saveTransfer(
      TransferRow(
        id: id.bytes, peer: laptop.node.id, digest: shared.digest, reference: "art@v1", destination: plan.destination,
        partial: plan.partial,
        options: try PullDestination(PullCommand(reference: "laptop/art", directory: plan.destination)).options,
        plan: plan.encoded(), state: state, created: context.now, bootID: BootID.current()))
    let partial = try PartialFolder.create(plan)
    for file in plan.files {
      var offset = 0
      while offset < Self.bytes.count {
        let end = min(offset + plan.chunkBytes, Self.bytes.count)
        try Self.bytes[offset..<end].withUnsafeBytes { try partial.write($0, file: file.index, at: UInt64(offset)) }
        offset = end
      }
    }
    return Begun(id: id, plan: plan, digest: shared.digest)
  }

  private func pair(_ house: House, clock: Clock) async throws -> (studio: RunningNode, laptop: RunningNode) {
    let studio = try await house.start("studio", clock: { clock.now })
    let laptop = try await house.start("laptop", clock: { clock.now })
    try await house.pair(studio, laptop)
    for name in ["a.bin", "b.bin"] { try house.file("art/\(name)", Self.bytes) }
    _ = try await laptop.share("\(house.path)/art", toAll: true)
    return (studio, laptop)
  }

  private func warnings(_ node: RunningNode) async throws -> [String] {
    try await node.node.report().warnings.filter { $0.contains("partial download") }
  }

  /// So many passes an hour apart, by a clock that no calendar moves.
  private func pass(_ node: RunningNode, _ clock: Clock, hours: Int, from first: Int = 0) async {
    for hour in first..<first + hours {
      await node.node.retain(at: .seconds(1_000_000 + hour * 3_600), elapsed: clock.elapsed)
    }
  }

  @Test func aPartialDownloadGoesAfterAMonthAndIsSaidAWeekBefore() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      let database = studio.node.context.database
      let begun = try await begin(studio, laptop, house, into: "in", state: .waiting)
      let away = try await begin(studio, laptop, house, into: "disk/in", state: .waiting)
      await pass(studio, clock, hours: 1)
      clock.advance(22 * Self.day)
      await pass(studio, clock, hours: 1, from: 1)
      #expect(try await warnings(studio).isEmpty)
      clock.advance(Self.day)
      await pass(studio, clock, hours: 1, from: 2)
      let said = try await warnings(studio)
      #expect(said.count == 2)
      let line = try #require(said.first { $0.contains(begun.plan.partial) })
      #expect(line.contains("laptop/art@v1") && line.contains("will be removed in 7 days unless it is resumed"))
      #expect(line.contains("pawl pull laptop/art@v1 -o \(begun.plan.destination)"))
      // Neither does a year go that the machine slept through.
      clock.advance(365 * Self.day)
      await pass(studio, clock, hours: 20, from: 3)
      #expect(house.tree("in").contains { $0.hasSuffix("a.bin") })
      #expect(try await database.transfers().count == 2)
      // One disk is not there when the time has come.
      try FileManager.default.moveItem(atPath: "\(house.path)/disk", toPath: "\(house.path)/unplugged")
      try house.file("in/mine.txt", [42])
      await pass(studio, clock, hours: 5, from: 23)
      #expect(house.tree("in") == ["mine.txt"])
      #expect(try await database.transfers().map(\.id) == [away.id.bytes])
      #expect(try await warnings(studio).count == 1)
      try FileManager.default.moveItem(atPath: "\(house.path)/unplugged", toPath: "\(house.path)/disk")
      await pass(studio, clock, hours: 1, from: 28)
      #expect(house.tree("disk") == ["in"])
      #expect(try await database.transfers().isEmpty)
      #expect(try await warnings(studio).isEmpty)
    }
  }

  @Test func aCalendarThatIsSetBackAndForthTouchesNoFreshDownload() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      _ = try await begin(studio, laptop, house, into: "in", state: .waiting)
      await pass(studio, clock, hours: 1)
      clock.set(by: 370 * Int64(Self.day))
      await pass(studio, clock, hours: 1, from: 1)
      #expect(try await warnings(studio).isEmpty)
      clock.set(by: -370 * Int64(Self.day))
      for hour in 2..<27 {
        clock.advance(3_600)
        await pass(studio, clock, hours: 1, from: hour)
      }
      clock.set(by: 370 * Int64(Self.day))
      await pass(studio, clock, hours: 2, from: 27)
      #expect(try await warnings(studio).isEmpty)
      #expect(house.tree("in").contains { $0.hasSuffix("a.bin") })
    }
  }

  @Test func theNodesOwnTickLooksAfterDownloads() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      _ = try await begin(studio, laptop, house, into: "in", state: .waiting)
      await studio.node.tick()
      try await eventually("a pass is over", on: house.loop) { await studio.node.retaining.passes > 0 }
      await studio.stop()
      clock.advance(24 * Self.day)
      let again = try await house.start("studio", port: studio.port, clock: { clock.now })
      await again.node.tick()
      try await eventually("the user is told", on: house.loop) { try await warnings(again).count == 1 }
    }
  }

  @Test func aDownloadThatIsResumedIsNotRemoved() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      _ = try await begin(studio, laptop, house, into: "in", state: .waiting)
      await pass(studio, clock, hours: 1)
      clock.advance(29 * Self.day)
      await pass(studio, clock, hours: 30, from: 1)
      #expect(try await warnings(studio).count == 1)
      _ = try await studio.pull("laptop/art@v1", into: "\(house.path)/in")
      #expect(house.tree("in") == ["art", "art/a.bin", "art/b.bin"])
      clock.advance(30 * Self.day)
      await pass(studio, clock, hours: 30, from: 31)
      #expect(house.tree("in") == ["art", "art/a.bin", "art/b.bin"])
    }
  }

  @Test(arguments: ["before", "between", "after"])
  func aPlacementThatWasCutShortIsCompletedAtTheNextStart(_ moment: String) async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      try house.file("in/art/mine.txt", [42])
      let begun = try await begin(studio, laptop, house, into: "in", state: .placing)
      // What a process that was killed in the middle has moved.
      let moved = moment == "before" ? [] : moment == "between" ? ["a.bin"] : ["a.bin", "b.bin"]
      for name in moved {
        try FileManager.default.moveItem(
          atPath: "\(begun.plan.partial)/art/\(name)", toPath: "\(house.path)/in/art/\(name)")
      }
      if moment == "after" { try FileManager.default.removeItem(atPath: begun.plan.partial) }
      await studio.stop()
      let again = try await house.start("studio", port: studio.port, clock: { clock.now })
      // The start does it; the first pass would too.
      await again.node.holdRetaining()
      try await eventually("it is delivered and read back", on: house.loop) {
        let database = again.node.context.database
        guard let holding = try await database.holdings().first else { return false }
        return try await database.holdingFiles(holding.id).map(\.state) == [.verified, .verified]
      }
      #expect(try await again.node.context.database.transfers().isEmpty)
      #expect(house.tree("in") == ["art", "art/a.bin", "art/b.bin", "art/mine.txt"])
      let holding = try #require(try await again.node.context.database.holdings().first)
      #expect(holding.digest == begun.digest && holding.peer == laptop.node.id && holding.path == "\(house.path)/in/art")
    }
  }

  @Test func aVersionThatWentLongAgoKeepsItsNumber() async throws {
    try await withHouse { house in
      let clock = Clock()
      let studio = try await house.start("studio", clock: { clock.now })
      let path = try house.file("out/a.bin", Self.bytes)
      let first = try await studio.share(path, toAll: true)
      _ = try await studio.node.unshare("a.bin")
      await pass(studio, clock, hours: 1)
      clock.advance(31 * Self.day)
      await pass(studio, clock, hours: 24, from: 1)
      let database = studio.node.context.database
      #expect(try await database.number("SELECT count(*) FROM published") == 0)
      let second = try await studio.share(path, toAll: true)
      #expect(second.version == 2 && second.isNew)
      let shared = try #require(try await database.published(name: "a.bin"))
      let manifest = try Manifest(decoding: shared.manifest.span)
      #expect(manifest.previous?.hex == first.digest)
      // And what is offered stays, however old it is.
      clock.advance(3_650 * Self.day)
      await pass(studio, clock, hours: 48, from: 25)
      #expect(try await studio.node.list(peer: nil).map(\.version) == [2])
    }
  }

  // MARK: One at a time at a placement

  /// A download of many files, so that placing them takes a while.
  private func many(_ house: House) async throws -> (studio: RunningNode, laptop: RunningNode) {
    let studio = try await house.start("studio")
    let laptop = try await house.start("laptop")
    try await house.pair(studio, laptop)
    for number in 0..<300 { try house.file("art/\(number).bin", Self.bytes) }
    _ = try await laptop.share("\(house.path)/art", toAll: true)
    try house.file("in/art/mine.txt", [42])
    return (studio, laptop)
  }

  @Test func aTransferThatIsBeingPlacedCannotBeCanceled() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await pair(house, clock: Clock())
      let begun = try await begin(studio, laptop, house, into: "in", state: .placing)
      // As a start does, before the files get their names.
      await studio.node.holdPlacements()
      let error = try await nodeError { _ = try await studio.node.cancel(transfer: begun.id.hex) }
      #expect(error.code == .conflict)
      #expect(house.tree("in").contains { $0.hasSuffix("a.bin") })
      await studio.node.finishPlacements()
      #expect(house.tree("in") == ["art", "art/a.bin", "art/b.bin"])
      #expect(await studio.node.heldTransfers.isEmpty)
    }
  }

  @Test func whatWasFetchedFromARevokedPeerGoesOnceItsDiskIsThereAndNobodyIsAtIt() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await pair(house, clock: Clock())
      let placing = try await begin(studio, laptop, house, into: "in", state: .waiting)
      let away = try await begin(studio, laptop, house, into: "disk/in", state: .waiting)
      try FileManager.default.moveItem(atPath: "\(house.path)/disk", toPath: "\(house.path)/unplugged")
      // As while its files are getting their names.
      await studio.node.hold(placing.id)
      _ = try await studio.node.revoke("laptop")
      #expect(house.tree("in").contains { $0.hasSuffix("a.bin") })
      #expect(try await studio.node.context.database.transfers().isEmpty)
      await studio.stop()
      try FileManager.default.moveItem(atPath: "\(house.path)/unplugged", toPath: "\(house.path)/disk")
      let again = try await house.start("studio", port: studio.port)
      try await eventually("both are gone", on: house.loop) {
        try await again.node.context.database.orphanedPartials().isEmpty
      }
      #expect(house.tree("disk") == ["in"] && house.tree("in").isEmpty)
      #expect(!FileManager.default.fileExists(atPath: away.plan.partial))
    }
  }

  @Test func aPullWhoseDiskIsAwayKeepsWhatItHas() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await pair(house, clock: Clock())
      let begun = try await begin(studio, laptop, house, into: "disk/in", state: .waiting)
      try FileManager.default.moveItem(atPath: "\(house.path)/disk", toPath: "\(house.path)/unplugged")
      let error = try await nodeError { _ = try await studio.pull("laptop/art", into: "\(house.path)/disk/in") }
      #expect(error.code == .notFound && error.message.contains("disk/in is not there"))
      #expect(try await studio.node.context.database.transfers().map(\.id) == [begun.id.bytes])
      #expect(!FileManager.default.fileExists(atPath: "\(house.path)/disk"))
      try FileManager.default.moveItem(atPath: "\(house.path)/unplugged", toPath: "\(house.path)/disk")
      _ = try await studio.pull("laptop/art", into: "\(house.path)/disk/in")
      #expect(house.tree("disk/in") == ["art", "art/a.bin", "art/b.bin"])
    }
  }

  @Test func aFileSystemWhoseNumberChangedIsSaidAnewBeforeAnythingGoes() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await pair(house, clock: clock)
      let database = studio.node.context.database
      _ = try await begin(studio, laptop, house, into: "in", state: .waiting)
      await pass(studio, clock, hours: 1)
      clock.advance(23 * Self.day)
      await pass(studio, clock, hours: 25, from: 1)
      // As after a restart of the machine.
      try await database.run("UPDATE retention SET volume = volume + 1 WHERE kind = 'transfer'")
      clock.advance(7 * Self.day)
      await pass(studio, clock, hours: 3, from: 26)
      #expect(house.tree("in").contains { $0.hasSuffix("a.bin") })
      #expect(try await warnings(studio).first?.contains("in 7 days") == true)
      clock.advance(7 * Self.day)
      await pass(studio, clock, hours: 26, from: 29)
      #expect(house.tree("in").isEmpty)
    }
  }

  @Test func cancelWhileAPlacementIsBeingFinishedLeavesNothingWithoutARecord() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await many(house)
      let begun = try await begin(studio, laptop, house, into: "in", state: .placing)
      let finishing = Task { await studio.node.finishPlacements() }
      try await eventually("it is on its way", on: house.loop) { house.tree("in").contains("art/3.bin") }
      let result = await Task { try await studio.node.cancel(transfer: begun.id.hex) }.result
      await finishing.value
      let there = house.tree("in").count { $0.hasPrefix("art/") && $0.hasSuffix(".bin") }
      #expect(try await studio.node.context.database.number("SELECT count(*) FROM holding_file") == there)
      if case .success = result { #expect(there == 0, "it said that nothing is kept") }
    }
  }

  @Test func onlyOnePassFinishesAPlacement() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await many(house)
      let begun = try await begin(studio, laptop, house, into: "in", state: .placing)
      await studio.node.holdPlacements()
      let first = Task { await studio.node.finishPlacements() }
      try await eventually("it is on its way", on: house.loop) { house.tree("in").contains("art/3.bin") }
      await studio.node.retain(at: .seconds(5_000_000))
      let isHeld = await studio.node.heldTransfers.contains(begun.id)
      #expect(isHeld || !FileManager.default.fileExists(atPath: begun.plan.partial))
      await first.value
      let database = studio.node.context.database
      #expect(try await database.number("SELECT seq FROM sqlite_sequence WHERE name = 'holding'") == 1)
      #expect(await studio.node.heldTransfers.isEmpty)
    }
  }
}

extension Node {
  fileprivate func hold(_ transfer: TransferID) { heldTransfers.insert(transfer) }
}

extension Node {
  /// No pass begins any more.
  fileprivate func holdRetaining() { retaining.isWorking = true }
}
