internal import EventLoop
internal import Logging
internal import Noise
internal import Primitives
internal import Session
internal import Store

extension Node {
  /// The setting under which a port that was picked is remembered.
  private static let portSetting = "listen.port"

  /// Binds what was asked for, or the default port on all addresses, or the port of last time, or a free one.
  static func listen(_ configuration: NodeConfiguration, context: NodeContext) async throws -> TCPListener {
    if let asked = configuration.listen {
      do { return try await TCPListener.bind(host: asked.host, port: asked.port, on: context.loop) } catch let error
        as LoopError
      {
        let place = "\(asked.host):\(asked.port)"
        switch error.code {
        case .addressInUse:
          throw NodeError(.failed, "\(place) is taken by another program", hint: "choose another --listen, or port 0")
        case .addressNotAvailable:
          throw NodeError(.failed, "\(asked.host) is no address of this machine", hint: "choose another --listen")
        case .permissionDenied:
          throw NodeError(.failed, "not allowed to listen on \(place)", hint: "ports below 1024 need privileges")
        default: throw NodeError(.failed, "cannot listen on \(place): \(error)")
        }
      }
    }
    let remembered = try await context.database.setting(portSetting).flatMap { UInt16($0) }
    for port in [remembered, NodeConfiguration.defaultPort, 0].compactMap({ $0 }) {
      for host in ["::", "0.0.0.0"] {
        guard let listener = try? await TCPListener.bind(host: host, port: port, on: context.loop) else { continue }
        if port != NodeConfiguration.defaultPort {
          try await context.database.set(portSetting, String(listener.localAddress.port))
        }
        return listener
      }
    }
    throw NodeError(.failed, "cannot listen on any port", hint: "choose an address with --listen")
  }

  func acceptConnections() async {
    var retry = AcceptRetry(on: context.loop) { [logger = context.logger] error, unreported in
      logger.error(
        "a connection was not accepted; going on", metadata: ["error": "\(error)", "others": "\(unreported)"])
    }
    while !isStopping, let stream = await retry.next({ [listener] in try await listener.accept() }) {
      if let place = doorway.enter(stream) { admit(stream, at: place) } else { await stream.close() }
    }
  }

  /// Tells the doorway where peers may be reached. A list of now and then is good enough: it only says who is dropped last.
  func noteKnownAddresses() async {
    var hosts: [String] = []
    for peer in peers.values { hosts += await peer.addresses.map(\.host) }
    doorway.setKnown(hosts)
  }

  private func admit(_ stream: TCPStream, at place: Doorway.Place) {
    startTask {
      let deadline = Deadline.after(HandshakeDriver.totalTime)
      do { try await self.welcome(stream, at: place, by: deadline) } catch {
        // Nothing is said to whoever fails here: not even that somebody is listening for something.
        self.context.peerLog.note(
          .debug, "turned away", peer: nil, metadata: ["from": "\(stream.remoteAddress)", "error": "\(error)"])
        await stream.close()
      }
      place.leave()
    }
  }

  /// Reads the first byte and lets whoever can authenticate in. Throwing closes the stream silently.
  private func welcome(_ stream: TCPStream, at place: Doorway.Place, by deadline: Deadline) async throws {
    let first = Deadline.after(HandshakeDriver.firstMessageTime)
    guard let byte = try await stream.read(exactly: 1, deadline: first)?.first, let preamble = Preamble(rawValue: byte) else {
      throw LinkEnded()
    }
    switch preamble {
    case .link: try await welcomeLink(stream, at: place, by: deadline)
    case .pair: try await welcomeJoiner(stream, at: place, by: deadline)
    case .data: try await welcomeData(stream, at: place, by: first)
    }
  }

  /// The responder's end of a handshake.
  func responder(
    _ preamble: Preamble, _ stream: TCPStream, at place: Doorway.Place, by deadline: Deadline
  ) -> HandshakeDriver {
    let handshake = NoiseHandshake(
      preamble == .pair ? .xkpsk3 : .xk, role: .responder, prologue: Array(preamble.prologue.utf8),
      staticKey: context.identity.linkKey(), randomness: context.crypto.randomness)
    return HandshakeDriver(
      stream: stream, remoteName: stream.remoteAddress.description, ends: ConnectionEnds(of: stream), handshake: handshake,
      deadline: deadline, place: place, loop: context.loop)
  }

  private func welcomeLink(_ stream: TCPStream, at place: Doorway.Place, by deadline: Deadline) async throws {
    let opened = MonotonicClock.seconds
    let driver = responder(.link, stream, at: place, by: deadline)
    guard try await driver.greet().isEmpty else { throw LinkEnded() }
    let (payload, remote) = try await driver.answer()
    guard payload.isEmpty, let peer = peers.values.first(where: { $0.record.linkKey == remote }) else { throw LinkEnded() }
    guard await !peer.row.blocked else { throw LinkEnded() }
    await peer.attach(Link(number: LinkNumber.next(), connection: try await driver.secured(), dialled: nil, opened: opened))
  }
}
