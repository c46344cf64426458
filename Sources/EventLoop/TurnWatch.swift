internal import CUV

/// Measures how long a loop works between two waits for its sockets: what a worker should have done shows here.
struct TurnWatch {
  /// When the last turn ended, and how long the loop had waited in all by then, in nanoseconds.
  private var ended: UInt64
  private var idle: UInt64 = 0
  private var longest: UInt64 = 0

  /// A watch over a loop that has not run yet.
  init(_ loop: UnsafeMutablePointer<uv_loop_t>) {
    _ = loop_measure_idle_time(loop)
    ended = uv_hrtime()
  }

  /// Right before the loop polls.
  mutating func end(_ loop: UnsafeMutablePointer<uv_loop_t>) {
    let (now, waited) = (uv_hrtime(), uv_metrics_idle_time(loop))
    // Both clocks are read one after the other: never below zero.
    let busy = now &- ended
    longest = max(longest, busy &- min(busy, waited &- idle))
    ended = now
    idle = waited
  }

  /// The longest turn since the last call.
  mutating func take() -> Duration {
    defer { longest = 0 }
    return .nanoseconds(longest)
  }
}
