import EventLoop
import Session
@testable import Store
import Testing
import Transfer

@testable import Node

/// A peer cannot make this node connect wherever it likes.
@Suite(.timeLimit(.minutes(5))) struct HostileAddressTests {
  private static let watched = Duration.seconds(3)

  /// Everything that stands for a port of this machine.
  private func spellings(of address: PeerAddress) -> [String] {
    ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.1.2.3", "[64:ff9b::7f00:1]"].map
    {
      "\($0):\(address.port)"
    }
  }

  private func dials(scope: AddressScope) async throws -> Int {
    let count = Locked(0)
    try await withHouse { house in
      let studio = try await house.start("studio", network: FakeNetwork(["127.0.0.1"], scope: scope))
      let victim = try await HangUp.open(.atOnce, loop: house.loop)
      house.atTheEnd { await victim.close() }
      let mallory = try await house.forge("mallory", at: studio)
      try await mallory.say(.hello(Hello(name: "elsewhere", addresses: spellings(of: victim.address))))
      try await eventually("it is heard", on: house.loop) {
        try await studio.node.summary(of: "mallory").name == "elsewhere"
      }
      await mallory.close()
      try await eventually("the link is gone", on: house.loop) {
        try await studio.node.peer(alias: "mallory").links.isEmpty
      }
      try? await studio.node.peer(alias: "mallory").ready(by: .after(Self.watched))
      // What was said counts no more after a restart than before it.
      await studio.stop()
      let again = try await house.start("studio", port: studio.port, network: FakeNetwork(["127.0.0.1"], scope: scope))
      try? await again.node.peer(alias: "mallory").ready(by: .after(Self.watched))
      let dials = await victim.accepted
      count.withLock { $0 = dials }
    }
    return count.withLock { $0 }
  }

  @Test func aHelloOverAPublicLinkDialsNothingOfThisMachine() async throws {
    #expect(try await dials(scope: .publicNetwork) == 0)
  }

  @Test func aHelloOverALinkOfTheLANDialsNothingOfThisMachine() async throws {
    #expect(try await dials(scope: .privateNetwork) == 0)
  }

  @Test func aPeerOnThisMachineIsDialedHere() async throws {
    #expect(try await dials(scope: .loopback) > 0)
  }

  @Test func theCardOfAPairingIsJudgedByItsConnection() async throws {
    for scope in [AddressScope.loopback, .publicNetwork] {
      try await withHouse { house in
        let studio = try await house.start("studio", network: FakeNetwork(["127.0.0.1"], scope: scope))
        let victim = try await HangUp.open(.atOnce, loop: house.loop)
        house.atTheEnd { await victim.close() }
        let ticket = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: []).text
        let mallory = try await ForgedPeer.pair(
          with: ticket, as: "mallory", at: [victim.address, try PeerAddress(host: "localhost", port: victim.address.port)],
          on: house.loop)
        try await mallory.ready()
        await mallory.close()
        try await eventually("the link is gone", on: house.loop) {
          try await studio.node.peer(alias: "mallory").links.isEmpty
        }
        try? await studio.node.peer(alias: "mallory").ready(by: .after(Self.watched))
        let isDialed = await victim.accepted > 0
        #expect(isDialed == (scope == .loopback))
      }
    }
  }

  @Test func addressesOfAnOlderStateAreStillDialedUntilThePeerSaysWhereItIs() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio", host: "0.0.0.0", network: FakeNetwork([]))
      let laptop = try await house.start("laptop")
      try await house.pair(laptop, studio)
      // As an older program stored it; what it last heard of the laptop is partly outdated.
      let place = "127.0.0.1:\(laptop.port)"
      let id = laptop.node.id
      try await studio.node.context.database.setCard(id, name: "laptop", addresses: ["127.0.0.1:9", place])
      await studio.stop()
      // A public link, as if by a route of its own: what is dialed is dialed for having been stored before.
      let network = FakeNetwork([], scope: .publicNetwork)
      let again = try await house.start("studio", host: "0.0.0.0", port: studio.port, network: network)
      try await again.ready(for: "laptop")
      try await eventually("the laptop has said where it is", on: house.loop) {
        try await again.node.summary(of: "laptop").addresses == [place]
      }
    }
  }

  @Test func aFloodOfHellosIsStoredFourTimesAndTheLastOneInTheEnd() async throws {
    try await withHouse { house in
      let clock = Locked(Node.wallClock())
      let studio = try await house.start("studio", clock: { clock.withLock { $0 } })
      let mallory = try await house.forge("mallory", at: studio)
      let peer = try await studio.node.peer(alias: "mallory")
      let database = studio.node.context.database
      _ = try await database.number("CREATE TABLE card_write (name TEXT)")
      _ = try await database.number(
        "CREATE TRIGGER counting AFTER UPDATE OF name ON peer BEGIN INSERT INTO card_write VALUES (NEW.name); END")
      for number in 1...40 {
        try await mallory.say(.hello(Hello(name: "name-\(number)", addresses: ["203.0.113.\(number):7411"])))
      }
      try await eventually("all are heard", on: house.loop) {
        await peer.addresses.first?.description == "203.0.113.40:7411"
      }
      #expect(try #require(try await database.number("SELECT count(*) FROM card_write")) <= 4)
      clock.withLock { $0 += Peer.cardWriteSeconds }
      await studio.node.tick()
      let row = try #require(try await database.peer(peer.id))
      #expect(row.name == "name-40")
      #expect(row.addresses.count <= PeerAddress.maximumCount && row.addresses.first == "203.0.113.40:7411 loopback")
      // The same again is written nowhere, so it takes nothing from the next change.
      for _ in 0..<20 { try await mallory.say(.hello(Hello(name: "name-40", addresses: ["203.0.113.40:7411"]))) }
      clock.withLock { $0 += Peer.cardWriteSeconds }
      try await mallory.say(.hello(Hello(name: "last", addresses: ["203.0.113.40:7411"])))
      try await eventually("the change is stored", on: house.loop) { try await database.peer(peer.id)?.name == "last" }
    }
  }
}
