internal import CSys
internal import EventLoop

/// Gives free memory back to the kernel a while after a large job. What 100,000 files took lies in small blocks, among them some
/// that stay: the heap keeps such pages though they are free.
final class HeapReturn: Sendable {
  /// So many files make a job large: some megabytes.
  private static let manyFiles = 10_000
  /// By then the job's result is with whoever asked for it, and a job that follows at once has its memory at hand.
  private static let delay = Duration.seconds(10)

  private enum State {
    case idle
    case armed
    /// Another large job ended while the timer ran: its memory may not have been free yet when that is due.
    case armedTwice
  }

  private let state = Locked(State.idle)
  private let later: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
  private let giveBack: @Sendable () -> Void

  /// - Parameters:
  ///   - later: calls something after a while.
  ///   - giveBack: does it, elsewhere; to be called where nothing may block.
  init(
    later: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void, giveBack: @escaping @Sendable () -> Void
  ) {
    self.later = later
    self.giveBack = giveBack
  }

  /// By a loop's timer, on a worker.
  convenience init(loop: EventLoop, pool: WorkerPool) {
    self.init(
      later: { [weak loop] time, body in loop?.callLater(time, body) },
      giveBack: { startTask { try? await pool.run { sys_give_back_heap() } } })
  }

  /// A job with so many files is ending.
  func jobEnds(files: Int) {
    guard files >= Self.manyFiles else { return }
    let isFirst = state.withLock { state in
      defer { state = state == .idle ? .armed : .armedTwice }
      return state == .idle
    }
    if isFirst { arm() }
  }

  private func arm() {
    later(Self.delay) { [self] in
      giveBack()
      let isAgain = state.withLock { state in
        defer { state = state == .armedTwice ? .armed : .idle }
        return state == .armedTwice
      }
      if isAgain { arm() }
    }
  }
}
