import EventLoop
import Logging
import Primitives
import Store
import Testing

@testable import Node
@testable import Session

/// What a node does with its keys as time passes, and with a state that lost a part.
@Suite(.timeLimit(.minutes(5))) struct StateLifeTests {
  /// A clock that a test sets.
  private final class Clock: Sendable {
    private let ahead = Locked<UInt64>(0)
    func advance(_ seconds: UInt64) { ahead.withLock { $0 += seconds } }
    var now: UInt64 { Node.wallClock() + ahead.withLock { $0 } }
  }

  private static let day: UInt64 = 86_400

  /// Two that hold each other's batches.
  private func settled(_ house: House, clock: Clock) async throws -> (studio: RunningNode, laptop: RunningNode) {
    let studio = try await house.start("studio", clock: { clock.now })
    let laptop = try await house.start("laptop", clock: { clock.now })
    try await house.pair(studio, laptop)
    try await eventually("both hold a batch", on: house.loop) {
      for (node, alias) in [(studio, "laptop"), (laptop, "studio")] {
        let machine = try await node.node.peer(alias: alias).machine
        guard machine.held != nil, machine.pairs.count >= 16, machine.unacknowledged == 0 else { return false }
      }
      return true
    }
    return (studio, laptop)
  }

  @Test func aNodeThatWasOffForFortyDaysStartsWithNothingThatHasDied() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await settled(house, clock: clock)
      let peer = laptop.node.id
      await laptop.stop()
      let before = try #require(try await studio.node.context.database.loadPeer(peer))
      #expect(before.pairs.count >= 16 && before.held != nil)
      let old = try await studio.node.context.database.loadPrekeys().map(\.id)
      #expect(old.count == 1)
      await studio.stop()
      clock.advance(40 * Self.day)
      let again = try await house.start("studio", port: studio.port, clock: { clock.now })
      // At once: no tick of the running node has come yet.
      let after = try #require(try await again.node.context.database.loadPeer(peer))
      #expect(after.pairs.isEmpty && after.held == nil && after.replays.isEmpty)
      let fresh = try await again.node.context.database.loadPrekeys().map(\.id)
      #expect(fresh.count == 1 && fresh != old)
      // And the two go on with each other.
      let back = try await house.start("laptop", port: laptop.port, clock: { clock.now })
      try await back.ready(for: "studio")
      #expect(try await back.node.summary(of: "studio").health == "healthy")
    }
  }

  @Test func aRunningNodeReplacesAndDeletesItsPrekeysByItself() async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await settled(house, clock: clock)
      let database = studio.node.context.database
      let first = try await database.loadPrekeys().map(\.id)
      let batch = try await studio.node.peer(alias: "laptop").machine.book.batch
      clock.advance(7 * Self.day)
      await studio.node.tick()
      let second = try await database.loadPrekeys().map(\.id)
      #expect(second.count == 2 && Set(second).isSuperset(of: first))
      // A whole new batch follows, and the other side holds it.
      let newest = try #require(second.first { !first.contains($0) })
      try await eventually("a new batch is held", on: house.loop) {
        try await laptop.node.peer(alias: "studio").machine.held?.bundle.spkID == newest
      }
      let next = try #require(try await studio.node.peer(alias: "laptop").machine.book.batch)
      #expect(Set(next.pairs).isDisjoint(with: batch?.pairs ?? []))
      clock.advance(30 * Self.day + 2 * 3_600)
      await studio.node.tick()
      let third = try await database.loadPrekeys().map(\.id)
      #expect(Set(third).isDisjoint(with: first) && third.contains(newest))
    }
  }

  /// The peer took the node's start, acknowledged it, and was put back to before: nothing of that is ever sent again.
  @Test func aStartThatThePeerForgotIsFollowedByAnotherAfterAMinute() async throws {
    try await withHouse { house in
      let clock = Clock()
      let studio = try await house.start("studio", clock: { clock.now })
      let laptop = try await house.forge("laptop", at: studio)
      try await studio.ready(for: "laptop")
      let old = try #require(try await studio.node.peer(alias: "laptop").machine.currentSession)
      await laptop.setForgetful(true)
      try await laptop.relink()
      try await laptop.push(LinkFrame.reset(old).encoded)
      try await eventually("the start was acknowledged and forgotten", on: house.loop) {
        let machine = try await studio.node.peer(alias: "laptop").machine
        guard let start = machine.sessions.last(where: { $0.isStarting }) else { return false }
        return await laptop.forgotten == 1 && !machine.outbox.hasAny(of: start.id)
      }
      await laptop.setForgetful(false)
      clock.advance(SessionTimes.startPatience + 1)
      await studio.node.tick()
      try await eventually("a fresh session", on: house.loop) {
        let session = try await studio.node.peer(alias: "laptop").machine.currentSession
        return await laptop.isReady && session != nil && session != old
      }
    }
  }

  @Test(arguments: ["studio", "laptop"])
  func aStateWithoutItsSessionsIsRepairedByItselfAndThatShows(_ name: String) async throws {
    try await withHouse { house in
      let clock = Clock()
      let (studio, laptop) = try await settled(house, clock: clock)
      _ = try await studio.share(try house.file("out/a.bin", pattern(10_000)), toAll: true)
      let (damaged, other) = name == "studio" ? (studio, laptop) : (laptop, studio)
      let peer = other.node.id
      let snapshot = try #require(try await damaged.node.context.database.loadPeer(peer))
      let old = try await other.node.peer(alias: name).machine.currentSession
      await damaged.node.stop()
      // What a restored folder may lack. The node's own database is closed by now.
      let database = try Database(folder: damaged.folder, keys: try damaged.folder.unlock())
      var commit = SessionCommit(peer: peer)
      for session in snapshot.sessions { commit.append(.deleteSession(session.id)) }
      try await database.apply([commit])
      await database.close()
      damaged.folder.release()
      let again = try await house.start(name, port: damaged.port, clock: { clock.now })
      try await eventually("a fresh session", on: house.loop) {
        let here = try await again.node.peer(alias: other.name).machine.currentSession
        let there = try await other.node.peer(alias: name).machine.currentSession
        return here != nil && here == there && here != old
      }
      let (here, there) = (try await again.node.summary(of: other.name), try await other.node.summary(of: name))
      #expect(here.health == "healthy" && there.health == "healthy")
      #expect(here.troubles.map(\.kind) == ["lost"] && there.troubles.map(\.kind) == ["reset"])
      #expect((here.troubles + there.troubles).allSatisfy { $0.healedAt != nil })
      let puller = name == "laptop" ? again : laptop
      _ = try await puller.pull("studio/a.bin", into: "\(house.path)/models")
      #expect(house.bytes("models/a.bin") == pattern(10_000))
    }
  }
}
