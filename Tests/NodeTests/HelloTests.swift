import EventLoop
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// What a peer says of itself: it counts in a confirmed session, and never ends finding each other.
@Suite(.timeLimit(.minutes(5))) struct HelloTests {
  private func hello(_ name: String, _ addresses: [String]) -> ControlMessage {
    .hello(Hello(name: name, addresses: addresses))
  }

  private let elsewhere = (1...8).map { "192.0.2.\($0):7411" }

  @Test func helloBeforeTheConfirmationChangesNothing() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: [])
      let ticket = try Ticket(invitation.text)
      let identity = try Identity.generate(.system)
      let place = try PeerAddress("192.0.2.77:7411")
      let (connection, prekeys) = try await ForgedPeer.introduce(
        identity, with: ticket, as: "mallory", at: [place], on: house.loop)
      guard let reply = try await connection.receive(within: .seconds(10)),
        case .pairAccepted(let theirs) = try LinkFrame(parsing: reply.span)
      else { throw LinkEnded() }
      let (record, bundle) = try theirs.verify(
        by: identity.id, expecting: ticket.node, linkKey: ticket.linkKey, at: ForgedPeer.now)
      var machine = PeerMachine(
        identity: identity, peer: record, prekeys: prekeys, hello: hello("elsewhere", elsewhere).payload, crypto: .system)
      _ = try machine.start(with: bundle, at: ForgedPeer.now)
      for frame in try machine.linkUp(at: ForgedPeer.now).frames { try await connection.send(frame.encoded) }
      // Its answer is there: INIT was taken. We do not answer it, so the session stays unconfirmed.
      var answer: LinkFrame?
      while let bytes = try await connection.receive(within: .seconds(10)) {
        let frame = try LinkFrame(parsing: bytes.span)
        if case .envelope = frame {
          answer = frame
          break
        }
      }
      let peer = try await studio.node.peer(alias: "mallory")
      #expect(await peer.machine.health == .unconfirmed)
      for _ in 0..<2 {
        #expect(await peer.addresses == [place])
        let row = try #require(try await studio.node.context.database.peer(identity.id))
        #expect(row.name == "mallory" && row.addresses == ["\(place) loopback"])
      }
      // Confirmed, it counts.
      for frame in try machine.receive(try #require(answer), at: ForgedPeer.now).frames {
        try await connection.send(frame.encoded)
      }
      try await eventually("what it said counts", on: house.loop) {
        try await studio.node.context.database.peer(identity.id)?.name == "elsewhere"
      }
      #expect(await peer.addresses.map(\.description) == elsewhere)
      await connection.close()
    }
  }

  @Test func theAddressWhereAPeerWasReachedOutlivesAllThatItSays() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(laptop, studio)
      let place = "127.0.0.1:\(laptop.port)"
      let peer = try await studio.node.peer(alias: "laptop")
      try await eventually("it is noted", on: house.loop) { await peer.row.reached == place }
      // A link from the other side alone: nothing that is up says where it is.
      await peer.links.first?.connection.close()
      let words: [[String]] = [elsewhere, [], elsewhere.reversed()]
      for (index, addresses) in words.enumerated() {
        let name = "laptop\(index)"
        try await laptop.ready(for: "studio")
        await (try await laptop.node.peer(alias: "studio")).send(hello(name, addresses).payload) { _ in }
        try await eventually("it is heard", on: house.loop) {
          try await studio.node.context.database.peer(laptop.node.id)?.name == name
        }
        #expect(await peer.addresses.first?.description == place)
        #expect(await peer.addresses.count <= 8)
      }
      // Durably: after a restart of both, and with nothing but what is stored.
      let (studioPort, laptopPort) = (studio.port, laptop.port)
      await laptop.stop()
      await studio.stop()
      let again = try await house.start("studio", port: studioPort)
      #expect(try await again.node.peer(alias: "laptop").addresses.first?.description == place)
      _ = try await house.start("laptop", home: "laptop", port: laptopPort)
      try await again.ready(for: "laptop")
    }
  }

  @Test func theReachedAddressComesFirstAndEightAreKept() throws {
    func addresses(_ texts: [String]) throws -> [PeerAddress] { try texts.map { try PeerAddress($0) } }
    let reached = try PeerAddress("198.51.100.1:1")
    let merged = PeerReach.merge(
      reached: reached, dialled: try addresses(["198.51.100.2:2"]), claimed: try addresses(elsewhere), known: [reached])
    #expect(merged.map(\.description) == ["198.51.100.1:1", "198.51.100.2:2"] + elsewhere.prefix(6))
    #expect(PeerReach.merge(reached: nil, claimed: [], known: [reached]) == [reached])
  }
}
