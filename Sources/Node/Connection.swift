internal import EventLoop

/// Whole messages to and from one authenticated node: what a link needs of a network.
///
/// TCP under Noise is one; a simulator's queue is another.
protocol Connection: Sendable {
  /// Where the other side is, for people: `10.0.0.7:7411`.
  var remoteName: String { get }
  /// The addresses at both ends; nil where there are none.
  var ends: ConnectionEnds? { get }
  /// Queues a message. Messages arrive in the order of the calls. Waits only when too much is queued already.
  func send(_ message: [UInt8]) async throws
  /// The next message; nil when the other side has ended the stream. Throws when nothing came within `silence`.
  func receive(within silence: Duration) async throws -> [UInt8]?
  /// Sends what is queued, and a last message, if that goes quickly; then ends both directions. Idempotent.
  func close(saying last: [UInt8]?) async
}

/// The addresses of a connection that is up.
struct ConnectionEnds: Hashable, Sendable {
  /// This machine's; nil if the connection was gone before it could be asked for.
  let local: SocketAddress?
  /// The other side's.
  let remote: SocketAddress

  /// Those of a stream. To be called on its loop.
  init(of stream: TCPStream) {
    local = stream.assumeIsolated { $0.localAddress }
    remote = stream.remoteAddress
  }
}

extension Connection {
  /// Sends what is queued if that goes quickly, then ends both directions. Idempotent.
  func close() async { await close(saying: nil) }
}
