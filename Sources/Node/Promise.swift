internal import EventLoop

/// A value that is settled once and may be waited for by many.
final class Promise<Value: Sendable>: Sendable {
  private struct State {
    var result: Result<Value, any Error>?
    var waiters: [UInt64: CheckedContinuation<Value, any Error>] = [:]
    var last: UInt64 = 0
  }

  private let state = Locked(State())

  /// Whether it is settled.
  var isSettled: Bool { state.withLock { $0.result != nil } }

  /// How it was settled; nil if it was not.
  var result: Result<Value, any Error>? { state.withLock { $0.result } }

  /// Settles it; later calls change nothing.
  func settle(_ result: Result<Value, any Error>) {
    let waiters = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
      guard state.result == nil else { return [] }
      state.result = result
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(with: result) }
  }

  /// Waits for the value, or throws `CancellationError` when the waiting task is cancelled.
  func value() async throws -> Value {
    let number = state.withLock { state in
      state.last += 1
      return state.last
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let settled = state.withLock { state -> Result<Value, any Error>? in
          if state.result == nil, !Task.isCancelled { state.waiters[number] = continuation }
          return state.result ?? (Task.isCancelled ? .failure(CancellationError()) : nil)
        }
        if let settled { continuation.resume(with: settled) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(throwing: CancellationError())
    }
  }
}

/// Bytes per second over the last seconds.
struct Meter {
  /// How far back the rate looks.
  private static let windowSeconds = 3.0

  private var samples: [(at: Duration, bytes: UInt64)] = []
  private var total: UInt64 = 0

  /// Starts to count.
  mutating func begin(resumed: UInt64) { samples = [(MonotonicClock.now, 0)] }

  /// So many bytes more.
  mutating func add(_ bytes: Int) {
    total += UInt64(bytes)
    let now = MonotonicClock.now
    // A sample every 100 ms is enough.
    if let last = samples.last, (now - last.at) < .milliseconds(100), samples.count > 1 {
      samples[samples.count - 1].bytes = total
    } else {
      samples.append((now, total))
    }
    while samples.count > 2, (now - samples[0].at) / .seconds(1) > Self.windowSeconds { samples.removeFirst() }
  }

  /// Bytes per second.
  var rate: UInt64 {
    guard let first = samples.first, let last = samples.last else { return 0 }
    let seconds = (MonotonicClock.now - first.at) / .seconds(1)
    return seconds > 0.05 ? UInt64(Double(last.bytes - first.bytes) / seconds) : 0
  }
}
