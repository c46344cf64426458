extension EventLoop {
  /// Suspends the calling task for at least this long. Throws when it is cancelled, at once, and
  /// ``LoopError/Code/closed`` when the loop stops.
  public func sleep(for duration: Duration) async throws { try await sleep(until: .after(duration)) }

  /// Suspends the calling task until the deadline has passed.
  public func sleep(until deadline: Deadline) async throws { try await Gate(loop: self).sleep(until: deadline) }

  /// Runs `body` on the loop; it must not block.
  public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await Gate(loop: self).run(body)
  }
}

/// The way onto a loop for callers that run anywhere.
private actor Gate {
  private let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(loop: EventLoop) { self.loop = loop }

  func run<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try body() }

  func sleep(until deadline: Deadline) async throws {
    do {
      try await Waiter<Void>(loop: loop).value(until: deadline)
    } catch is TimeoutError {
      // What a sleep waits for.
    }
  }
}

/// Runs `operation`, cancels it when `timeout` has passed, and then throws ``TimeoutError``. Returns when the operation
/// has returned: one that ignores its cancellation is waited for.
///
/// Operations of streams take a `deadline` themselves, which costs no task.
public func withTimeout<Value: Sendable>(
  _ timeout: Duration, on loop: EventLoop, operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  try await withThrowingTaskGroup(of: Outcome<Value>.self) { group in
    group.addTask { .value(try await operation()) }
    group.addTask {
      try await loop.sleep(for: timeout)
      return .timedOut
    }
    defer { group.cancelAll() }
    guard case .value(let value) = try await group.next() else { throw TimeoutError() }
    return value
  }
}

private enum Outcome<Value: Sendable>: Sendable {
  case value(Value)
  case timedOut
}
