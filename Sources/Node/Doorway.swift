internal import EventLoop

/// The connections that are accepted and not yet known to be a peer's, and what becomes of them when there are too many.
///
/// Not an actor: a handshake that ends leaves the doorway in the same instant, so that it is never dropped.
final class Doorway: Sendable {
  /// Between two looks whether an answer may be sent, at most.
  private static let patience = Duration.milliseconds(20)

  private struct State {
    var keeper: DoorKeeper
    var budget = AnswerBudget()
    var streams: [UInt64: TCPStream] = [:]
    var last: UInt64 = 0
    /// Networks where peers may be reached.
    var known: Set<String> = []
  }

  /// One connection's place in the doorway.
  struct Place: Sendable {
    fileprivate let doorway: Doorway
    fileprivate let number: UInt64

    /// Its message 1 has verified. Returning means that it may be answered; throws if it had to make room meanwhile, or if the
    /// time is over.
    func greeted(by deadline: Deadline) async throws { try await doorway.greeted(number, by: deadline) }

    /// It is authenticated, or closed.
    func leave() { doorway.leave(number) }
  }

  private let loop: EventLoop
  private let state: Locked<State>

  /// A doorway whose connections live on this loop, with room for at most `capacity`.
  init(loop: EventLoop, capacity: Int) {
    self.loop = loop
    state = Locked(State(keeper: DoorKeeper(capacity: capacity)))
  }

  /// Addresses where peers may be reached: connections from there are dropped after those from elsewhere.
  func setKnown(_ hosts: [String]) {
    let networks = Set(hosts.map(DoorKeeper.network))
    state.withLock { $0.known = networks }
  }

  /// A new connection. nil: there is no room for it, and it is to be closed.
  func enter(_ stream: TCPStream) -> Place? {
    let host = stream.remoteAddress.host
    let (place, dropped) = state.withLock { state -> (UInt64?, TCPStream?) in
      state.last += 1
      let isKnown = state.known.contains(DoorKeeper.network(of: host))
      switch state.keeper.arrive(state.last, address: host, isKnown: isKnown) {
      case .refuse: return (nil, nil)
      case .admit:
        state.streams[state.last] = stream
        return (state.last, nil)
      case .admitDropping(let number):
        state.streams[state.last] = stream
        return (state.last, state.streams.removeValue(forKey: number))
      }
    }
    close(dropped)
    return place.map { Place(doorway: self, number: $0) }
  }

  private func greeted(_ number: UInt64, by deadline: Deadline) async throws {
    let (isIn, dropped) = state.withLock { state -> (Bool, TCPStream?) in
      var generator = SystemRandomNumberGenerator()
      switch state.keeper.greet(number, using: &generator) {
      case .refuse: return (false, nil)
      case .admit: return (true, nil)
      case .admitDropping(let loser): return (true, state.streams.removeValue(forKey: loser))
      }
    }
    close(dropped)
    guard isIn else { throw LinkEnded() }
    // Those who wait ask at random moments, so none of them can be first each time.
    while !(try mayAnswer(number)) {
      guard !deadline.isPast else { throw TimeoutError() }
      try await loop.sleep(for: Self.patience * Double.random(in: 0.2...1))
    }
  }

  private func mayAnswer(_ number: UInt64) throws -> Bool {
    try state.withLock { state in
      guard state.keeper.contains(number) else { throw LinkEnded() }
      return state.budget.spend(at: MonotonicClock.now)
    }
  }

  private func leave(_ number: UInt64) {
    state.withLock { state in
      state.streams[number] = nil
      state.keeper.leave(number)
    }
  }

  /// Ends them all.
  func close() async {
    let streams = state.withLock { state in
      defer { state.streams = [:] }
      return Array(state.streams.values)
    }
    for stream in streams { await stream.close() }
  }

  private func close(_ dropped: TCPStream?) {
    if let dropped { startTask { await dropped.close() } }
  }
}
