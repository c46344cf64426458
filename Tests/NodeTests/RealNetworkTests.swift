import EventLoop
import Session
import Store
import Testing
import Transfer

@testable import Node

/// Two nodes on two machines, as far as the kernel is concerned.
@Suite(
  .timeLimit(.minutes(5)), .enabled(if: NetworkNamespace.isAllowed, "only root may make network namespaces"))
struct RealNetworkTests {
  /// Two nodes that listen on all addresses, and the cable between them.
  private func withTwo(
    _ here: String, _ there: String,
    _ body: @Sendable (House, NetworkNamespace, NetworkNamespace) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let (one, two) = (try await NetworkNamespace("test.one"), try await NetworkNamespace("test.two"))
      try await one.connect(here, to: two, there)
      try await body(house, one, two)
      for network in [one, two] { await network.loop.stop() }
    }
  }

  @Test func aPeerOnTheLANIsFoundAtOnceAtItsNewPrivateAddress() async throws {
    try await withTwo("10.7.0.1/24", "10.7.0.2/24") { house, one, two in
      let studio = try await one.run { try await house.start("studio", host: "::", loop: one.loop) }
      let laptop = try await two.run { try await house.start("laptop", host: "::", loop: two.loop) }
      try await house.pair(studio, laptop)
      try await two.ip("addr del 10.7.0.2/24 dev cable")
      try await two.ip("addr add 10.7.0.9/24 dev cable")
      try await eventually("the studio knows the new address", on: house.loop) {
        try await studio.node.summary(of: "laptop").addresses.contains("10.7.0.9:\(laptop.port)")
      }
      try await laptop.ready(for: "studio")
      // Both ways over a link that the laptop has dialed again.
      #expect(try await studio.node.list(peer: "laptop").isEmpty)
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
      let peer = try await studio.node.peer(alias: "laptop")
      await peer.dialOnce()
      #expect(await peer.links.contains { $0.dialled?.description == "10.7.0.9:\(laptop.port)" })
    }
  }

  @Test func aHelloOverAPublicLinkDialsNothingOfTheLAN() async throws {
    try await withTwo("192.0.2.1/24", "192.0.2.2/24") { house, one, two in
      try await one.ip("addr add 10.9.0.1/24 dev cable")
      let studio = try await one.run { try await house.start("studio", host: "192.0.2.1", loop: one.loop) }
      let lan = try await one.hangUp("10.9.0.1")
      let itself = try await one.hangUp("127.0.0.1")
      let mallorys = try await two.hangUp("192.0.2.2")
      let ticket = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: []).text
      let mallory = try await ForgedPeer.pair(with: ticket, as: "mallory", on: two.loop)
      try await mallory.ready()
      let named = [lan, itself, mallorys].map(\.address.description)
      try await mallory.say(.hello(Hello(name: "elsewhere", addresses: named)))
      try await eventually("it is heard", on: house.loop) {
        try await studio.node.summary(of: "mallory").name == "elsewhere"
      }
      await mallory.close()
      let peer = try await studio.node.peer(alias: "mallory")
      try await eventually("the link is gone", on: house.loop) { await peer.links.isEmpty }
      try? await peer.ready(by: .after(.seconds(3)))
      #expect(await mallorys.accepted > 0)
      #expect(await lan.accepted == 0)
      #expect(await itself.accepted == 0)
      for place in [lan, itself, mallorys] { await place.close() }
      await studio.node.stop()
    }
  }
}
