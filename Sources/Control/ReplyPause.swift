internal import EventLoop

/// The pause between two progress lines of one request, until its result is known: then there are no more pauses.
final class ReplyPause: Sendable {
  private struct State {
    var isOver = false
    var sleep: Task<Void, Never>?
  }

  private let duration: Duration
  private let loop: EventLoop
  private let state = Locked(State())

  init(of duration: Duration, on loop: EventLoop) {
    self.duration = duration
    self.loop = loop
  }

  /// Waits; returns at once after ``end()``, or when the calling task is canceled.
  func wait() async {
    let sleep = state.withLock { [duration, loop] state -> Task<Void, Never>? in
      guard !state.isOver else { return nil }
      let sleep = startTask { _ = try? await loop.sleep(for: duration) }
      state.sleep = sleep
      return sleep
    }
    guard let sleep else { return }
    await withTaskCancellationHandler {
      await sleep.value
    } onCancel: {
      sleep.cancel()
    }
  }

  /// Ends the pause that is under way, and all to come.
  func end() {
    state.withLock { state in
      state.isOver = true
      state.sleep?.cancel()
    }
  }
}
