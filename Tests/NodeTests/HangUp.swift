import EventLoop
import Noise
import Primitives
import Session

@testable import Node

/// The place where a peer should be, and where every connection ends at once.
actor HangUp {
  enum Manner: Sendable {
    /// Before a byte, as a port that refuses.
    case atOnce
    /// After the handshake and these frames, as a peer of this identity.
    case afterHandshake(Identity, saying: [LinkFrame] = [])
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  nonisolated let address: PeerAddress
  private let listener: TCPListener
  private let manner: Manner
  /// Connections that came.
  private(set) var accepted = 0
  /// Handshakes that were finished.
  private(set) var links = 0

  private init(_ manner: Manner, _ listener: TCPListener, address: PeerAddress, loop: EventLoop) {
    self.manner = manner
    self.loop = loop
    self.listener = listener
    self.address = address
  }

  /// Listens from now on.
  static func open(_ manner: Manner, host: String = "127.0.0.1", loop: EventLoop) async throws -> HangUp {
    try await open(manner, on: try await TCPListener.bind(host: host, port: 0, on: loop), host: host, loop: loop)
  }

  /// Takes a listener over.
  static func open(_ manner: Manner, on listener: TCPListener, host: String, loop: EventLoop) async throws -> HangUp {
    let address = try PeerAddress(host: host, port: listener.localAddress.port)
    let place = HangUp(manner, listener, address: address, loop: loop)
    Task { await place.serve() }
    return place
  }

  func close() async { await listener.close() }

  private func serve() async {
    while let stream = try? await listener.accept() {
      accepted += 1
      Task {
        if case .afterHandshake(let identity, let words) = self.manner { try? await self.greet(stream, identity, words) }
        await stream.close()
      }
    }
  }

  private func greet(_ stream: TCPStream, _ identity: Identity, _ words: [LinkFrame]) async throws {
    let deadline = Deadline.after(.seconds(10))
    _ = try await stream.read(exactly: 1, deadline: deadline)
    let driver = HandshakeDriver(
      stream: stream, remoteName: "node",
      handshake: NoiseHandshake(
        .xk, role: .responder, prologue: Array(Preamble.link.prologue.utf8), staticKey: identity.linkKey(),
        randomness: .system),
      deadline: deadline, loop: loop)
    _ = try await driver.greet()
    _ = try await driver.answer()
    links += 1
    let connection = try await driver.secured()
    for word in words { try await connection.send(word.encoded) }
    await connection.close()
  }
}
