internal import CUV

/// What a stream has read and not given out, and who waits for more.
struct StreamInput {
  /// Who waits for bytes, and for which.
  enum Demand {
    case none
    case any(Waiter<[UInt8]?>)
    case exactly(Int, Waiter<[UInt8]?>)
    case body(FrameFill, Waiter<Void>)
  }

  var demand = Demand.none
  /// Why there will be no more: UV_EOF, or an error.
  var end: CInt?
  /// A body was given up: nobody knows where the next frame begins.
  var isOutOfStep = false
  var isReading = false
  private var bytes: [UInt8] = []
  private var start = 0

  var available: Int { bytes.count - start }

  mutating func append(_ more: UnsafeRawBufferPointer) {
    if start > 0 {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(contentsOf: more)
  }

  mutating func take(_ count: Int) -> [UInt8] {
    if start == 0, count == bytes.count {
      defer { bytes = [] }
      return bytes
    }
    let taken = Array(bytes[start..<(start + count)])
    drop(count)
    return taken
  }

  mutating func move(into room: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(room.count, available)
    bytes.withUnsafeBytes { raw in room.copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[start..<(start + count)])) }
    drop(count)
    return count
  }

  private mutating func drop(_ count: Int) {
    start += count
    if start == bytes.count {
      bytes = []
      start = 0
    }
  }
}

/// A frame's body on its way in, behind a header that was read before.
final class FrameFill {
  private let frame: Frame
  private let target: Int
  private var filled: Int

  init(frame: Frame, behind headerCount: Int, count: Int) {
    self.frame = frame
    filled = headerCount
    target = headerCount + count
  }

  /// Exactly what is missing, so that a read never runs into the next frame.
  var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: frame.bytes[filled..<target]) }

  /// Counts bytes that lie in ``room`` now; true when the frame is whole.
  func advance(by count: Int) -> Bool {
    filled += count
    guard filled == target else { return false }
    frame.count = filled
    return true
  }
}

extension StreamCore {
  func read(deadline: Deadline) async throws -> [UInt8]? {
    let waiter = Waiter<[UInt8]?>(loop: loop)
    waiter.onGivingUp = { [self] in withdrawDemand() }
    try demand(.any(waiter))
    return try await waiter.value(until: deadline)
  }

  func read(exactly count: Int, deadline: Deadline) async throws -> [UInt8]? {
    precondition(count <= StreamLimits.exactReadBytes, "more than an exact read may ask for")
    guard count > 0 else { return [] }
    let waiter = Waiter<[UInt8]?>(loop: loop)
    waiter.onGivingUp = { [self] in withdrawDemand() }
    try demand(.exactly(count, waiter))
    return try await waiter.value(until: deadline)
  }

  func readBody(_ fill: FrameFill, deadline: Deadline) async throws {
    let waiter = Waiter<Void>(loop: loop)
    waiter.onGivingUp = { [self] in withdrawDemand() }
    try demand(.body(fill, waiter))
    try await waiter.value(until: deadline)
  }

  private func demand(_ demand: StreamInput.Demand) throws {
    try requireOpen("read")
    guard case .none = input.demand else { preconditionFailure("one reader at a time") }
    if input.isOutOfStep { throw error(.truncated, "read") }
    input.demand = demand
    serve()
  }

  private func withdrawDemand() {
    if case .body = input.demand { input.isOutOfStep = true }
    input.demand = .none
    serve()
  }

  /// Our own end of it: whoever waits is told, and what has been read is void.
  func endInput(status: CInt) {
    input.end = status
    finishDemand(status)
    stopReading()
  }

  /// Gives the waiting reader what is there, and reads on exactly as long as somebody waits.
  private func serve() {
    switch input.demand {
    case .none: break
    case .any(let waiter):
      if input.available > 0 {
        input.demand = .none
        waiter.succeed(input.take(input.available))
      }
    case .exactly(let count, let waiter):
      if input.available >= count {
        input.demand = .none
        waiter.succeed(input.take(count))
      }
    case .body(let fill, _):
      if input.available > 0 { advance(fill, by: input.move(into: fill.room)) }
    }
    if let end = input.end { finishDemand(end) }
    if case .none = input.demand { stopReading() } else { startReading() }
  }

  private func advance(_ fill: FrameFill, by count: Int) {
    guard case .body(_, let waiter) = input.demand, fill.advance(by: count) else { return }
    input.demand = .none
    waiter.succeed(())
  }

  /// Nothing more will come for whoever still waits.
  private func finishDemand(_ end: CInt) {
    let demand = input.demand
    input.demand = .none
    guard end == UV_EOF.rawValue else { return demand.fail(error(status: end, "read")) }
    switch demand {
    case .none: break
    case .any(let waiter): waiter.succeed(nil)
    case .exactly(_, let waiter):
      if input.available == 0 { waiter.succeed(nil) } else { waiter.fail(error(.truncated, "read")) }
    case .body(_, let waiter): waiter.fail(error(.truncated, "read"))
    }
  }

  private func startReading() {
    guard !input.isReading else { return }
    let status = uv_read_start(stream, streamNeedsRoom, streamDidRead)
    if status < 0 {
      input.end = status
      return finishDemand(status)
    }
    input.isReading = true
  }

  private func stopReading() {
    guard input.isReading else { return }
    input.isReading = false
    uv_read_stop(stream)
  }

  /// Where the next bytes go: into the waiting body, or into the loop's one buffer. On Unix libuv asks and reads in
  /// one go, so nothing changes in between.
  fileprivate func room() -> UnsafeMutableRawBufferPointer {
    if case .body(let fill, _) = input.demand { return fill.room }
    return loop.scratch
  }

  fileprivate func didRead(_ count: Int) {
    if count < 0 {
      input.end = CInt(count)
    } else if case .body(let fill, _) = input.demand {
      advance(fill, by: count)
    } else {
      input.append(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count]))
    }
    serve()
  }
}

extension StreamInput.Demand {
  fileprivate func fail(_ error: LoopError) {
    switch self {
    case .none: break
    case .any(let waiter), .exactly(_, let waiter): waiter.fail(error)
    case .body(_, let waiter): waiter.fail(error)
    }
  }
}

private func streamNeedsRoom(
  _ handle: UnsafeMutablePointer<uv_handle_t>?, _ suggested: Int, _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
  guard let room = StreamCore.from(handle?.pointee.data)?.room() else { return }
  buffer?.pointee = uv_buf_t(base: room.baseAddress?.assumingMemoryBound(to: CChar.self), len: room.count)
}

private func streamDidRead(
  _ stream: UnsafeMutablePointer<uv_stream_t>?, _ count: Int, _ buffer: UnsafePointer<uv_buf_t>?
) {
  // Zero is not the end but "nothing after all".
  if count != 0 { StreamCore.from(stream?.pointee.data)?.didRead(count) }
}
