public import EventLoop

/// The networks that this machine is on, as the system tells. A parameter, so that a test can move a node from one to another.
public protocol NetworkView: Sendable {
  /// The addresses of this machine's interfaces that are up, as ``NetworkInterfaces/addresses()`` gives them; empty if the system
  /// does not tell.
  func interfaces() -> [InterfaceAddress]
  /// Whether `address` is one of this machine's, so that what comes in on it can come in at all.
  func has(_ address: SocketAddress) -> Bool
  /// Yields once it listens, and then when the addresses may have changed, until the task that waits for it is cancelled. Several changes may be one.
  func changes(on loop: EventLoop) -> AsyncStream<Void>
  /// The scope of a link whose other end is at `remote`.
  func scope(ofLinkTo remote: SocketAddress) -> AddressScope
}

/// The network as the system has it.
public struct SystemNetworkView: NetworkView {
  /// Between two looks at the addresses where the system does not tell of changes.
  static let lookInterval = Duration.seconds(5)

  /// The only one there is.
  public init() {}

  /// The system's addresses.
  public func interfaces() -> [InterfaceAddress] { NetworkInterfaces.addresses() }

  /// The system's word: it lets a socket be bound there.
  public func has(_ address: SocketAddress) -> Bool { NetworkInterfaces.has(address) }

  /// The kernel's word (netlink); where there is none, every 5 s.
  public func changes(on loop: EventLoop) -> AsyncStream<Void> {
    AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
      let task = startTask {
        if let told = try? await NetworkInterfaces.changes(on: loop) {
          continuation.yield()
          for await _ in told { continuation.yield() }
        }
        while (try? await loop.sleep(for: Self.lookInterval)) != nil { continuation.yield() }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  /// What the address says; of one that says nothing, the most distant.
  public func scope(ofLinkTo remote: SocketAddress) -> AddressScope { AddressScope(of: remote) ?? .publicNetwork }
}
