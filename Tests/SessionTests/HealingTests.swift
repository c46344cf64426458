import Primitives
import Testing
import Wire

@testable import Session

/// Repair that is itself disturbed: whatever is lost, doubled or killed inside it, both sides use one session again within two minutes.
@Suite struct HealingTests {
  /// How two nodes came to disagree. Each is made for the lower and for the higher node.
  enum Trouble: String, CaseIterable, CustomTestStringConvertible {
    case restored, receivingRestored, orphanedStart, orphanedAnswer, lost, race, firstStart, replacement

    var testDescription: String { rawValue }

    /// Two machines without a link, at the point from which they have to find to each other.
    func make(at end: Int) throws -> Simulator {
      var simulator = try Simulator(seed: 900 + UInt64(end))
      let other = 1 - end
      switch self {
      case .firstStart:
        let (bundle, commit) = try simulator.ends[other].machine.pairingBundle(at: simulator.now)
        simulator.ends[other].store.apply(commit)
        try simulator.step(end) { try $0.start(with: bundle, at: $1) }
        return simulator
      case .race:
        let bundles = try (0...1).map { try simulator.ends[$0].machine.pairingBundle(at: simulator.now) }
        for end in 0...1 {
          simulator.ends[end].store.apply(bundles[end].commit)
          try simulator.step(end) { try $0.start(with: bundles[1 - end].bundle, at: $1) }
        }
        return simulator
      default: try simulator.pair(joiner: end)
      }
      let backup = simulator.ends[end].store
      switch self {
      case .restored:
        try simulator.send("mine", from: end)
        try simulator.send("theirs", from: other)
        try simulator.settle()
      case .receivingRestored:
        // Answers nothing but ACKs: the counters of what it sends do not move.
        for number in 0..<3 { try simulator.send("theirs \(number)", from: other) }
        try simulator.settle()
      case .orphanedStart, .orphanedAnswer:
        // No session that works is left at either side, and one of the two starts.
        let starter = self == .orphanedStart ? other : end
        for end in 0...1 { simulator.ends[end].store = MemoryStore(peer: simulator.ends[1 - end].party.record) }
        for end in 0...1 { try simulator.restart(end) }
        let (bundle, commit) = try simulator.ends[1 - starter].machine.pairingBundle(at: simulator.now)
        simulator.ends[1 - starter].store.apply(commit)
        let before = simulator.ends[end].store
        try simulator.step(starter) { try $0.start(with: bundle, at: $1) }
        try simulator.connect()
        // INIT arrives and is acknowledged; what follows does not arrive.
        while simulator.ends[1 - starter].machine.sessions.isEmpty { try simulator.deliver(to: 1 - starter) }
        if self == .orphanedStart {
          while simulator.ends[starter].machine.unacknowledged > 0 {
            let bytes = simulator.wire[starter].removeFirst()
            let frame = try LinkFrame(parsing: bytes.span)
            if case .ack = frame { try simulator.step(starter) { try $0.receive(frame, on: 1, at: $1) } }
          }
        }
        simulator.ends[end].store = before
        simulator.isRolledBack = true
        try simulator.restart(end)
        return simulator
      case .lost: simulator.ends[end].store = MemoryStore(peer: simulator.ends[other].party.record)
      case .replacement:
        simulator.cut()
        simulator.now += SessionTimes.sessionLife + SessionTimes.sessionLifeGrace
        return simulator
      default: break
      }
      if self != .lost { simulator.ends[end].store = backup }
      simulator.now += 5
      simulator.isRolledBack = true
      try simulator.restart(end)
      return simulator
    }
  }

  @Test(arguments: Trouble.allCases, [0, 1])
  func oneFaultAnywhereInARepairIsOverWithinTwoMinutes(_ trouble: Trouble, _ end: Int) throws {
    let start = try trouble.make(at: end)
    let before = start.ends.map { $0.machine.sessions.last { $0.isConfirmed }?.id }
    var undisturbed = start
    let steps = try undisturbed.live(seconds: 120)
    let (isHealed, session) = (undisturbed.isHealed, undisturbed.ends[0].machine.currentSession)
    #expect(isHealed, "without a fault")
    #expect(session != before[0])
    for fault in Fault.allCases {
      for step in 0..<steps {
        // What is cut off on its way depends on who reads first.
        for first in fault == .cut ? 0...1 : 0...0 {
          var simulator = start
          _ = try simulator.live(seconds: 120, under: [step: fault], first: first)
          let (isHealed, started) = (simulator.isHealed, simulator.startedSessions)
          #expect(isHealed, "\(fault) at step \(step) of \(steps), to \(first) first")
          #expect(started <= 6, "\(fault) at step \(step)")
        }
      }
    }
  }
}
