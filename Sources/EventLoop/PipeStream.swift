internal import CUV
internal import Glibc

/// A connection over a Unix socket. Dropping the last reference closes it.
public actor PipeStream: ByteStream {
  /// How soon a listener whose queue was full is tried again: the kernel does not tell when there is room.
  private static let retryInterval = Duration.milliseconds(10)

  private nonisolated let core: StreamCore

  /// Pinned to the loop that it was made on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { core.loop.asUnownedSerialExecutor() }

  /// Call with a core that is open, or about to be.
  init(core: StreamCore) { self.core = core }

  deinit { core.loop.post { [core] in core.close() } }

  /// Connects to a listener. Throws ``LoopError/Code/notFound`` if nothing lies at the path, ``LoopError/Code/refused``
  /// if nobody listens there, ``LoopError/Code/pathTooLong``, ``LoopError/Code/permissionDenied``, ``TimeoutError``.
  public static func connect(
    path: String, on loop: EventLoop, deadline: Deadline = .never
  ) async throws -> PipeStream {
    try UnixPath.check(path)
    let queueIsFull = LoopError(status: UV_EAGAIN.rawValue, path)
    while true {
      do {
        let stream = PipeStream(core: StreamCore(.pipe, loop: loop, name: path))
        try await stream.connect(path: path, deadline: deadline)
        return stream
      } catch let error as LoopError where error == queueIsFull {
        if deadline.isPast { throw TimeoutError() }
        try await loop.sleep(for: retryInterval)
      }
    }
  }

  /// Two ends of one connection.
  public static func pair(on loop: EventLoop) async throws -> (PipeStream, PipeStream) {
    var descriptors: [CInt] = [-1, -1]
    let status = uv_socketpair(CInt(SOCK_STREAM.rawValue), 0, &descriptors, 0, 0)
    try LoopError.check(status, "socket pair")
    let ends = descriptors.map { _ in PipeStream(core: StreamCore(.pipe, loop: loop, name: "pair")) }
    try await ends[0].adopt(descriptors[0])
    try await ends[1].adopt(descriptors[1])
    return (ends[0], ends[1])
  }

  private func connect(path: String, deadline: Deadline) async throws {
    try await core.connect(path: path, deadline: deadline)
  }

  private func adopt(_ descriptor: CInt) throws { try core.adopt(descriptor) }

  /// See ``ByteStream/read(deadline:)``.
  public func read(deadline: Deadline) async throws -> [UInt8]? { try await core.read(deadline: deadline) }

  /// See ``ByteStream/read(exactly:deadline:)``.
  public func read(exactly count: Int, deadline: Deadline) async throws -> [UInt8]? {
    try await core.read(exactly: count, deadline: deadline)
  }

  /// See ``ByteStream/write(_:deadline:)``.
  public func write(_ bytes: [UInt8], deadline: Deadline) async throws { try await core.write(bytes, deadline: deadline) }

  /// See ``ByteStream/shutdownWrite()``.
  public func shutdownWrite() async throws { try await core.shutdownWrite() }

  /// See ``ByteStream/close()``.
  public func close() async { await core.closeAndWait() }
}
