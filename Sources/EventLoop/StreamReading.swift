internal import CUV

/// What a stream has read and not given out, and who waits for more.
struct StreamInput {
  /// Who waits for bytes, and for which.
  enum Demand {
    case none
    case any(Waiter<[UInt8]?>)
    case exactly(Int, Waiter<[UInt8]?>)
    case frame(FrameFill, Waiter<Bool>)
  }

  var demand = Demand.none
  /// Why there will be no more: UV_EOF, or an error.
  var end: CInt?
  /// A frame was given up in the middle: nobody knows where the next one begins.
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

/// A frame on its way in: the header first, then as much as the header says.
final class FrameFill {
  private let frame: Frame
  private let headerCount: Int
  private let length: @Sendable (Span<UInt8>) throws -> Int
  private var target: Int
  private var isHeaderRead = false
  private(set) var filled = 0

  init(frame: Frame, headerCount: Int, length: @escaping @Sendable (Span<UInt8>) throws -> Int) {
    self.frame = frame
    self.headerCount = headerCount
    self.length = length
    target = headerCount
  }

  /// Exactly what is missing, so that a read never runs into the next frame.
  var room: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: frame.bytes[filled..<target]) }

  /// Counts bytes that lie in ``room`` now; true when the frame is whole.
  func advance(by count: Int, name: String) throws -> Bool {
    filled += count
    if filled == target, !isHeaderRead {
      isHeaderRead = true
      let header = Array(frame.bytes[..<headerCount])
      let more = try length(header.span)
      guard more >= 0, more <= frame.capacity - headerCount else { throw LoopError(.frameTooLong, "read \(name)") }
      target += more
    }
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

  func readFrame(_ fill: FrameFill, deadline: Deadline) async throws -> Bool {
    let waiter = Waiter<Bool>(loop: loop)
    waiter.onGivingUp = { [self] in withdrawDemand() }
    try demand(.frame(fill, waiter))
    return try await waiter.value(until: deadline)
  }

  private func demand(_ demand: StreamInput.Demand) throws {
    try requireOpen("read")
    guard case .none = input.demand else { preconditionFailure("one reader at a time") }
    if input.isOutOfStep { throw error(.truncated, "read") }
    input.demand = demand
    serve()
  }

  private func withdrawDemand() {
    if case .frame(let fill, _) = input.demand, fill.filled > 0 { input.isOutOfStep = true }
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
    case .frame(let fill, _):
      while input.available > 0, case .frame = input.demand { advance(fill, by: input.move(into: fill.room)) }
    }
    if let end = input.end { finishDemand(end) }
    if case .none = input.demand { stopReading() } else { startReading() }
  }

  private func advance(_ fill: FrameFill, by count: Int) {
    guard case .frame(_, let waiter) = input.demand else { return }
    do {
      guard try fill.advance(by: count, name: name) else { return }
      input.demand = .none
      waiter.succeed(true)
    } catch {
      input.demand = .none
      input.isOutOfStep = true
      waiter.fail(error)
    }
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
    case .frame(let fill, let waiter):
      if fill.filled == 0 { waiter.succeed(false) } else { waiter.fail(error(.truncated, "read")) }
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

  /// Where the next bytes go: into the waiting frame, or into the loop's one buffer. On Unix libuv asks and reads in
  /// one go, so nothing changes in between.
  fileprivate func room() -> UnsafeMutableRawBufferPointer {
    if case .frame(let fill, _) = input.demand { return fill.room }
    return loop.scratch
  }

  fileprivate func didRead(_ count: Int) {
    if count < 0 {
      input.end = CInt(count)
    } else if case .frame(let fill, _) = input.demand {
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
    case .frame(_, let waiter): waiter.fail(error)
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
