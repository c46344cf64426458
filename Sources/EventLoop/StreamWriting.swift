internal import CUV

extension StreamCore {
  func write(_ bytes: [UInt8], deadline: Deadline) async throws {
    try Task.checkCancellation()
    try requireOpen("write")
    let sent = try bytes.withUnsafeBytes { try writeNow($0) }
    if sent == bytes.count { return }
    // libuv reads the rest later: it gets a copy that stays where it is.
    let rest = WriteBuffer(copying: bytes[sent...])
    try await writeLater(UnsafeRawBufferPointer(rest.bytes), of: rest, deadline: deadline)
  }

  func write(frame: Frame, from: Int, count: Int, deadline: Deadline) async throws {
    try Task.checkCancellation()
    try requireOpen("write")
    let bytes = UnsafeRawBufferPointer(rebasing: frame.bytes[from..<(from + count)])
    let sent = try writeNow(bytes)
    if sent == count { return }
    try await writeLater(UnsafeRawBufferPointer(rebasing: bytes[sent...]), of: frame, deadline: deadline)
  }

  /// What the kernel takes at once; nothing while others wait their turn.
  private func writeNow(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    if bytes.isEmpty { return 0 }
    var buffer = uv_buf_t(bytes)
    let status = uv_try_write(stream, &buffer, 1)
    if status == UV_EAGAIN.rawValue { return 0 }
    if status < 0 { throw error(status: status, "write") }
    return Int(status)
  }

  /// Queues behind the other writers; there is no suspension between ``writeNow(_:)`` and this, so the bytes of one
  /// write stay together.
  private func writeLater(_ bytes: UnsafeRawBufferPointer, of owner: AnyObject, deadline: Deadline) async throws {
    let waiter = Waiter<Void>(loop: loop)
    let request = StreamRequest<uv_write_t>(core: self, operation: "write", waiter: waiter, payload: owner)
    var buffer = uv_buf_t(bytes)
    let status = uv_write(request.memory, stream, &buffer, 1, writeIsDone)
    if status < 0 { request.done(status) }
    try await waiter.value(until: deadline)
  }
}

private final class WriteBuffer {
  let bytes: UnsafeMutableRawBufferPointer

  init(copying source: ArraySlice<UInt8>) {
    bytes = .allocate(byteCount: source.count, alignment: 1)
    bytes.copyBytes(from: source)
  }

  deinit { bytes.deallocate() }
}

private func writeIsDone(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: CInt) {
  StreamRequest.from(request)?.done(status)
}

extension uv_buf_t {
  /// libuv only reads from it.
  fileprivate init(_ bytes: UnsafeRawBufferPointer) {
    let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    self.init(base: base?.assumingMemoryBound(to: CChar.self), len: bytes.count)
  }
}
