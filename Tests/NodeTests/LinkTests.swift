import EventLoop
import Session
import Store
import Testing
import Transfer

@testable import Node

/// Links come and go; sessions and what was said in them stay.
@Suite(.timeLimit(.minutes(5))) struct LinkTests {
  private func expectConversation(_ one: RunningNode, _ two: RunningNode) async throws {
    for (node, other) in [(one, two), (two, one)] {
      try await node.ready(for: other.name)
      #expect(try await node.node.list(peer: other.name).map(\.name) == ["of-\(other.name).bin"])
      #expect(try await node.node.summary(of: other.name).health == "healthy")
    }
  }

  private func session(_ node: RunningNode, with alias: String) async throws -> SessionID? {
    try await node.node.peer(alias: alias).machine.currentSession
  }

  @Test func twoNodesThatDialEachOtherAtOnceHaveOneWorkingSession() async throws {
    try await withHouse { house in
      var studio = try await house.start("studio")
      var laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      for node in [studio, laptop] {
        _ = try await node.share(try house.file("out/of-\(node.name).bin", pattern(10)), toAll: true)
      }
      try await expectConversation(studio, laptop)
      let before = try await session(studio, with: "laptop")
      for _ in 0..<3 {
        let (one, two) = (studio, laptop)
        await one.stop()
        await two.stop()
        async let first = house.start("studio", port: one.port)
        async let second = house.start("laptop", port: two.port)
        (studio, laptop) = try await (first, second)
        // Both dial now, on top of what they do by themselves.
        let (here, there) = (try await studio.node.peer(alias: "laptop"), try await laptop.node.peer(alias: "studio"))
        async let up: Void = here.ready(by: .after(.seconds(15)))
        async let down: Void = there.ready(by: .after(.seconds(15)))
        _ = try await (up, down)
        try await expectConversation(studio, laptop)
      }
      // The session of the pairing has outlived all of it.
      #expect(try await session(studio, with: "laptop") == before)
      #expect(try await session(laptop, with: "studio") == before)
      #expect(try await studio.node.report().warnings.isEmpty)
      #expect(try await laptop.node.report().warnings.isEmpty)
    }
  }

  @Test func twoNodesThatMoveOneAfterTheOtherStillFindEachOther() async throws {
    try await withHouse { house in
      var studio = try await house.start("studio")
      var laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      // Each time only the one that moved knows where the other is.
      await studio.stop()
      studio = try await house.start("studio")
      let moved = studio.node.listening.description
      let there = laptop
      try await eventually("the laptop knows where the studio is now", on: house.loop) {
        try await there.node.summary(of: "studio").addresses.contains(moved)
      }
      await laptop.stop()
      laptop = try await house.start("laptop")
      try await studio.ready(for: "laptop")
      try await laptop.ready(for: "studio")
    }
  }

  @Test func anEnvelopeThatWasNotAcknowledgedComesAgainByteForByteAfterARestart() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.forge("laptop", at: studio)
      // The end of what the session itself has to say.
      try await laptop.say(.catalogRequest(CatalogRequest(request: 1)))
      try await eventually("the first answer", on: house.loop) { await answers(of: laptop) == [1] }
      await laptop.setDeaf(true)
      let before = await laptop.envelopes.count
      try await laptop.say(.catalogRequest(CatalogRequest(request: 2)))
      try await eventually("the second answer", on: house.loop) { await laptop.envelopes.count > before }
      let unheard = await laptop.envelopes[before]
      await laptop.cutLink()
      await studio.stop()
      let again = try await house.start("studio", port: studio.port)
      await laptop.setDeaf(false)
      try await laptop.relink()
      try await eventually("the answer comes after all", on: house.loop) { await answers(of: laptop) == [1, 2] }
      #expect(await laptop.envelopes.dropFirst(before + 1).contains(unheard))
      // Heard and acknowledged: it does not come a third time.
      try await laptop.say(.catalogRequest(CatalogRequest(request: 3)))
      try await eventually("the third answer", on: house.loop) { await answers(of: laptop) == [1, 2, 3] }
      let count = await laptop.envelopes.count
      try await laptop.relink()
      try await laptop.say(.catalogRequest(CatalogRequest(request: 4)))
      try await eventually("the fourth answer", on: house.loop) { await answers(of: laptop) == [1, 2, 3, 4] }
      #expect(await !laptop.envelopes.dropFirst(count).contains(unheard))
      #expect(try await again.node.summary(of: "laptop").health == "healthy")
    }
  }

  private func answers(of peer: ForgedPeer) async -> [UInt64] {
    await peer.heard.compactMap { if case .catalog(let page) = $0 { page.request } else { nil } }
  }

  @Test func aRevokedNodeDoesNotHammerItsFormerPeer() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      let before = await meddler.count(of: .link)
      _ = try await studio.node.revoke("laptop")
      // Every link that the laptop dials is closed as soon as it is known whose it is.
      try await eventually("it dials again", on: house.loop) { await meddler.count(of: .link) > before }
      try await house.loop.sleep(for: .seconds(2))
      #expect(await meddler.count(of: .link) <= before + 4)
    }
  }

  @Test func bothSidesPullOverALinkWhoeverDialledIt() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      let bytes = pattern(3 << 20)
      _ = try await studio.share(try house.file("out/of-studio.bin", bytes), toAll: true)
      _ = try await laptop.share(try house.file("out/of-laptop.bin", bytes), toAll: true)
      async let here = laptop.pull("studio/of-studio.bin", into: "\(house.path)/laptop")
      async let there = studio.pull("laptop/of-laptop.bin", into: "\(house.path)/studio")
      _ = try await (here, there)
      #expect(house.bytes("laptop/of-studio.bin") == bytes)
      #expect(house.bytes("studio/of-laptop.bin") == bytes)
      // The side that dialled the link dialled the data connections of both.
      #expect(await meddler.count(of: .data) == 2)
    }
  }

  @Test func whatWasOnTheNewestLinkWhenItDiedArrivesOverTheOneThatIsLeft() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      let (here, there) = (try await studio.node.peer(alias: "laptop"), try await laptop.node.peer(alias: "studio"))
      // A second link beside that of the pairing.
      await there.dialOnce()
      try await eventually("two links", on: house.loop) { await here.links.count == 2 }
      // Whatever the link itself made the two say comes before an answer.
      _ = try await studio.node.list(peer: "laptop")
      try await eventually("nothing is under way", on: house.loop) { await here.machine.unacknowledged == 0 }
      let old = await here.links[0].number
      await meddler.lay { place, _ in place.purpose == Preamble.link.rawValue ? .withhold : .pass }
      // Nobody says it again: it is no request, and a node says it by itself on the first link of its life alone.
      await here.send(ControlMessage.hello(Hello(name: "renamed", addresses: [])).payload) { _ in }
      try await eventually("it is sealed", on: house.loop) { await here.machine.unacknowledged == 1 }
      await meddler.cutAll(of: .link)
      try await eventually("it arrives", on: house.loop) { await there.row.name == "renamed" }
      #expect(await here.links.map(\.number) == [old])
    }
  }

  @Test func aPeerThatOpensAndEndsLinksInALoopDoesNotMakeUsRepeatOurselvesAsOften() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.forge("laptop", at: studio)
      let before = await laptop.countersHeard
      let began = MonotonicClock.now
      for _ in 0..<30 { await (try await laptop.anotherLink()).close() }
      try await eventually("they are gone", on: house.loop) { try await studio.node.peer(alias: "laptop").links.count == 1 }
      try await eventually("it is said again", on: house.loop) { await laptop.countersHeard > before }
      // Once a second, however many there were.
      let seconds = Int((MonotonicClock.now - began) / .seconds(1))
      #expect(await laptop.countersHeard - before <= 3 + seconds)
    }
  }

  @Test func aLinkThatWasCutComesBackByItself() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      for node in [studio, laptop] {
        _ = try await node.share(try house.file("out/of-\(node.name).bin", pattern(10)), toAll: true)
      }
      for _ in 0..<3 {
        await meddler.cutAll()
        try await expectConversation(studio, laptop)
      }
    }
  }
}
