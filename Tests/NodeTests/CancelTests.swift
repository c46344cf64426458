import EventLoop
import Store
import Testing

@testable import Node

/// Pulls that are canceled, running or stored, and what is shown of them.
@Suite(.timeLimit(.minutes(3))) struct CancelTests {
  private static let megabyte = 1 << 20

  /// A pull from studio to laptop that never ends, since all that comes is spoilt on its way; `beginning`: but for the first
  /// two megabytes, of which something is verified; `silent`: nothing comes.
  private func withEndlessPull(
    beginning: Bool = false, silent: Bool = false,
    _ body: @Sendable (House, _ studio: RunningNode, _ laptop: RunningNode, Task<PullSummary, any Error>) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      try house.file("art/a.bin", pattern(2 * Self.megabyte))
      try house.file("art/b.bin", pattern(3 * Self.megabyte))
      _ = try await studio.share("\(house.path)/art", to: ["laptop"])
      // Known beforehand, so that the manifest need not come over the spoilt connection.
      _ = try await laptop.node.show("studio/art")
      await meddler.lay { place, bytes in
        if silent, place.purpose == 3, !place.isFromDialler { return .withhold }
        let isBeginning = beginning && place.number == 1 && place.offset + bytes.count < 2 * Self.megabyte
        if place.purpose == 3, !place.isFromDialler, !isBeginning { bytes[bytes.count / 2] ^= 1 }
        return .pass
      }
      let (phases, phase) = AsyncStream.makeStream(of: Void.self)
      let pull = Task {
        defer { phase.finish() }
        return try await laptop.pull("studio/art", into: "\(house.path)/in") {
          if $0.phase == .examining { phase.yield() }
        }
      }
      for await _ in phases { break }
      try await eventually("it has its folder", on: house.loop) {
        try await laptop.node.transfers().first?.partial.map { _ in !house.tree("in").isEmpty } ?? false
      }
      if beginning {
        try await eventually("something is verified", on: house.loop) {
          try await laptop.node.transfers().first.map { $0.bytes > 0 } ?? false
        }
      }
      try await body(house, studio, laptop, pull)
    }
  }

  private func error(of pull: Task<PullSummary, any Error>) async throws -> NodeError {
    try await nodeError { _ = try await pull.value }
  }

  @Test func aRunningPullThatIsCanceledEndsAndLeavesNothing() async throws {
    try await withEndlessPull { house, _, laptop, pull in
      let listed = try #require(try await laptop.node.transfers().first)
      #expect(listed.isPull && listed.name == "art" && listed.version == 1 && listed.peer == "studio")
      let canceled = try await laptop.node.cancel(transfer: String(listed.id.prefix(6)))
      #expect(canceled.id == listed.id)
      // Gone when `cancel` returns, not some time after.
      #expect(house.tree("in") == [])
      #expect(try await laptop.node.context.database.transfers() == [])
      #expect(try await laptop.node.transfers().isEmpty)
      let error = try await error(of: pull)
      #expect(error.code == .interrupted)
      #expect(error.message.contains("canceled"))
      #expect(try await nodeError { _ = try await laptop.node.cancel(transfer: listed.id) }.code == .notFound)
    }
  }

  @Test func aPullThatWasInterruptedBeforeAnythingWasVerifiedLeavesNothing() async throws {
    try await withEndlessPull { house, _, laptop, pull in
      pull.cancel()
      _ = await pull.result
      #expect(house.tree("in") == [])
      let rows = try await laptop.node.context.database.transfers()
      #expect(rows == [])
      let asked = PullCommand(reference: "studio/art", directory: "\(house.path)/in")
      #expect(await laptop.node.leftover(of: asked) == nil)
    }
  }

  @Test func aPullThatWasInterruptedSaysWhereItIsAndCanBeCanceledLater() async throws {
    try await withEndlessPull(beginning: true) { house, _, laptop, pull in
      let asked = PullCommand(reference: "studio/art", directory: "\(house.path)/in")
      #expect(await laptop.node.leftover(of: asked) == nil, "it runs")
      pull.cancel()
      _ = await pull.result
      let listed = try #require(try await laptop.node.transfers().first)
      let partial = try #require(listed.partial)
      #expect(listed.state == .waiting)
      #expect(listed.reason == "interrupted")
      #expect(listed.bytesTotal == UInt64(5 * Self.megabyte))
      #expect(house.tree("in").contains { partial.hasSuffix("/\($0)") })
      let leftover = try #require(await laptop.node.leftover(of: asked))
      #expect(leftover.id == listed.id && leftover.partial == partial && leftover.reference == "art@v1")
      let elsewhere = PullCommand(reference: "studio/art", directory: "\(house.path)/other")
      #expect(await laptop.node.leftover(of: elsewhere) == nil)
      _ = try await laptop.node.cancel(transfer: String(listed.id.prefix(8)))
      #expect(house.tree("in") == [])
      #expect(try await laptop.node.context.database.transfers() == [])
      #expect(await laptop.node.leftover(of: asked) == nil)
    }
  }

  @Test func aCancelThatACrashCutShortIsStillKnownAndNoPullTakesItUp() async throws {
    try await withEndlessPull(beginning: true) { house, _, laptop, pull in
      pull.cancel()
      _ = await pull.result
      let row = try #require(try await laptop.node.context.database.transfers().first)
      try await laptop.node.context.database.setTransferState(row.id, .failed, reason: "canceled")
      #expect(try await laptop.node.transfers().map(\.state) == [.failed])
      let again = Task { try await laptop.pull("studio/art", into: "\(house.path)/in") }
      try await eventually("another one begins", on: house.loop) { try await laptop.node.transfers().count == 2 }
      again.cancel()
      _ = await again.result
      for transfer in try await laptop.node.transfers() { _ = try await laptop.node.cancel(transfer: transfer.id) }
      #expect(house.tree("in") == [])
    }
  }

  @Test func whatIsServedIsThePullersToCancel() async throws {
    try await withEndlessPull(silent: true) { _, studio, laptop, pull in
      try await eventually("it is served", on: studio.loop) { try await studio.node.transfers().first?.name == "art" }
      let listed = try #require(try await studio.node.transfers().first)
      #expect(!listed.isPull && listed.name == "art" && listed.peer == "laptop" && listed.partial == nil)
      let refused = try await nodeError { _ = try await studio.node.cancel(transfer: listed.id) }
      #expect(refused.code == .usage)
      #expect(refused.message.contains("laptop's to cancel"))
      #expect(refused.hint?.contains("pawl unshare art") == true)
      pull.cancel()
      _ = await pull.result
    }
  }

  @Test func anIDIsNamedByAsManyDigitsAsItTakes() throws {
    let ids = ["ab12", "ab34", "cd56"]
    let find = { (text: String) in try IDPrefix(text, of: "transfer", listedBy: "pawl transfers").only(of: ids, by: \.self) }
    #expect(try find("ab1") == "ab12")
    #expect(try find("C") == "cd56")
    for (text, code) in [("", NodeError.Code.usage), ("ab", .usage), ("xy", .usage), ("ff", .notFound), ("ab123", .notFound)] {
      let error = #expect(throws: NodeError.self) { try find(text) }
      #expect(error?.code == code, "\(text)")
      #expect(error?.hint?.contains("pawl transfers") == true)
    }
  }
}
