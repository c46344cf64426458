import EventLoop
import Noise
import Primitives
import Session
import Testing
import Transfer

@testable import Node

/// Strangers who connect faster than a peer can finish a handshake, from the peer's own address.
@Suite(.timeLimit(.minutes(5))) struct StrangerFloodTests {
  /// A path with a delay, such as a long line has.
  private actor LongLine {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    nonisolated let address: PeerAddress
    private let target: SocketAddress
    private let delay: Duration
    private let listener: TCPListener
    private var streams: [TCPStream] = []

    init(to target: SocketAddress, delay: Duration, on loop: EventLoop) async throws {
      self.target = target
      self.delay = delay
      self.loop = loop
      listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
      address = try PeerAddress(host: "127.0.0.1", port: listener.localAddress.port)
      Task { await self.serve() }
    }

    func close() async {
      await listener.close()
      for stream in streams { await stream.close() }
    }

    private func serve() async {
      while let near = try? await listener.accept() {
        guard let far = try? await TCPStream.connect(to: target, on: loop) else {
          await near.close()
          continue
        }
        streams += [near, far]
        Task { await self.pass(from: near, to: far) }
        Task { await self.pass(from: far, to: near) }
      }
    }

    private func pass(from: TCPStream, to: TCPStream) async {
      while let bytes = try? await from.read() {
        try? await loop.sleep(for: delay)
        guard (try? await to.write(bytes)) != nil else { break }
      }
      await from.close()
      await to.close()
    }
  }

  private final class Count: Sendable {
    let value = Locked(0)
    var now: Int { value.withLock { $0 } }
  }

  /// Opens connections in bursts until it is ended: more than 145 a second.
  private static func flood(
    _ node: RunningNode, counting count: Count, saying words: @escaping @Sendable () -> [UInt8], on loop: EventLoop
  ) -> Task<Void, Never> {
    let target = node.node.listening
    return Task {
      var open: [TCPStream] = []
      while !Task.isCancelled {
        for _ in 0..<16 {
          guard let stream = try? await TCPStream.connect(to: target, on: loop, deadline: .after(.seconds(1))) else { continue }
          count.value.withLock { $0 += 1 }
          let bytes = words()
          if !bytes.isEmpty { try? await stream.write(bytes, deadline: .after(.seconds(1))) }
          open.append(stream)
        }
        // The node has dropped these long ago, or will in a moment.
        while open.count > 300 { await open.removeFirst().close() }
        try? await loop.sleep(for: .milliseconds(100))
      }
      for stream in open { await stream.close() }
    }
  }

  /// How long a peer at the end of a long line takes until it is answered; nil if it is not in time.
  private func timeToAnswer(of peer: ForgedPeer, within limit: Duration, on loop: EventLoop) async throws -> Duration? {
    let began = MonotonicClock.now
    let deadline = Deadline.after(limit)
    var request = 0 as UInt64
    while !deadline.isPast {
      if await peer.isCut { try? await peer.relink() }
      request += 1
      try? await peer.say(.catalogRequest(.init(request: request)))
      try await loop.sleep(for: .milliseconds(50))
      let isAnswered = await peer.heard.contains { message in
        guard case .catalog = message else { return false }
        return true
      }
      if isAnswered { return MonotonicClock.now - began }
    }
    return nil
  }

  private func expectPeerIsIn(
    within limit: Duration, saying words: @escaping @Sendable (X25519.PublicKey) -> [UInt8]
  ) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let line = try await LongLine(to: studio.node.listening, delay: .milliseconds(60), on: house.loop)
      house.atTheEnd { await line.close() }
      let invitation = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: [line.address.description])
      let key = try Ticket(invitation.text).linkKey
      let peer = try await ForgedPeer.pair(with: invitation.text, as: "laptop", on: house.loop)
      house.atTheEnd { await peer.close() }
      try await peer.ready()
      await peer.cutLink()
      let crowd = EventLoop(name: "test.crowd")
      let count = Count()
      let flood = Self.flood(studio, counting: count, saying: { words(key) }, on: crowd)
      // The doorway is full before the peer comes.
      try await eventually("the doorway is full", on: house.loop) { count.now > 64 }
      let taken = try await timeToAnswer(of: peer, within: limit, on: house.loop)
      flood.cancel()
      await flood.value
      await crowd.stop()
      #expect(taken != nil, "not in within \(limit), after \(count.now) connections of others")
    }
  }

  @Test func strangersOfItsOwnAddressDoNotKeepAPeerOut() async throws {
    try await expectPeerIsIn(within: .seconds(10)) { _ in [] }
  }

  @Test func strangersWhoSendGarbageHandshakesDoNotKeepAPeerOut() async throws {
    try await expectPeerIsIn(within: .seconds(10)) { _ in [1, 0, 48] + pattern(48) }
  }

  @Test func thoseWhoKnowTheLinkKeyDelayAPeerAndDoNotKeepItOut() async throws {
    try await expectPeerIsIn(within: .seconds(30)) { key in
      var handshake = NoiseHandshake(
        .xk, role: .initiator(remoteStatic: key), prologue: Array("pawl/1 link".utf8),
        staticKey: X25519.PrivateKey.generate(.system), randomness: .system)
      return [1, 0, 48] + ((try? handshake.writeMessage(payload: [])) ?? [])
    }
  }
}
