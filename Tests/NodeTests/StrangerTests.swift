import EventLoop
import Foundation
import Glibc
import Noise
import Primitives
import Session
import Testing
import Transfer

@testable import Node

/// What becomes of those who connect and are not peers.
@Suite(.timeLimit(.minutes(5))) struct StrangerTests {
  /// Sends bytes and waits for the end, at most twenty seconds for each byte. Returns what came until then.
  private func visit(
    _ node: RunningNode, saying bytes: [UInt8], thenEnd: Bool = false, on loop: EventLoop
  ) async throws -> [UInt8] {
    let stream = try await TCPStream.connect(to: node.node.listening, on: loop)
    if !bytes.isEmpty { try await stream.write(bytes) }
    if thenEnd { try await stream.shutdownWrite() }
    var heard: [UInt8] = []
    do {
      while let more = try await stream.read(deadline: .after(.seconds(20))) { heard += more }
    } catch let error as LoopError where error.code == .reset {}
    await stream.close()
    return heard
  }

  @Test func garbageHalfAFrameAnOversizedLengthAndSilenceAreClosedWithoutAByte() async throws {
    try await withHouse { house in
      let node = try await house.start("studio")
      let visits: [(what: String, bytes: [UInt8], end: Bool)] = [
        ("silence", [], false), ("an end at once", [], true),
        ("a web browser", Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), false),
        ("no such purpose", [0], false), ("another", [4], false), ("and another", [0xFF] + pattern(200), false),
        ("a link and silence", [1], false), ("a pairing and silence", [2], false), ("data and silence", [3], false),
        ("half a length", [1, 0], false), ("half a handshake message", [1, 0, 48] + pattern(20), false),
        ("half a handshake message and the end", [1, 0, 48] + pattern(20), true),
        ("an oversized length", [1, 0xFF, 0xFF] + pattern(1_000), false),
        ("an oversized message", [1, 0xFF, 0xFF] + pattern(65_535), false),
        ("an oversized pairing", [2, 0x00, 0xFF] + pattern(255), false), ("an empty message", [1, 0, 0], false),
        ("noise of the right length", [1, 0, 48] + pattern(48), false),
        ("a pairing of the right length", [2, 0, 64] + pattern(64), false),
        ("an attachment nobody announced", [3] + pattern(48), false), ("a megabyte of it", [3] + pattern(1 << 20), false),
      ]
      // One after the other in small groups: an address has eight places.
      for group in stride(from: 0, to: visits.count, by: 7) {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          for visit in visits[group..<min(group + 7, visits.count)] {
            tasks.addTask {
              let bytes = visit.bytes
              // The megabyte meets a closed socket.
              let outcome = try? await self.visit(node, saying: bytes, thenEnd: visit.end, on: house.loop)
              guard let outcome else { return #expect(visit.bytes.count > 1 << 16, "\(visit.what)") }
              #expect(outcome.isEmpty, "\(visit.what)")
            }
          }
          try await tasks.waitForAll()
        }
      }
      // And it still serves those whom it knows.
      let laptop = try await house.start("laptop")
      try await house.pair(node, laptop)
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
    }
  }

  @Test func whoFallsSilentInTheMiddleOfAHandshakeIsClosedAfterFiveSeconds() async throws {
    try await withHouse { house in
      let node = try await house.start("studio")
      let ticket = try Ticket(try await node.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
      let stream = try await TCPStream.connect(to: node.node.listening, on: house.loop)
      var handshake = NoiseHandshake(
        .xk, role: .initiator(remoteStatic: ticket.linkKey), prologue: Array("pawl/1 link".utf8),
        staticKey: X25519.PrivateKey.generate(.system), randomness: .system)
      let began = MonotonicClock.now
      try await stream.write([1, 0, 48] + (try handshake.writeMessage(payload: [])))
      // The answer proves who the node is, and says nothing more.
      let answer = try await stream.read(exactly: 50, deadline: .after(.seconds(3)))
      #expect(answer?.prefix(2) == [0, 48])
      #expect(try await stream.read(deadline: .after(.seconds(15))) == nil)
      let seconds = (MonotonicClock.now - began) / .seconds(1)
      #expect(seconds > 3.5)
      await stream.close()
    }
  }

  @Test func aNodeThatIsNotPairedGetsNoAnswer() async throws {
    try await withHouse { house in
      let node = try await house.start("studio")
      let ticket = try Ticket(try await node.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
      let stranger = try Identity.generate(.system)
      let connection = try await ForgedPeer.connect(
        .link, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: stranger, on: house.loop)
      try await connection.send(LinkFrame.counters([]).encoded)
      try await connection.send(LinkFrame.bundleRequest(pattern(16)).encoded)
      // Either a clean end or a reset, as the kernel likes; never a byte.
      let answer = try? await connection.receive(within: .seconds(6))
      #expect(answer == nil || answer == .some(nil))
      await connection.close()
      #expect(await node.node.peerSummaries().isEmpty)
    }
  }

  @Test func aPayloadInALinksHandshakeIsRefused() async throws {
    try await withHouse { house in
      let node = try await house.start("studio")
      let peer = try await house.forge("mallory", at: node)
      let ticket = try Ticket(try await node.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
      await #expect(throws: (any Error).self) {
        _ = try await ForgedPeer.connect(
          .link, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: peer.identity, first: [1], on: house.loop)
      }
      let connection = try await ForgedPeer.connect(
        .link, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: peer.identity, third: [1], on: house.loop)
      let answer = try? await connection.receive(within: .seconds(6))
      #expect(answer == nil || answer == .some(nil))
      await connection.close()
    }
  }

  /// Sockets that connect from an address of the loopback network and say nothing.
  private final class Silent: Sendable {
    let sockets: [Int32]

    init(count: Int, port: UInt16, from hosts: [String]) throws {
      sockets = try (0..<count).map { index in
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(socket >= 0)
        func call(_ host: String, _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
          var address = sockaddr_in()
          address.sin_family = sa_family_t(AF_INET)
          address.sin_port = port.bigEndian
          inet_pton(AF_INET, host, &address.sin_addr)
          return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
              body(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
          }
        }
        try #require(call(hosts[index % hosts.count], 0, Glibc.bind) == 0)
        try #require(call("127.0.0.1", port, Glibc.connect) == 0)
        return socket
      }
    }

    deinit { for socket in sockets { Glibc.close(socket) } }
  }

  @Test(arguments: [false, true])
  func aHundredSilentConnectionsDoNotKeepAPeerOut(fromThePeersOwnAddress: Bool) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let peer = try await house.forge("laptop", at: studio)
      await peer.cutLink()
      let hosts = fromThePeersOwnAddress ? ["127.0.0.1"] : (2...20).map { "127.0.0.\($0)" }
      let silent = try Silent(count: 100, port: studio.port, from: hosts)
      try await peer.relink()
      try await peer.say(.catalogRequest(.init(request: 1)))
      try await eventually("the peer is answered", on: house.loop) {
        await peer.heard.contains { if case .catalog = $0 { true } else { false } }
      }
      withExtendedLifetime(silent) {}
    }
  }
}
