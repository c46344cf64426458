internal import EventLoop

/// Waits for one ticket to be used; told exactly once.
final class TicketWaiter: Sendable {
  let expires: UInt64
  /// Is told of joiners who were not let in; a few times at most.
  let notice: @Sendable (String) -> Void

  private enum State {
    case idle
    case waiting(CheckedContinuation<PeerSummary, any Error>)
    case told(Result<PeerSummary, any Error>)
    case done
  }
  private let state = Locked<State>(.idle)

  init(expires: UInt64, notice: @escaping @Sendable (String) -> Void) {
    self.expires = expires
    self.notice = notice
  }

  func wait(_ continuation: CheckedContinuation<PeerSummary, any Error>) {
    let early: Result<PeerSummary, any Error>? = state.withLock { state in
      guard case .told(let result) = state else {
        state = .waiting(continuation)
        return nil
      }
      state = .done
      return result
    }
    if let early { continuation.resume(with: early) }
  }

  func succeed(_ summary: PeerSummary) { tell(.success(summary)) }
  func fail(_ error: any Error) { tell(.failure(error)) }

  private func tell(_ result: Result<PeerSummary, any Error>) {
    let waiting: CheckedContinuation<PeerSummary, any Error>? = state.withLock { state in
      switch state {
      case .idle:
        state = .told(result)
        return nil
      case .waiting(let continuation):
        state = .done
        return continuation
      case .told, .done: return nil
      }
    }
    waiting?.resume(with: result)
  }
}
