internal import Glibc

/// Buffers for the bulk path: at most so many, and whoever wants one more waits. That is the memory bound of a
/// transfer and its backpressure.
public final class FramePool: FrameOwner {
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
      for memory in state.idle { memory.free() }
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
    state.withLock { state in idleOrNew(&state) }.map { Frame(memory: $0, owner: self) }
  }

  private func idleOrNew(_ state: inout State) -> FrameMemory? {
    guard state.waiting.isEmpty else { return nil }
    if let memory = state.idle.popLast() { return memory }
    guard state.made < frames else { return nil }
    state.made += 1
    guard let memory = FrameMemory(headerBytes: headerBytes, bodyBytes: bodyBytes) else {
      preconditionFailure("no memory left for a frame")
    }
    return memory
  }

  private func hand(_ memory: FrameMemory, to parked: Parked<Frame>) {
    if let task = parked.claim() {
      task.resume(returning: Frame(memory: memory, owner: self))
    } else {
      giveBack(memory)
    }
  }

  func giveBack(_ memory: FrameMemory) {
    let next = state.withLock { state in
      while !state.waiting.isEmpty {
        if let task = state.waiting.removeFirst().claim() { return Optional(task) }
      }
      state.idle.append(memory)
      return nil
    }
    next?.resume(returning: Frame(memory: memory, owner: self))
  }
}
