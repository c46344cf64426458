internal import CUV
internal import Glibc

/// A libuv stream, of whichever kind: what ``TCPStream`` and ``PipeStream`` share. Reading and writing are in
/// extensions beside this file.
///
/// - Note: `@unchecked Sendable`: every member is used on the loop's thread only.
final class StreamCore: LoopResource, @unchecked Sendable {
  enum Kind {
    case tcp
    case pipe
  }

  private enum State {
    case unopened
    case open
    case closing([CheckedContinuation<Void, Never>])
    case closed
  }

  /// Idle time after which the kernel asks whether the other side is still there.
  private static let keepAliveSeconds: CUnsignedInt = 60

  let loop: EventLoop
  let name: String
  private let kind: Kind
  private let memory: UnsafeMutableRawPointer
  private var state = State.unopened
  private var isWriteShut = false
  var input = StreamInput()

  /// `name` says in errors which stream it was.
  init(_ kind: Kind, loop: EventLoop, name: String) {
    self.kind = kind
    self.loop = loop
    self.name = name
    let size = uv_handle_size(kind == .tcp ? UV_TCP : UV_NAMED_PIPE)
    memory = .allocate(byteCount: size, alignment: 16)
  }

  /// The loop's registry holds the core while the handle is open, so this comes after the close callback.
  deinit { memory.deallocate() }

  var stream: UnsafeMutablePointer<uv_stream_t> { memory.assumingMemoryBound(to: uv_stream_t.self) }
  var tcp: UnsafeMutablePointer<uv_tcp_t> { memory.assumingMemoryBound(to: uv_tcp_t.self) }
  private var pipe: UnsafeMutablePointer<uv_pipe_t> { memory.assumingMemoryBound(to: uv_pipe_t.self) }
  private var handle: UnsafeMutablePointer<uv_handle_t> { memory.assumingMemoryBound(to: uv_handle_t.self) }

  static func from(_ context: UnsafeMutableRawPointer?) -> StreamCore? {
    context.map { Unmanaged<StreamCore>.fromOpaque($0).takeUnretainedValue() }
  }

  func requireOpen(_ operation: String) throws(LoopError) {
    guard case .open = state else { throw error(.closed, operation) }
  }

  func error(_ code: LoopError.Code, _ operation: String) -> LoopError { LoopError(code, "\(operation) \(name)") }
  func error(status: CInt, _ operation: String) -> LoopError { LoopError(status: status, "\(operation) \(name)") }

  // MARK: Opening

  private func open() throws(LoopError) {
    guard case .unopened = state else { throw error(.closed, "open") }
    try loop.register(self)
    let status = kind == .tcp ? uv_tcp_init(loop.raw, tcp) : uv_pipe_init(loop.raw, pipe, 0)
    if status < 0 {
      loop.deregister(self)
      throw error(status: status, "open")
    }
    handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    state = .open
  }

