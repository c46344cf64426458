import EventLoop
import Session
import Testing

@testable import Node
@testable import Store

/// A store that cannot be written for a while.
@Suite(.timeLimit(.minutes(5))) struct FullDiskTests {
  @Test func aNodeWhoseDiskWasFullDialsAgainByItself() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      // Its own addresses never change: their news would have it look after its links.
      let laptop = try await house.start("laptop", network: StillNetwork())
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      let peer = try await laptop.node.peer(alias: "studio")
      try await eventually("nothing is under way", on: house.loop) { await peer.machine.unacknowledged == 0 }
      // What the laptop said of itself has been heard by now. The studio cannot dial, as if the laptop were behind a NAT.
      _ = try await laptop.node.list(peer: "studio")
      try await eventually("nothing is under way", on: house.loop) { await peer.machine.unacknowledged == 0 }
      await (try await studio.node.peer(alias: "laptop")).forgetAddresses()
      let database = laptop.node.context.database
      _ = try await database.number(
        "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
      let refused = Promise<NodeError>()
      await peer.send(Array(#"{"type":"turned"}"#.utf8)) { refused.settle(.success($0)) }
      #expect(try await refused.value().message.contains("cannot be written"))
      try await eventually("the link is gone", on: house.loop) { await peer.links.isEmpty }
      #expect(await peer.commitFailure != nil)
      _ = try await database.number("DROP TRIGGER full")
      try await eventually("it dials again without being asked", on: house.loop) { await meddler.count(of: .link) > 0 }
      try await eventually("and is linked", on: house.loop) { await peer.isReady }
    }
  }
}

/// A network of which nothing new is ever heard.
private struct StillNetwork: NetworkView {
  func interfaces() -> [InterfaceAddress] { [] }
  func has(_ address: SocketAddress) -> Bool { true }
  func changes(on loop: EventLoop) -> AsyncStream<Void> { AsyncStream { _ in } }
  func scope(ofLinkTo remote: SocketAddress) -> AddressScope { AddressScope(of: remote) ?? .publicNetwork }
}

extension Peer {
  fileprivate func forgetAddresses() { addresses = [] }
}
