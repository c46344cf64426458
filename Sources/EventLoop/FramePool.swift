internal import Glibc

/// Buffers for the bulk path: at most so many, and whoever wants one more waits. That is the memory bound of a
/// transfer and its backpressure.
public final class FramePool: Sendable {
  private struct State {
    var idle: [FrameMemory] = []
    var made = 0
    var waiting: [Parked<Frame>] = []
  }

  private let frames: Int
  private let headerBytes: Int
  private let bodyBytes: Int
  private let state = Locked(State())

  /// A pool of at most `frames` buffers of `headerBytes + bodyBytes` bytes each. A buffer is made, and its pages
  /// touched, when it is first needed; its body begins on a page.
  public init(frames: Int, headerBytes: Int, bodyBytes: Int) {
    precondition(frames > 0 && headerBytes >= 0 && bodyBytes > 0, "a pool of nothing")
    self.frames = frames
    self.headerBytes = headerBytes
    self.bodyBytes = bodyBytes
  }

  deinit {
    state.withLock { state in
      for memory in state.idle { memory.block.deallocate() }
    }
  }

  /// A free frame; waits for one to come back if there is none, in the order of asking. Its content is what the
  /// last user left.
  public func take() async throws -> Frame {
    try Task.checkCancellation()
    if let frame = tryTake() { return frame }
    let parked = Parked<Frame>()
    return try await parked.wait {
      // Between the look above and this one a frame may have come back.
      let memory = state.withLock { state in
        let memory = idleOrNew(&state)
        if memory == nil { state.waiting.append(parked) }
        return memory
      }
      if let memory { hand(memory, to: parked) }
    } onCancel: { [weak self] in
      self?.state.withLock { state in state.waiting.removeAll { $0 === parked } }
    }
  }

  /// A free frame, or nil if all are in use or promised.
  public func tryTake() -> Frame? {
    state.withLock { state in idleOrNew(&state) }.map { Frame(memory: $0, pool: self) }
  }

  private func idleOrNew(_ state: inout State) -> FrameMemory? {
    guard state.waiting.isEmpty else { return nil }
    if let memory = state.idle.popLast() { return memory }
    guard state.made < frames else { return nil }
    state.made += 1
    return FrameMemory(headerBytes: headerBytes, bodyBytes: bodyBytes)
  }

  private func hand(_ memory: FrameMemory, to parked: Parked<Frame>) {
    if let task = parked.claim() {
      task.resume(returning: Frame(memory: memory, pool: self))
    } else {
      giveBack(memory)
    }
  }

  fileprivate func giveBack(_ memory: FrameMemory) {
    let next = state.withLock { state in
      while !state.waiting.isEmpty {
        if let task = state.waiting.removeFirst().claim() { return Optional(task) }
      }
      state.idle.append(memory)
      return nil
    }
    next?.resume(returning: Frame(memory: memory, pool: self))
  }
}

/// The bytes of a frame: header room that ends where a page begins, and the body from there on.
///
/// - Note: `@unchecked Sendable`: owned by one ``Frame`` or by the pool's free list.
private struct FrameMemory: @unchecked Sendable {
  private static let page = 4096

  let block: UnsafeMutableRawBufferPointer
  let headerBytes: Int
  let bytes: UnsafeMutableRawBufferPointer

  init(headerBytes: Int, bodyBytes: Int) {
    let bodyStart = (headerBytes + Self.page - 1) / Self.page * Self.page
    block = .allocate(byteCount: bodyStart + bodyBytes, alignment: Self.page)
    bytes = UnsafeMutableRawBufferPointer(rebasing: block[(bodyStart - headerBytes)...])
    // Faults the pages in now, not while a socket waits.
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    self.headerBytes = headerBytes
  }
}

/// One buffer of a ``FramePool``, which gets it back when the last reference goes.
///
/// - Note: `@unchecked Sendable`: a frame has one owner at a time: the stream while it reads or writes it, a worker
///   while its job runs. Whoever hands it on does not touch it until it comes back.
public final class Frame: @unchecked Sendable {
  private let memory: FrameMemory
  private let pool: FramePool

  /// The bytes in use, header included.
  public var count = 0

  fileprivate init(memory: FrameMemory, pool: FramePool) {
    self.memory = memory
    self.pool = pool
  }

  deinit { pool.giveBack(memory) }

  /// How much fits, header included.
  public var capacity: Int { memory.bytes.count }
  /// All of it: header and body, contiguous. Valid while the frame lives.
  public var bytes: UnsafeMutableRawBufferPointer { memory.bytes }
  /// The room before the body.
  public var header: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<memory.headerBytes])
  }
  /// From the first page boundary on.
  public var body: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory.bytes[memory.headerBytes...])
  }
}
