internal import EventLoop
internal import Session

/// Where a peer's delivered payloads go: the node that it is a peer of.
protocol PeerInbox: Sendable {
  /// Called in order, after the commit that made the payload count. Does not wait for the disk: the session waits for it. `scope` is that of the link it came on.
  func deliver(_ payload: Delivered, from peer: Peer, over scope: AddressScope) async
  /// Where this node accepts connections.
  nonisolated var listening: SocketAddress { get }
}
