internal import CSys
internal import CUV
internal import Glibc

extension NetworkInterfaces {
  /// Yields each time that an address or an interface of this machine may have come or gone; what happens close together may be
  /// one. Ends when the loop stops or the system no longer tells, and closes its descriptor when nobody waits for it any more.
  ///
  /// Throws ``LoopError`` where there is no netlink.
  public static func changes(on loop: EventLoop) async throws -> AsyncStream<Void> {
    try await loop.run {
      let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
      let descriptor = sys_watch_addresses()
      try LoopError.check(descriptor, "watch interfaces")
      let watcher = InterfaceWatcher(descriptor, loop: loop, continuation)
      try watcher.open()
      continuation.onTermination = { _ in loop.post { watcher.close() } }
      return stream
    }
  }
}

/// A netlink socket that says when addresses change. What it says is thrown away: the addresses are then looked up as always.
///
/// - Note: `@unchecked Sendable`: touched on the loop's thread only.
private final class InterfaceWatcher: LoopResource, @unchecked Sendable {
  private let loop: EventLoop
  private let descriptor: CInt
  private let poll = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
  private let continuation: AsyncStream<Void>.Continuation
  private var isOpen = false

  init(_ descriptor: CInt, loop: EventLoop, _ continuation: AsyncStream<Void>.Continuation) {
    self.descriptor = descriptor
    self.loop = loop
    self.continuation = continuation
  }

  deinit { poll.deallocate() }

  /// Also closes the descriptor if it throws.
  func open() throws(LoopError) {
    var status: CInt = 0
    do throws(LoopError) {
      try loop.register(self)
      status = uv_poll_init(loop.raw, poll, descriptor)
      if status < 0 { loop.deregister(self) }
      try LoopError.check(status, "watch interfaces")
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    poll.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    isOpen = true
    uv_poll_start(poll, CInt(UV_READABLE.rawValue), interfacesChanged)
  }

  fileprivate func changed(_ status: CInt) {
    guard isOpen else { return }
    guard status >= 0, sys_drain(descriptor) >= 0 else { return close() }
    continuation.yield()
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    continuation.finish()
    uv_close(UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_handle_t.self), watcherIsClosed)
  }

  fileprivate func didClose() {
    Glibc.close(descriptor)
    loop.deregister(self)
  }
}

private func interfacesChanged(_ poll: UnsafeMutablePointer<uv_poll_t>?, _ status: CInt, _ events: CInt) {
  guard let context = poll?.pointee.data else { return }
  Unmanaged<InterfaceWatcher>.fromOpaque(context).takeUnretainedValue().changed(status)
}

private func watcherIsClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  guard let context = handle?.pointee.data else { return }
  Unmanaged<InterfaceWatcher>.fromOpaque(context).takeUnretainedValue().didClose()
}