  /// Takes over a connected descriptor, also when it throws: then it is closed.
  func adopt(_ descriptor: CInt) throws(LoopError) {
    do throws(LoopError) {
      try open()
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    let status = kind == .tcp ? uv_tcp_open(tcp, descriptor) : uv_pipe_open(pipe, descriptor)
    if status < 0 {
      Glibc.close(descriptor)
      close()
      throw error(status: status, "open")
    }
    setOptions()
  }

  func connect(to address: SocketAddress, deadline: Deadline) async throws {
    try await connect(deadline: deadline) { core, request in
      address.withSockaddr { pointer, _ in uv_tcp_connect(request, core.tcp, pointer, connectIsDone) }
    }
    setOptions()
  }

  func connect(path: String, deadline: Deadline) async throws {
    try await connect(deadline: deadline) { core, request in
      uv_pipe_connect(request, core.pipe, path, connectIsDone)
      return 0
    }
  }

  private func connect(
    deadline: Deadline, _ start: (StreamCore, UnsafeMutablePointer<uv_connect_t>) -> CInt
  ) async throws {
    try open()
    let waiter = Waiter<Void>(loop: loop)
    waiter.onGivingUp = { [self] in close() }
    let request = ConnectRequest(core: self, waiter: waiter)
    let status = start(self, request.memory)
    if status < 0 { request.done(status) }
    do {
      try await waiter.value(until: deadline)
    } catch {
      close()
      throw error
    }
  }

  /// Small messages go at once, and a peer that vanished without a word is noticed.
  private func setOptions() {
    guard kind == .tcp else { return }
    uv_tcp_nodelay(tcp, 1)
    uv_tcp_keepalive(tcp, 1, Self.keepAliveSeconds)
  }

  // MARK: Closing

  func shutdownWrite() async throws {
    try requireOpen("shut down")
    if isWriteShut { return }
    isWriteShut = true
    let waiter = Waiter<Void>(loop: loop)
    let request = ShutdownRequest(core: self, waiter: waiter)
    let status = uv_shutdown(request.memory, stream, shutdownIsDone)
    if status < 0 { request.done(status) }
    try await waiter.value()
  }

  func close() {
    switch state {
    case .unopened: state = .closed
    case .closing, .closed: return
    case .open:
      state = .closing([])
      endInput(status: UV_ECANCELED.rawValue)
      uv_close(handle, streamIsClosed)
    }
  }

  /// Begins to close if need be, and waits until it is done, cancelled or not.
  func closeAndWait() async {
    close()
    await withCheckedContinuation { task in
      guard case .closing(let others) = state else { return task.resume() }
      state = .closing(others + [task])
    }
  }

  fileprivate func didClose() {
    guard case .closing(let waiting) = state else { return }
    state = .closed
    for task in waiting { task.resume() }
    loop.deregister(self)
  }
}

private func streamIsClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  StreamCore.from(handle?.pointee.data)?.didClose()
}

// MARK: Requests

/// libuv's memory for one request, which keeps itself alive until libuv has called back.
final class StreamRequest<Memory> {
  let memory = UnsafeMutablePointer<Memory>.allocate(capacity: 1)
  private let core: StreamCore
  private let operation: String
  private let waiter: Waiter<Void>
  /// What libuv reads from until then.
  private let payload: AnyObject?

  init(core: StreamCore, operation: String, waiter: Waiter<Void>, payload: AnyObject? = nil) {
    self.core = core
    self.operation = operation
    self.waiter = waiter
    self.payload = payload
    let context = Unmanaged.passRetained(self).toOpaque()
    UnsafeMutableRawPointer(memory).assumingMemoryBound(to: uv_req_t.self).pointee.data = context
  }

  deinit { memory.deallocate() }

  /// The callback, or the call itself if it failed.
  func done(_ status: CInt) {
    if status < 0 { waiter.fail(core.error(status: status, operation)) } else { waiter.succeed(()) }
    Unmanaged.passUnretained(self).release()
  }

  static func from(_ memory: UnsafeMutablePointer<Memory>?) -> StreamRequest? {
    guard let memory else { return nil }
    let context = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: uv_req_t.self).pointee.data
    return context.map { Unmanaged<StreamRequest>.fromOpaque($0).takeUnretainedValue() }
  }
}

private typealias ConnectRequest = StreamRequest<uv_connect_t>
private typealias ShutdownRequest = StreamRequest<uv_shutdown_t>

extension StreamRequest where Memory == uv_connect_t {
  fileprivate convenience init(core: StreamCore, waiter: Waiter<Void>) {
    self.init(core: core, operation: "connect", waiter: waiter)
  }
}

extension StreamRequest where Memory == uv_shutdown_t {
  fileprivate convenience init(core: StreamCore, waiter: Waiter<Void>) {
    self.init(core: core, operation: "shut down", waiter: waiter)
  }
}

private func connectIsDone(_ request: UnsafeMutablePointer<uv_connect_t>?, _ status: CInt) {
  StreamRequest.from(request)?.done(status)
}

private func shutdownIsDone(_ request: UnsafeMutablePointer<uv_shutdown_t>?, _ status: CInt) {
  StreamRequest.from(request)?.done(status)
}
