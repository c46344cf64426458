import EventLoop
import Session
import Store
import Testing
import Transfer

@testable import Node

/// A machine gets another address while its node runs.
@Suite(.timeLimit(.minutes(5))) struct AddressChangeTests {
  private func links(_ node: RunningNode, to alias: String) async throws -> Set<UInt64> {
    Set(try await node.node.peer(alias: alias).links.map(\.number))
  }

  @Test func aNewAddressIsToldToEveryPeerAtOnce() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1"])
      let studio = try await house.start("studio", host: "0.0.0.0", network: network)
      let (laptop, tower) = (try await house.start("laptop"), try await house.start("tower"))
      for node in [laptop, tower] { try await house.pair(studio, node) }
      let before = try await links(studio, to: "laptop")
      network.move(to: ["127.0.0.1", "127.0.0.3"])
      for node in [laptop, tower] {
        try await eventually("it knows the new address", on: house.loop) {
          try await node.node.summary(of: "studio").addresses.contains("127.0.0.3:\(studio.port)")
        }
      }
      // What works is left alone.
      #expect(try await links(studio, to: "laptop") == before)
    }
  }

  @Test func aPeerThatWasAwayIsToldWithTheNextLink() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1"])
      let studio = try await house.start("studio", host: "0.0.0.0", network: network)
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      await laptop.stop()
      try await eventually("the link is gone", on: house.loop) { try await links(studio, to: "laptop").isEmpty }
      network.move(to: ["127.0.0.1", "127.0.0.3"])
      try await eventually("the studio has noticed", on: house.loop) {
        String(decoding: try await studio.node.peer(alias: "laptop").machine.hello, as: UTF8.self).contains("127.0.0.3")
      }
      let again = try await house.start("laptop", port: laptop.port)
      try await eventually("it knows the new address", on: house.loop) {
        try await again.node.summary(of: "studio").addresses.contains("127.0.0.3:\(studio.port)")
      }
    }
  }

  @Test func linksOverAVanishedAddressEndAndThePeerIsDialedAtOnce() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1", "127.0.0.3"])
      let studio = try await house.start("studio", host: "0.0.0.0", network: network)
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      let before = try await links(studio, to: "laptop")
      network.move(to: ["127.0.0.3"])
      try await eventually("another link is up", on: house.loop) {
        let now = try await links(studio, to: "laptop")
        return !now.isEmpty && now.isDisjoint(with: before)
      }
      // Both ends can say something at once.
      try await studio.ready(for: "laptop")
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
      #expect(try await studio.node.list(peer: "laptop").isEmpty)
    }
  }

  @Test func aPullGoesOnAtOnceOverTheAddressThatIsLeft() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1", "127.0.0.3"])
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop", host: "0.0.0.0", network: network)
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      let bytes = pattern(6 << 20)
      _ = try await studio.share(try house.file("out/model.bin", bytes), name: "model.bin", toAll: true)
      // What came over the old address is not even cut: it falls silent.
      await meddler.lay { place, _ in
        place.purpose == Preamble.data.rawValue && place.number == 0 && place.offset > 3 << 20 ? .withhold : .pass
      }
      let some = AsyncStream.makeStream(of: Void.self)
      let pull = Task {
        try await laptop.pull("studio/model.bin", into: "\(house.path)/in") { progress in
          if progress.bytes >= 1 << 20 { some.continuation.yield() }
        }
      }
      for await _ in some.stream { break }
      try await eventually("it is silent", on: house.loop) { await meddler.dataBytes > 3 << 20 }
      let silent = MonotonicClock.now
      network.move(to: ["127.0.0.3"])
      _ = try await pull.value
      #expect(house.bytes("in/model.bin") == bytes)
      // Without a word from the network it takes more than twenty seconds.
      #expect(MonotonicClock.now - silent < .seconds(12))
    }
  }

  @Test func addressesThatComeAndGoForeverMakeNoStorm() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1"])
      let studio = try await house.start("studio", host: "0.0.0.0", network: network)
      let laptop = try await house.forge("laptop", at: studio)
      let gone = try await HangUp.open(.atOnce, loop: house.loop)
      house.atTheEnd { await gone.close() }
      let ticket = try await studio.node.invite(alias: "tower", lifeSeconds: 60, addresses: []).text
      let tower = try await ForgedPeer.pair(with: ticket, as: "tower", at: [gone.address], on: house.loop)
      try await tower.ready()
      await tower.close()
      let before = await (dials: gone.accepted, hellos: hellos(laptop))
      let began = MonotonicClock.now
      for number in 1...160 {
        network.move(to: ["127.0.0.1", "127.0.0.\(number % 200 + 2)"])
        try await house.loop.sleep(for: .milliseconds(25))
      }
      // Four seconds, and more on a busy machine: what is allowed grows with the time that passed.
      let extraSeconds = Int(max(0, (MonotonicClock.now - began) / .seconds(1) - 4).rounded(.up))
      let dials = await gone.accepted - before.dials
      #expect(dials <= 6 + extraSeconds)
      let told = await hellos(laptop) - before.hellos
      #expect(told >= 1)
      #expect(told <= 4 + extraSeconds / 4)
    }
  }

  private func hellos(_ peer: ForgedPeer) async -> Int {
    await peer.heard.count { if case .hello = $0 { true } else { false } }
  }

  @Test func aNodeThatListensOnOneAddressSaysOnlyThat() async throws {
    try await withHouse { house in
      let network = FakeNetwork(["127.0.0.1"])
      let studio = try await house.start("studio", network: network)
      let laptop = try await house.forge("laptop", at: studio)
      let before = await hellos(laptop)
      network.move(to: ["127.0.0.1", "127.0.0.3"])
      try await house.loop.sleep(for: .seconds(2))
      #expect(await hellos(laptop) == before)
      #expect(await studio.node.advertisedAddresses().map(\.description) == ["127.0.0.1:\(studio.port)"])
    }
  }
}
