internal import CSys
internal import CUV
internal import Glibc

/// A descriptor that connections come in on, and the tasks that wait for them. The kernel's backlog is the only queue.
///
/// libuv's own `uv_listen` is not used: without a descriptor left it either accepts and drops what waits, or spins
/// inside the loop. Here whoever waits is told, and pauses before asking again: ``AcceptRetry``.
///
/// - Note: `@unchecked Sendable`: touched on the loop's thread only.
final class ListeningSocket: LoopResource, @unchecked Sendable {
  private enum State {
    case unopened
    case open
    case closing([CheckedContinuation<Void, Never>])
    case closed
  }

  let loop: EventLoop
  private let name: String
  private let descriptor: CInt
  private let poll = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
  private var state = State.unopened
  private var waiters: [Waiter<CInt>] = []
  private var isPolling = false

  /// Takes over a descriptor that listens and does not block.
  init(_ descriptor: CInt, loop: EventLoop, name: String) {
    self.descriptor = descriptor
    self.loop = loop
    self.name = name
  }

  deinit { poll.deallocate() }

  /// Also closes the descriptor if it throws.
  func open() throws(LoopError) {
    var status: CInt = 0
    do throws(LoopError) {
      try loop.register(self)
      status = uv_poll_init(loop.raw, poll, descriptor)
      if status < 0 { loop.deregister(self) }
      try LoopError.check(status, "listen \(name)")
    } catch {
      state = .closed
      Glibc.close(descriptor)
      throw error
    }
    poll.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    state = .open
  }

  /// The next connection's descriptor, which is the caller's to close. Always by way of the loop's poll: a flood of
  /// connections gets one turn of the loop each and leaves the rest of it to others.
  func accept() async throws -> CInt {
    guard case .open = state else { throw LoopError(.closed, "accept \(name)") }
    let waiter = Waiter<CInt>(loop: loop)
    waiter.onGivingUp = { [self] in
      waiters.removeAll { $0 === waiter }
      pollIfWanted()
    }
    waiters.append(waiter)
    pollIfWanted()
    return try await waiter.value()
  }

  private func pollIfWanted() {
    guard case .open = state else { return }
    let isWanted = !waiters.isEmpty
    guard isWanted != isPolling else { return }
    isPolling = isWanted
    if isWanted { uv_poll_start(poll, CInt(UV_READABLE.rawValue), socketIsReady) } else { uv_poll_stop(poll) }
  }

  fileprivate func isReady(_ status: CInt) {
    if status < 0 { return failAll(LoopError(status: status, "accept \(name)")) }
    guard let waiter = waiters.first else { return pollIfWanted() }
    let accepted = sys_accept(descriptor)
    if accepted >= 0 {
      waiters.removeFirst()
      waiter.succeed(accepted)
    } else {
      refused(accepted)
    }
    pollIfWanted()
  }

  private func refused(_ status: CInt) {
    switch -status {
    case EAGAIN, EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
      // The connection, not the listener, is what failed (accept(2), "Error handling"): the poll comes again.
      break
    default:
      // No descriptor, no memory, or something unheard of: asking again at once would only spin. Whoever waits decides.
      failAll(LoopError(status: status, "accept \(name)"))
    }
  }

  private func failAll(_ error: LoopError) {
    let failed = waiters
    waiters = []
    for waiter in failed { waiter.fail(error) }
    pollIfWanted()
  }

  func close() {
    switch state {
    case .unopened:
      state = .closed
      Glibc.close(descriptor)
    case .closing, .closed: return
    case .open:
      failAll(LoopError(.closed, "accept \(name)"))
      state = .closing([])
      uv_close(UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_handle_t.self), socketIsClosed)
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
    Glibc.close(descriptor)
    for task in waiting { task.resume() }
    loop.deregister(self)
  }
}

private func socketIsReady(_ poll: UnsafeMutablePointer<uv_poll_t>?, _ status: CInt, _ events: CInt) {
  guard let context = poll?.pointee.data else { return }
  Unmanaged<ListeningSocket>.fromOpaque(context).takeUnretainedValue().isReady(status)
}

private func socketIsClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  guard let context = handle?.pointee.data else { return }
  Unmanaged<ListeningSocket>.fromOpaque(context).takeUnretainedValue().didClose()
}

/// A socket that is closed again unless somebody takes it over.
struct NewSocket: ~Copyable {
  let descriptor: CInt

  init(family: CInt, name: String) throws(LoopError) {
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    descriptor = socket(family, kind, 0)
    if descriptor < 0 { throw LoopError(status: -errno, "socket for \(name)") }
  }

  deinit { Glibc.close(descriptor) }

  consuming func release() -> CInt {
    let descriptor = descriptor
    discard self
    return descriptor
  }

  func set(_ option: CInt, level: CInt, to value: CInt, name: String) throws(LoopError) {
    var value = value
    try check(setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)), name)
  }

  /// For a call that returned -1 and left its reason in `errno`.
  func check(_ result: CInt, _ context: @autoclosure () -> String) throws(LoopError) {
    if result < 0 { throw LoopError(status: -errno, context()) }
  }
}
