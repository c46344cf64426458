/// One suspended task that may be resumed from several threads: whoever claims it does so, exactly once.
final class Parked<Value: Sendable>: Sendable {
  typealias Continuation = CheckedContinuation<Value, any Error>

  private enum State {
    case fresh
    case waiting(Continuation)
    case claimed
  }

  private let state = Locked(State.fresh)

  /// Suspends the calling task until somebody resumes what ``claim()`` gives out, or it is cancelled.
  /// `enqueue` makes this object known to that somebody.
  func wait(
    isolation: isolated (any Actor)? = #isolation, _ enqueue: () -> Void,
    onCancel: @escaping @Sendable () -> Void = {}
  ) async throws -> Value {
    try await withTaskCancellationHandler {
      _ = isolation  // keeps the closure on the caller's actor, see ``Waiter``
      return try await withCheckedThrowingContinuation { (task: Continuation) in
        let isCancelled = state.withLock { state in
          guard case .fresh = state else { return true }
          state = .waiting(task)
          return false
        }
        if isCancelled { task.resume(throwing: CancellationError()) } else { enqueue() }
      }
    } onCancel: {
      claim()?.resume(throwing: CancellationError())
      onCancel()
    }
  }

  /// The task, for the first who asks; nil for everybody after.
  func claim() -> Continuation? {
    state.withLock { state in
      defer { state = .claimed }
      guard case .waiting(let task) = state else { return nil }
      return task
    }
  }
}
