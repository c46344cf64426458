import EventLoop
import Session
import Store
import Testing

@testable import Node

/// A peer that cannot be reached, or hangs up, is dialed at a bounded rate whatever is asked of it.
@Suite(.timeLimit(.minutes(5))) struct RedialingTests {
  /// How long the dials of a test are counted.
  private static let watched = Duration.seconds(4)
  /// One attempt a second, the first at once, and one more because the clock's edges are not the test's.
  private static let mostAttempts = 6

  /// A node with a peer that is only to be found where connections end at once.
  private func withPeer(
    _ manner: @Sendable (Identity) -> HangUp.Manner, _ body: @Sendable (House, RunningNode, HangUp) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let identity = try Identity.generate(.system)
      let hangUp = try await HangUp.open(manner(identity), loop: house.loop)
      house.atTheEnd { await hangUp.close() }
      let ticket = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: []).text
      let laptop = try await ForgedPeer.pair(
        with: ticket, as: "laptop", at: [hangUp.address], identity: identity, on: house.loop)
      try await laptop.ready()
      await laptop.close()
      try await eventually("the link is gone", on: house.loop) {
        try await studio.node.peer(alias: "laptop").links.isEmpty
      }
      try await body(house, studio, hangUp)
    }
  }

  /// Commands that need the peer, one after the other and four at a time, for as long as dials are counted.
  private func keepAsking(_ studio: RunningNode) async throws {
    let peer = try await studio.node.peer(alias: "laptop")
    let end = Deadline.after(Self.watched)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          while !end.isPast {
            try? await peer.ready(by: end)
            // A command that is answered at once is given again at once, as fast as a shell's loop can.
            try? await studio.loop.sleep(for: .milliseconds(5))
          }
        }
      }
    }
  }

  @Test func commandsThatWaitForAPeerThatRefusesDialItAtMostOnceASecond() async throws {
    try await withPeer({ _ in .atOnce }) { _, studio, hangUp in
      let before = await hangUp.accepted
      try await keepAsking(studio)
      let dials = await hangUp.accepted - before
      #expect(dials >= 2)
      #expect(dials <= Self.mostAttempts)
    }
  }

  @Test func aPeerThatFinishesHandshakesAndHangsUpIsDialedAtMostOnceASecond() async throws {
    for words in [[], [.counters([])], [.counters([]), .close]] as [[LinkFrame]] {
      try await withPeer({ .afterHandshake($0, saying: words) }) { _, studio, hangUp in
        let before = await hangUp.links
        try await keepAsking(studio)
        let links = await hangUp.links - before
        #expect(links >= 2)
        #expect(links <= Self.mostAttempts)
      }
    }
  }

  @Test func aPeerThatComesBackIsFoundWithinSecondsWhileACommandWaits() async throws {
    try await withHouse { house in
      // Neither says where it is: the laptop knows the meddler alone, and the studio knows nothing.
      let studio = try await house.start("studio", host: "0.0.0.0", network: FakeNetwork([]))
      let meddler = try await Meddler(
        target: try #require(SocketAddress(ip: "127.0.0.1", port: studio.port)), loop: house.loop)
      house.atTheEnd { await meddler.close() }
      let laptop = try await house.start("laptop", host: "0.0.0.0", network: FakeNetwork([]))
      try await house.pair(studio, laptop, through: meddler)
      await meddler.lay { _, _ in .cut }
      await meddler.cutAll()
      let peer = try await laptop.node.peer(alias: "studio")
      try await eventually("the link is gone", on: house.loop) { await peer.links.isEmpty }
      // As after an hour of trying.
      await peer.failOften()
      let waiting = Task { try await peer.ready(by: .after(.seconds(60))) }
      try await eventually("it was dialed in vain", on: house.loop) { await meddler.count(of: .link) >= 2 }
      await meddler.lay { _, _ in .pass }
      try await eventually("it is found", on: house.loop) { await peer.isReady }
      try await waiting.value
    }
  }

  @Test func aPeerThatHangsUpIsLeftInPeaceEverLongerWhileNothingNeedsIt() async throws {
    try await withPeer({ .afterHandshake($0, saying: [.counters([])]) }) { house, _, hangUp in
      let before = await hangUp.links
      try await house.loop.sleep(for: Self.watched)
      // Pauses of half to all of 1, 2, 4 s.
      #expect(await hangUp.links - before <= 4)
    }
  }
}

extension Peer {
  /// What many attempts in vain leave behind.
  fileprivate func failOften() {
    for _ in 0..<20 { backoff.failed(at: MonotonicClock.now, jitter: 1) }
  }
}
