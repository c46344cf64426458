import EventLoop

@testable import Node

/// A network that a test owns. A node that listens on all addresses says that it has these.
final class FakeNetwork: NetworkView {
  private struct State {
    var hosts: [String]
    var watchers: [AsyncStream<Void>.Continuation] = []
  }

  private let state: Locked<State>
  private let scope: AddressScope?

  /// `scope` is that of every link, wherever its other end is.
  init(_ hosts: [String], scope: AddressScope? = nil) {
    state = Locked(State(hosts: hosts))
    self.scope = scope
  }

  /// The machine has these addresses now.
  func move(to hosts: [String]) {
    let watchers = state.withLock { state in
      state.hosts = hosts
      return state.watchers
    }
    for watcher in watchers { watcher.yield() }
  }

  func interfaces() -> [InterfaceAddress] {
    state.withLock { $0.hosts }.compactMap { host in
      SocketAddress(ip: host, port: 0).map { InterfaceAddress(name: "fake0", address: $0, isLoopback: false) }
    }
  }

  func has(_ address: SocketAddress) -> Bool { state.withLock { $0.hosts.contains(address.host) } }

  func changes(on loop: EventLoop) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    state.withLock { $0.watchers.append(continuation) }
    continuation.yield()
    return stream
  }

  func scope(ofLinkTo remote: SocketAddress) -> AddressScope { scope ?? AddressScope(of: remote) ?? .publicNetwork }
}
