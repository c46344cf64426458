import Testing

@testable import Session

/// One thing that goes wrong in a simulation.
enum Fault: Hashable, CaseIterable {
  /// The link is lost with everything on it.
  case cut
  /// The process that makes the step dies before its commit.
  case killBeforeCommit
  /// It dies after its commit, and nothing was sent.
  case killBeforeSending
  /// Of two links the newer one dies.
  case newestOfTwoDies

  var crash: Simulator.Crash? {
    switch self {
    case .killBeforeCommit: .beforeCommit
    case .killBeforeSending: .beforeSending
    case .cut, .newestOfTwoDies: nil
    }
  }
}

/// Faults by the number of the step that they hit.
struct FaultPlan {
  private let faults: [Int: Fault]
  /// Steps so far.
  private(set) var steps = 0

  init(_ faults: [Int: Fault] = [:]) { self.faults = faults }

  mutating func next() -> Fault? {
    defer { steps += 1 }
    return faults[steps]
  }
}

extension Simulator {
  /// Lets time pass as two nodes do: they dial each other again a second after they lost each other, and tick every ten seconds.
  /// Ends early once both are of one mind and every fault has happened. Returns the steps that were made.
  mutating func live(seconds: UInt64, under faults: [Int: Fault] = [:], first: Int = 0) throws -> Int {
    plan = FaultPlan(faults)
    let end = now + seconds
    let last = faults.keys.max() ?? 0
    let before = ends.map { $0.machine.currentSession }
    while now < end {
      if isHealed, (plan?.steps ?? 0) > last, ends[0].machine.currentSession != before[0] || before[0] != before[1] { break }
      if !isUp { try connect() }
      try drain(first)
      now += isUp && now % 10 != 0 ? 10 - now % 10 : 1
      guard now % 10 == 0 else { continue }
      for end in 0...1 { try step(end) { try $0.tick(at: $1) } }
      try drain(first)
    }
    defer { plan = nil }
    return plan?.steps ?? 0
  }

  /// Delivers until nothing is under way, to one end before the other.
  private mutating func drain(_ first: Int) throws {
    for _ in 0..<10_000 {
      if try deliver(to: first) { continue }
      guard try deliver(to: 1 - first) else { return }
    }
    Issue.record("the two never stop talking")
  }

  /// Sessions that the lower node has seen begin.
  var startedSessions: Int { ends[0].events.count { if case .started = $0 { true } else { false } } }

  /// Both use the same session, and nothing is left over.
  var isHealed: Bool {
    let sessions = ends.map { $0.machine.currentSession }
    return sessions[0] != nil && sessions[0] == sessions[1]
      && ends.allSatisfy { $0.machine.unacknowledged == 0 && $0.machine.waitingCount == 0 }
  }
}
