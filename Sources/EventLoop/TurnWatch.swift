internal import Glibc

/// Measures how long a loop computes between two looks at its sockets and timers: what a worker should have done shows here.
///
/// It counts the thread's own processor time, so that a busy machine is not taken for a busy loop.
struct TurnWatch {
  private var ended = Duration.zero
  private var longest = Duration.zero

  /// On the loop's thread, right before the loop polls.
  mutating func end() {
    var now = timespec()
    guard clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0 else { return }
    let time = Duration.seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    longest = max(longest, time - ended)
    ended = time
  }

  /// The longest turn since the last call.
  mutating func take() -> Duration {
    defer { longest = .zero }
    return longest
  }
}
