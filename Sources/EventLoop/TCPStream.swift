internal import CUV

/// A TCP connection. Messages go out without delay, and a vanished peer is noticed (keepalive).
/// Dropping the last reference closes it.
public actor TCPStream: FrameStream {
  private nonisolated let core: StreamCore
  /// The other side's address.
  public nonisolated let remoteAddress: SocketAddress

  /// Pinned to the loop that it was made on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { core.loop.asUnownedSerialExecutor() }

  /// What it holds as long as it is open.
  private var permit: DescriptorPermit?

  /// Call with a core that is open, or about to be.
  init(core: StreamCore, remoteAddress: SocketAddress) {
    self.core = core
    self.remoteAddress = remoteAddress
  }

  deinit { core.loop.post { [core] in core.close() } }

  /// Connects to an address. Throws ``LoopError/Code/refused``, ``LoopError/Code/unreachable``, ``TimeoutError``.
  public static func connect(
    to address: SocketAddress, on loop: EventLoop, deadline: Deadline = .never
  ) async throws -> TCPStream {
    let core = StreamCore(.tcp, loop: loop, name: "\(address)")
    let stream = TCPStream(core: core, remoteAddress: address)
    try await stream.connect(deadline: deadline)
    return stream
  }

  /// Looks `host` up and connects to the first of its addresses that answers; throws what the last one threw.
  public static func connect(
    host: String, port: UInt16, on loop: EventLoop, deadline: Deadline = .never
  ) async throws -> TCPStream {
    var lastError: any Error = LoopError(.unresolvable, "connect \(host)")
    for address in try await Resolver.resolve(host: host, port: port, on: loop, deadline: deadline) {
      do {
        return try await connect(to: address, on: loop, deadline: deadline)
      } catch let error as LoopError {
        lastError = error
      }
    }
    throw lastError
  }

  private func connect(deadline: Deadline) async throws {
    try await core.connect(to: remoteAddress, deadline: deadline)
  }

  /// Our own address on this connection; nil once it is closed.
  public var localAddress: SocketAddress? {
    guard (try? core.requireOpen("look at")) != nil else { return nil }
    return SocketAddress.read { uv_tcp_getsockname(core.tcp, $0, $1) }
  }

  /// See ``ByteStream/read(deadline:)``.
  public func read(deadline: Deadline) async throws -> [UInt8]? { try await core.read(deadline: deadline) }

  /// See ``ByteStream/read(exactly:deadline:)``.
  public func read(exactly count: Int, deadline: Deadline) async throws -> [UInt8]? {
    try await core.read(exactly: count, deadline: deadline)
  }

  /// See ``FrameStream/readBody(of:headerCount:count:deadline:)``.
  public func readBody(of frame: Frame, headerCount: Int, count: Int, deadline: Deadline) async throws {
    guard headerCount >= 0, count >= 0, count <= frame.capacity - headerCount else {
      throw LoopError(.frameTooLong, "read \(remoteAddress)")
    }
    frame.count = headerCount
    guard count > 0 else { return }
    try await core.readBody(FrameFill(frame: frame, behind: headerCount, count: count), deadline: deadline)
  }

  /// See ``ByteStream/write(_:deadline:)``.
  public func write(_ bytes: [UInt8], deadline: Deadline) async throws { try await core.write(bytes, deadline: deadline) }

  /// See ``FrameStream/write(frame:from:count:deadline:)``.
  public func write(frame: Frame, from: Int, count: Int, deadline: Deadline) async throws {
    try await core.write(frame: frame, from: from, count: count, deadline: deadline)
  }

  /// See ``ByteStream/shutdownWrite()``.
  public func shutdownWrite() async throws { try await core.shutdownWrite() }

  /// See ``ByteStream/close()``.
  public func close() async {
    await core.closeAndWait()
    permit = nil
  }

  /// Keeps a permit until the stream is closed.
  public func hold(_ permit: DescriptorPermit) { self.permit = permit }
}
