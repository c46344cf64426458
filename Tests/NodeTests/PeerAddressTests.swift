import EventLoop
import Session
import Testing

@testable import Node

/// Addresses that the user adds to a peer.
@Suite(.timeLimit(.minutes(3))) struct PeerAddressTests {
  private func address(_ number: Int) throws -> PeerAddress { try PeerAddress(host: "198.51.100.\(number)", port: 7411) }

  @Test func whatAPeerClaimsNeverPushesOutAnAddressOfTheUsers() throws {
    let own = try (1...4).map(address)
    let claimed = try (11...18).map(address)
    let merged = PeerReach.merge(reached: try address(99), added: own, claimed: claimed, known: try [address(50)])
    #expect(merged.count == PeerAddress.maximumCount)
    #expect(Array(merged.prefix(5)) == [try address(99)] + own)
    #expect(Peer.ownAddresses < PeerAddress.maximumCount, "the peer's word keeps some room")
    var origins = AddressOrigins()
    origins.add(own[0])
    origins.note([own[0]], toldOver: .publicNetwork)
    let (_, read) = AddressOrigins.read(origins.texts(of: [own[0]]))
    #expect(read.origin(of: own[0]) == .added)
    for scope in [AddressScope.loopback, .privateNetwork, .publicNetwork] { #expect(AddressOrigin.added.reaches(scope)) }
  }

  @Test func anAddedAddressIsDialedAtOnceAndSurvivesHelloPairingAnewAndARestart() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      // Studio moves, and cannot find laptop by itself.
      for known in try await studio.node.addresses(of: "laptop").addresses {
        #expect(
          try await studio.node.remove(address: known.text, from: "laptop").addresses.allSatisfy { $0.text != known.text })
      }
      let port = studio.port
      await studio.stop()
      let moved = try await house.start("studio", host: "127.0.0.2", port: port)
      let added = "127.0.0.2:\(port)"
      let list = try await laptop.node.add(address: added, to: "studio")
      #expect(list.alias == "studio")
      #expect(list.addresses.contains { $0.text == added && $0.origin == .added })
      try await laptop.ready(for: "studio")
      // Its hello names the same address, and is heard before an answer comes.
      _ = try await laptop.node.list(peer: "studio")
      func isAdded(_ node: RunningNode) async throws -> Bool {
        try await node.node.addresses(of: "studio").addresses.contains { $0.text == added && $0.origin == .added }
      }
      #expect(try await isAdded(laptop))
      let invitation = try await moved.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      _ = try await laptop.node.join(invitation.text, alias: "studio")
      #expect(try await isAdded(laptop), "after pairing anew")
      await laptop.stop()
      let again = try await house.start("laptop")
      #expect(try await isAdded(again), "after a restart")
      let removed = try await again.node.remove(address: added, from: "studio")
      #expect(!removed.addresses.contains { $0.text == added && $0.origin == .added })
      let unknown = try await nodeError { _ = try await again.node.remove(address: "192.0.2.77:1", from: "studio") }
      #expect(unknown.code == .notFound)
    }
  }

  @Test func anAddressThatIsNoneIsRefusedWithTheReason() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      for (text, reason) in [
        ("studio", "the port is missing"), ("studio:", "the port is missing"), ("studio:x", "from 1 to 65535"),
        ("studio:0", "from 1 to 65535"), ("studio:70000", "from 1 to 65535"), (":7411", "the host is missing"),
        ("fd00::1:7411", "brackets"), ("a b:7411", "no name or address"), ("0.0.0.0:7411", "no place"),
        ("224.0.0.1:7411", "no place"), (laptop.node.listening.description, "this node's own address"),
      ] {
        let error = try await nodeError { _ = try await laptop.node.add(address: text, to: "studio") }
        #expect(error.code == .usage, "\(text)")
        #expect(error.message.contains(reason), "\(error.message)")
        #expect(error.hint != nil)
      }
      for number in 1...Peer.ownAddresses { _ = try await laptop.node.add(address: "198.51.100.\(number):1", to: "studio") }
      let full = try await nodeError { _ = try await laptop.node.add(address: "198.51.100.9:1", to: "studio") }
      #expect(full.code == .noSpace)
      #expect(full.hint?.contains("remove 198.51.100.1:1") == true)
      // One that is there already needs no room.
      _ = try await laptop.node.add(address: "198.51.100.2:1", to: "studio")
      #expect(try await nodeError { _ = try await laptop.node.addresses(of: "nobody") }.code == .notFound)
    }
  }
}
