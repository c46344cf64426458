/// Bytes in order, both ways. Reading is pulled: while nobody reads, nothing is taken from the network, and that is
/// what slows the other side down. The same holds for writing: ``write(_:deadline:)`` returns when the kernel has the
/// bytes.
///
/// A waiting task that is cancelled gets `CancellationError` at once; a passed deadline throws ``TimeoutError``;
/// closing throws ``LoopError/Code/closed`` to whoever waits.
public protocol ByteStream: Sendable {
  /// The next bytes, as many as there are, at most 64 KiB; nil at the end. One reader at a time.
  func read(deadline: Deadline) async throws -> [UInt8]?

  /// Exactly `count` bytes, at most ``StreamLimits/exactReadBytes``; nil if the stream ended before the first of them,
  /// ``LoopError/Code/truncated`` if it ended later. When it is cancelled or times out no byte is lost.
  func read(exactly count: Int, deadline: Deadline) async throws -> [UInt8]?

  /// Sends the bytes, never mixed with another writer's. Returning means that the kernel has them all, not that they
  /// have arrived. Cancelled or timed out while waiting: they still go out whole unless the stream is closed.
  func write(_ bytes: [UInt8], deadline: Deadline) async throws

  /// Tells the other side that nothing more will come, after all writes before it. Reading goes on.
  func shutdownWrite() async throws

  /// Closes at once, whatever is under way; waits until the descriptor is closed. Any number of times.
  func close() async
}

extension ByteStream {
  /// ``read(deadline:)`` without a deadline.
  public func read() async throws -> [UInt8]? { try await read(deadline: .never) }

  /// ``read(exactly:deadline:)`` without a deadline.
  public func read(exactly count: Int) async throws -> [UInt8]? { try await read(exactly: count, deadline: .never) }

  /// ``write(_:deadline:)`` without a deadline.
  public func write(_ bytes: [UInt8]) async throws { try await write(bytes, deadline: .never) }
}

/// A stream that moves frames between the socket and pooled memory without copying them.
public protocol FrameStream: ByteStream {
  /// Sends `count` bytes of the frame from offset `from` on. The stream keeps the frame until they are sent; the caller
  /// leaves it alone until then. Otherwise like ``ByteStream/write(_:deadline:)``.
  func write(frame: Frame, from: Int, count: Int, deadline: Deadline) async throws

  /// Reads exactly `count` bytes into a frame, behind a header of `headerCount` bytes that was read before and is in its place, and
  /// sets `frame.count`.
  ///
  /// Throws ``LoopError/Code/frameTooLong`` if the frame has no room for them, and ``LoopError/Code/truncated`` if the stream ends
  /// before. After any error, a cancellation or a timeout the stream is out of step: all that is left to do is to close it.
  func readBody(of frame: Frame, headerCount: Int, count: Int, deadline: Deadline) async throws
}

/// Bounds of what one call may ask of a stream.
public enum StreamLimits {
  /// Larger than any handshake or control message; more than that is a frame's business.
  public static let exactReadBytes = 1 << 20
}
