internal import EventLoop
internal import Noise
internal import Primitives
internal import Session

/// Reaches a node that may live at several addresses: all are tried side by side, the first that proves its key wins.
struct Dialler {
  /// Between the starts of two attempts, as in RFC 8305: most of the time the first answers within it.
  static let stagger = Duration.milliseconds(250)
  /// For one address, name resolution and handshake included.
  static let attemptTime = Duration.seconds(5)
  /// Places that are connected to in one attempt, whatever names resolve to.
  static let maximumPlaces = 8

  /// A node that answered, before the last handshake message.
  struct Answer: Sendable {
    let address: PeerAddress
    let driver: HandshakeDriver
  }

  /// What became of the addresses that did not win.
  struct Failure: Error {
    /// Someone accepted the connection there but did not prove to be the node we wanted.
    var answered: [PeerAddress] = []
    /// Nobody there.
    var silent: [PeerAddress] = []
    /// Not even tried, for want of a descriptor on this side.
    var untried: [PeerAddress] = []
  }

  let context: NodeContext
  /// Which of the places that the addresses stand for may be dialed.
  let rules: DialRules
  let preamble: Preamble
  let remoteKey: X25519.PublicKey
  let psk: SecretBox?
  let firstPayload: [UInt8]
  /// What an address stands for now.
  var resolve: @Sendable (PeerAddress, EventLoop, Deadline) async throws -> [SocketAddress] = {
    try await Resolver.resolve(host: $0.host, port: $0.port, on: $1, deadline: $2)
  }

  private enum Outcome: Sendable {
    case won(Answer)
    case answered(PeerAddress)
    case silent(PeerAddress)
    case untried(PeerAddress)
  }

  /// The first address whose node proves that it holds the expected link key. Throws ``Failure`` if none does.
  func dial(_ addresses: [PeerAddress]) async throws -> Answer {
    var failure = Failure()
    let places = DialedPlaces(atMost: Self.maximumPlaces)
    let winner = await withTaskGroup(of: Outcome.self) { group -> Answer? in
      for (index, address) in addresses.enumerated() {
        group.addTask { await self.attempt(address, delay: Self.stagger * index, places) }
      }
      var winner: Answer?
      for await outcome in group {
        switch outcome {
        case .won(let answer) where winner == nil:
          winner = answer
          group.cancelAll()
        case .won(let late): await late.driver.abandon()
        case .answered(let address): failure.answered.append(address)
        case .silent(let address): failure.silent.append(address)
        case .untried(let address): failure.untried.append(address)
        }
      }
      return winner
    }
    guard let winner else { throw failure }
    return winner
  }

  /// All places behind an address that may be dialed, a moment apart: one that swallows everything, as an IPv6 address does where IPv6
  /// leads nowhere, takes only that moment from the others.
  private func attempt(_ address: PeerAddress, delay: Duration, _ places: DialedPlaces) async -> Outcome {
    let deadline = Deadline.after(Self.attemptTime + delay)
    let found: [SocketAddress]
    do {
      if delay > .zero { try await context.loop.sleep(for: delay) }
      found = try await resolve(address, context.loop, deadline)
    } catch { return .silent(address) }
    let allowed = found.filter { rules.permit($0, for: address) && places.take($0) }
    return await withTaskGroup(of: Outcome.self) { group in
      for (index, place) in allowed.enumerated() {
        group.addTask { await self.attempt(address, at: place, delay: Self.stagger * index, by: deadline) }
      }
      var best = Outcome.silent(address)
      for await outcome in group {
        switch (outcome, best) {
        case (.won(let late), .won): await late.driver.abandon()
        case (.won, _):
          best = outcome
          group.cancelAll()
        case (.answered, .silent), (.answered, .untried), (.untried, .silent): best = outcome
        default: break
        }
      }
      return best
    }
  }

  private func attempt(_ address: PeerAddress, at place: SocketAddress, delay: Duration, by deadline: Deadline) async -> Outcome
  {
    let stream: TCPStream
    do {
      if delay > .zero { try await context.loop.sleep(for: delay) }
      stream = try await TCPStream.connect(to: place, on: context.loop, deadline: deadline)
    } catch let error as LoopError where error.code == .tooManyFiles {
      return .untried(address)
    } catch { return .silent(address) }
    do {
      let handshake = NoiseHandshake(
        preamble == .pair ? .xkpsk3 : .xk, role: .initiator(remoteStatic: remoteKey), prologue: Array(preamble.prologue.utf8),
        staticKey: context.identity.linkKey(), psk: psk, randomness: context.crypto.randomness)
      let driver = HandshakeDriver(
        stream: stream, remoteName: address.description, ends: await ends(of: stream), handshake: handshake,
        deadline: deadline, loop: context.loop)
      try await driver.open(preamble, payload: firstPayload)
      return .won(Answer(address: address, driver: driver))
    } catch {
      await stream.close()
      return .answered(address)
    }
  }

  private func ends(of stream: TCPStream) async -> ConnectionEnds? {
    try? await context.loop.run { ConnectionEnds(of: stream) }
  }
}

/// The places that one attempt connects to: each once, and no more than so many.
final class DialedPlaces: Sendable {
  private let limit: Int
  private let taken = Locked<Set<SocketAddress>>([])

  init(atMost limit: Int) { self.limit = limit }

  /// Whether this place is still to be tried.
  func take(_ place: SocketAddress) -> Bool {
    taken.withLock { [limit] in $0.count < limit && $0.insert(place.unwrapped).inserted }
  }
}

extension Preamble {
  /// The Noise prologue of a connection of this purpose.
  var prologue: String {
    switch self {
    case .link: "pawl/1 link"
    case .pair: "pawl/1 pair"
    case .data: "pawl/1 data"
    }
  }
}
