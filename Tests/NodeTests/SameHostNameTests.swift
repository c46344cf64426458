import EventLoop
import Session
import Testing

@testable import Node

/// Two machines of one host name behind one address: the alias that a user gives with a ticket is the word that it is another.
@Suite(.timeLimit(.minutes(5))) struct SameHostNameTests {
  /// Studio, paired with a laptop that is away; and another machine that has its name and its address.
  private func twins(_ house: House) async throws -> (studio: RunningNode, twin: RunningNode, old: String) {
    let studio = try await house.start("studio")
    let old = try await house.start("laptop", home: "old")
    try await house.pair(studio, old)
    await old.stop()
    return (studio, try await house.start("laptop", home: "twin", port: old.port), old.node.id.hex)
  }

  private func expectBoth(_ studio: RunningNode, _ twin: RunningNode, _ old: String) async throws {
    try await studio.ready(for: "tower")
    let peers = await studio.node.peerSummaries()
    #expect(peers.map(\.alias) == ["laptop", "tower"] && peers.map(\.id) == [old, twin.node.id.hex])
    #expect(peers.allSatisfy { !$0.isBlocked && !$0.isIdentityChanged })
  }

  @Test func anotherAliasOnTheTicketPairsItBesideTheFirst() async throws {
    try await withHouse { house in
      let (studio, twin, old) = try await twins(house)
      let invitation = try await studio.node.invite(alias: "tower", lifeSeconds: 60, addresses: [])
      #expect(try await !twin.node.join(invitation.text, alias: nil).isWaiting)
      try await twin.ready(for: "studio")
      try await expectBoth(studio, twin, old)
    }
  }

  @Test func anotherAliasAtTheJoinerPairsItBesideTheFirst() async throws {
    try await withHouse { house in
      let (studio, twin, old) = try await twins(house)
      let theirs = try await twin.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await !studio.node.join(theirs.text, alias: "tower").isWaiting)
      try await twin.ready(for: "studio")
      try await expectBoth(studio, twin, old)
    }
  }

  @Test(arguments: 0..<4) func aKeyInCommonAsksWhateverTheAlias(_ key: Int) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let (one, other) = try Kin.pair(sharing: key, seed: 80)
      let first = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: [])
      let laptop = try await ForgedPeer.pair(with: first.text, as: "laptop", identity: one, on: house.loop)
      house.atTheEnd { await laptop.close() }
      try await laptop.ready()
      let second = try await studio.node.invite(alias: "tower", lifeSeconds: 60, addresses: [])
      let (connection, _) = try await ForgedPeer.introduce(
        other, with: try Ticket(second.text), as: "tower", on: house.loop)
      let reply = try #require(try await connection.receive(within: .seconds(10)))
      guard case .pairAccepted = try LinkFrame(parsing: reply.span) else {
        Issue.record("PAIR_OK was expected")
        return
      }
      await connection.close()
      #expect(try await studio.node.identityChange(of: "laptop")?.reason == "shared_key")
    }
  }

  @Test func aThirdNodeAndItsInviterAreToldWhatReallyHoldsItUp() async throws {
    try await withHouse { house in
      let (studio, twin, _) = try await twins(house)
      let question = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await twin.node.join(question.text, alias: nil).isWaiting)
      // Another one of that name from that address, while the question is open.
      await twin.stop()
      let third = try await house.start("laptop", home: "third", port: twin.port)
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let notices = Locked<[String]>([])
      let waiting = Task {
        try await studio.node.awaitUse(of: invitation) { text in notices.withLock { $0.append(text) } }
      }
      try await eventually("it waits", on: house.loop) { await studio.node.ticketWaiters[invitation.id] != nil }
      for _ in 0..<4 {
        let refusal = try await nodeError { _ = try await third.node.join(invitation.text, alias: nil) }
        #expect(refusal.code == .notAllowed && refusal.message.contains("decide about another node"), "\(refusal)")
        #expect(refusal.hint?.contains("run the same `pawl join` again") == true)
      }
      #expect(notices.withLock { $0.count } == 1)
      #expect(notices.withLock { $0.first?.contains("pawl verify laptop") } == true)
      // Decided, the same ticket goes on: now it is the one that is asked about.
      _ = try await studio.node.keepOldIdentity(of: "laptop")
      #expect(try await third.node.join(invitation.text, alias: nil).isWaiting)
      #expect(try await nodeError { _ = try await waiting.value }.code == .identityChanged)
      #expect(try await studio.node.identityChange(of: "laptop")?.id == third.node.id.hex)
    }
  }
}
