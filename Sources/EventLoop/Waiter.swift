/// One suspended task on a loop, resumed exactly once by whichever comes first: the result, its cancellation, its deadline.
///
/// The result may come before anybody waits; then nobody is suspended.
///
/// - Note: `@unchecked Sendable`: touched on the loop's thread only; other threads merely post a cancellation.
final class Waiter<Value: Sendable>: @unchecked Sendable {
  private enum State {
    case fresh
    case waiting(CheckedContinuation<Value, any Error>)
    case early(Result<Value, any Error>)
    case over
  }

  private let loop: EventLoop
  private var state = State.fresh
  private var timer: LoopTimers.Token?
  /// Withdraws what the waiter stands for; called when the task gives up before the result.
  var onGivingUp: (() -> Void)?

  init(loop: EventLoop) { self.loop = loop }

  /// The result. Call once, on the loop.
  ///
  /// `withTaskCancellationHandler` would run a closure that is bound to no actor on Swift's own threads, even in a
  /// function that stays on its caller's; capturing `isolation` binds it.
  func value(
    until deadline: Deadline = .never, isolation: isolated (any Actor)? = #isolation
  ) async throws -> Value {
    if case .early(let result) = state {
      state = .over
      return try result.get()
    }
    return try await withTaskCancellationHandler {
      _ = isolation
      return try await withCheckedThrowingContinuation { task in begin(task, deadline) }
    } onCancel: {
      loop.post { self.giveUp(CancellationError()) }
    }
  }

  private func begin(_ task: CheckedContinuation<Value, any Error>, _ deadline: Deadline) {
    loop.checkIsolated()
    state = .waiting(task)
    timer = loop.timers.schedule(at: deadline) { [self] end in
      switch end {
      case .due: giveUp(TimeoutError())
      case .loopStopped: giveUp(LoopError(.closed, "event loop"))
      }
    }
  }

  func succeed(_ value: Value) { finish(.success(value)) }
  func fail(_ error: any Error) { finish(.failure(error)) }

  private func finish(_ result: Result<Value, any Error>) {
    switch state {
    case .fresh: state = .early(result)
    case .waiting(let task):
      state = .over
      if let timer { loop.timers.cancel(timer) }
      timer = nil
      task.resume(with: result)
    case .early, .over: return
    }
    onGivingUp = nil
  }

  private func giveUp(_ error: any Error) {
    guard case .waiting = state else { return }
    let withdraw = onGivingUp
    finish(.failure(error))
    withdraw?()
  }
}
