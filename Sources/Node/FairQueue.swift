internal import EventLoop

/// A fixed number of places, given out in the order in which they were asked for.
///
/// A place is taken in the same step in which it is found free: nothing can come between.
final class FairQueue: Sendable {
  /// More wait than may.
  struct Full: Error {}

  private struct Turn {
    let number: UInt64
    /// True: it has a place. False: it has waited for too long.
    let place = Promise<Bool>()
  }

  private struct State {
    var free: Int
    var waiting: [Turn] = []
    var last: UInt64 = 0
  }

  private let state: Locked<State>
  private let maximum: Int

  /// A queue with so many places, before which so many may wait.
  init(places: Int, waiting: Int) {
    state = Locked(State(free: places))
    maximum = waiting
  }

  /// How many wait for a place.
  var waitingCount: Int { state.withLock { $0.waiting.count } }

  /// Takes a place, which is given back with ``leave()``; calls `whenWaiting` if it has to be waited for.
  ///
  /// Throws ``Full`` at once, `TimeoutError` after the deadline, or `CancellationError`. Then no place was taken.
  func enter(until deadline: Deadline = .never, on loop: EventLoop, whenWaiting: () -> Void = {}) async throws {
    guard let turn = try claim() else { return }
    whenWaiting()
    let timer = startTask {
      guard (try? await loop.sleep(until: deadline)) != nil, self.withdraw(turn) else { return }
      turn.place.settle(.success(false))
    }
    defer { timer.cancel() }
    do {
      guard try await turn.place.value() else { throw TimeoutError() }
    } catch is CancellationError {
      // The place may have come at the very moment of the cancellation.
      if !withdraw(turn), case .success(true)? = turn.place.result { leave() }
      throw CancellationError()
    }
  }

  /// Gives a place to whoever has waited longest.
  func leave() {
    let next = state.withLock { state -> Turn? in
      guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
      state.free += 1
      return nil
    }
    next?.place.settle(.success(true))
  }

  /// nil: there was a free place, and it is taken.
  private func claim() throws -> Turn? {
    try state.withLock { [maximum] state in
      guard state.free == 0 else {
        state.free -= 1
        return nil
      }
      guard state.waiting.count < maximum else { throw Full() }
      state.last += 1
      let turn = Turn(number: state.last)
      state.waiting.append(turn)
      return turn
    }
  }

  /// Whether it was still waiting.
  private func withdraw(_ turn: Turn) -> Bool {
    state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0.number == turn.number }) else { return false }
      state.waiting.remove(at: index)
      return true
    }
  }
}
