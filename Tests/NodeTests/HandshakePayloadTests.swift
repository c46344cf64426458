import EventLoop
import Noise
import Primitives
import Session
import Testing

@testable import Node

/// Handshake messages that carry nothing carry nothing: a payload in one of them ends the connection.
@Suite(.timeLimit(.minutes(3))) struct HandshakePayloadTests {
  /// Answers one connection as a responder, with a payload in message 2. Returns what came after it; nil: the end.
  private static func answer(
    _ listener: TCPListener, _ pattern: NoiseHandshake.Pattern, prologue: String, as identity: Identity, psk: SecretBox? = nil,
    payload: [UInt8]
  ) async throws -> [UInt8]? {
    let stream = try await listener.accept()
    var handshake = NoiseHandshake(
      pattern, role: .responder, prologue: Array(prologue.utf8), staticKey: identity.linkKey(), psk: psk, randomness: .system)
    guard let head = try await stream.read(exactly: 3, deadline: .after(.seconds(10))),
      let first = try await stream.read(exactly: Int(head[1]) << 8 + Int(head[2]), deadline: .after(.seconds(10)))
    else { throw LinkEnded() }
    _ = try handshake.readMessage(first)
    let second = try handshake.writeMessage(payload: payload)
    try await stream.write([UInt8(second.count >> 8), UInt8(second.count & 0xFF)] + second)
    let after = try? await stream.read(exactly: 2, deadline: .after(.seconds(10)))
    await stream.close()
    return after
  }

  @Test(arguments: [0, 1, 16])
  func aPayloadInMessage2OfALinkEndsIt(count: Int) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: house.loop)
      house.atTheEnd { await listener.close() }
      let place = try PeerAddress(host: "127.0.0.1", port: listener.localAddress.port)
      let invitation = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: [])
      let mallory = try await ForgedPeer.pair(with: invitation.text, as: "mallory", at: [place], on: house.loop)
      house.atTheEnd { await mallory.close() }
      try await mallory.ready()
      await mallory.cutLink()
      // The node dials it.
      let after = try await Self.answer(
        listener, .xk, prologue: "pawl/1 link", as: mallory.identity, payload: pattern(count))
      // Message 3 is 64 bytes.
      #expect(after == (count == 0 ? [0, 64] : nil))
    }
  }

  @Test(arguments: [0, 1])
  func aPayloadInMessage2OfAPairingEndsIt(count: Int) async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: house.loop)
      house.atTheEnd { await listener.close() }
      let inviter = try Identity.generate(.system)
      let ticket = try Ticket.mint(
        for: inviter, addresses: [try PeerAddress(host: "127.0.0.1", port: listener.localAddress.port)],
        expires: ForgedPeer.now + 60, randomness: .system)
      let answering = Task {
        try await Self.answer(
          listener, .xkpsk3, prologue: "pawl/1 pair", as: inviter, psk: ticket.psk, payload: pattern(count))
      }
      _ = try await nodeError { _ = try await laptop.node.join(ticket.text, alias: nil) }
      let after = try await answering.value
      // The introduction goes only to one who keeps the protocol.
      #expect((after == nil) == (count > 0))
    }
  }
}
