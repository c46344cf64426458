import EventLoop
import Session
import Testing

@testable import Node

/// Names that stand for several places.
@Suite(.timeLimit(.minutes(2))) struct DiallerTests {
  /// A place that swallows whatever is sent to it, as an IPv6 address does where IPv6 leads nowhere: its line of connections that wait is
  /// full, and the kernel answers nobody any more.
  private func blackHole(on loop: EventLoop) async throws -> (listener: TCPListener, held: [Task<Void, Never>]) {
    let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, backlog: 0, on: loop)
    let place = listener.localAddress
    let first = try await TCPStream.connect(to: place, on: loop)
    let others = (0..<2).map { _ in
      Task { _ = try? await TCPStream.connect(to: place, on: loop, deadline: .after(.seconds(60))) }
    }
    return (listener, others + [Task { try? await first.write([]) }])
  }

  private func dial(_ house: House, _ places: [SocketAddress], for node: RunningNode, from other: RunningNode) async throws
    -> Result<Void, any Error>
  {
    let address = try PeerAddress("twins.example:7411")
    var dialler = Dialler(
      context: other.node.context,
      rules: DialRules(
        origins: AddressOrigins(given: [address]), own: OwnListeners(listening: other.node.listening, interfaces: [])),
      preamble: .link, remoteKey: node.node.context.identity.record.linkKey, psk: nil, firstPayload: [])
    dialler.resolve = { _, _, _ in places }
    do {
      let answer = try await dialler.dial([address])
      #expect(answer.address == address)
      await answer.driver.abandon()
      return .success(())
    } catch { return .failure(error) }
  }

  @Test func aPlaceThatSwallowsEverythingDoesNotTakeTheTimeOfTheOthers() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let hole = try await blackHole(on: house.loop)
      try await dial(house, [hole.listener.localAddress, studio.node.listening], for: studio, from: laptop).get()
      for task in hole.held { task.cancel() }
      await hole.listener.close()
    }
  }

  @Test func aPlaceThatAcceptsAndSaysNothingDoesNotEither() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let silent = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: house.loop)
      try await dial(house, [silent.localAddress, studio.node.listening], for: studio, from: laptop).get()
      await silent.close()
    }
  }

  @Test func aNameThatOnlyStrangersAnswerIsToldSo() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let hangUp = try await HangUp.open(.atOnce, loop: house.loop)
      let place = try #require(SocketAddress(ip: hangUp.address.host, port: hangUp.address.port))
      guard case .failure(let error as Dialler.Failure) = try await dial(house, [place], for: studio, from: laptop) else {
        Issue.record("it was reached")
        return
      }
      #expect(error.answered.count == 1 && error.silent.isEmpty)
    }
  }
}
