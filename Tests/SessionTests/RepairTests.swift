import Primitives
import Testing
import Wire

@testable import Session

@Suite struct RepairTests {
  @Test func simultaneousStartsSettleOnOneSession() throws {
    for order in 0...1 {
      var simulator = try Simulator(seed: 300)
      let first = try simulator.ends[0].machine.pairingBundle(at: simulator.now)
      let second = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
      simulator.ends[0].store.apply(first.commit)
      simulator.ends[1].store.apply(second.commit)
      try simulator.step(0) { try $0.start(with: second.bundle, at: $1) }
      try simulator.step(1) { try $0.start(with: first.bundle, at: $1) }
      try simulator.send("from lower", from: 0)
      try simulator.send("from higher", from: 1)
      try simulator.connect()
      while try simulator.deliver(to: order) {}
      try simulator.settle()
      #expect(simulator.ends[0].texts == ["from higher"])
      #expect(simulator.ends[1].texts == ["from lower"])
      simulator.expectHealthy()
      #expect(simulator.ends[0].machine.sessions.last { $0.id == simulator.ends[0].machine.currentSession }?.isOurs == true)
      try simulator.wait(day)
      try simulator.wait(1)
      #expect(simulator.ends.allSatisfy { $0.machine.sessions.count == 1 })
      simulator.expectHealthy()
    }
  }

  @Test(arguments: [0, 1])
  func aStateFromYesterdayIsNoticedQuarantinedAndHealed(_ end: Int) throws {
    var simulator = try Simulator(seed: 301)
    try simulator.pair(joiner: 0)
    let old = try #require(simulator.ends[0].machine.currentSession)
    let backup = simulator.ends[end].store
    for number in 0..<3 {
      try simulator.send("a\(number)", from: 0)
      try simulator.send("b\(number)", from: 1)
      try simulator.settle()
    }
    simulator.ends[end].store = backup
    simulator.isRolledBack = true
    try simulator.restart(end)
    try simulator.send("again", from: end)
    try simulator.wait(100)
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[end].events.contains(.rollback(old)))
    #expect(simulator.ends[1 - end].events.contains(.peerRollback(old)))
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.currentSession != old)
    try simulator.send("healed", from: end)
    try simulator.send("too", from: 1 - end)
    try simulator.settle()
    #expect(simulator.ends[1 - end].texts.suffix(2) == ["again", "healed"])
    #expect(simulator.ends[end].texts.last == "too")
  }

  /// With two links, envelopes on the one can be faster than the COUNTERS that were written earlier on the other.
  @Test func countersThatEnvelopesOvertookAccuseNobody() throws {
    var simulator = try Simulator(seed: 307)
    try simulator.pair(joiner: 0)
    let session = try #require(simulator.ends[0].machine.sessions.last)
    let stale = SessionCounters(session: session.id, committed: session.committed, seen: session.seen)
    try simulator.send("faster", from: 0)
    try simulator.settle()
    try simulator.step(1) { try $0.receive(.counters([stale]), at: $1) }
    try simulator.settle()
    let accused = simulator.ends[1].events.contains(.peerRollback(session.id))
    #expect(!accused)
    try simulator.send("goes on", from: 0)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["faster", "goes on"])
    #expect(simulator.ends[1].machine.currentSession == session.id)
  }

  @Test(arguments: [0, 1])
  func aPeerThatLostItsStateIsRepairedAndWhatWasUnderWayArrives(_ end: Int) throws {
    var simulator = try Simulator(seed: 302)
    try simulator.pair(joiner: 1)
    try simulator.send("before", from: 1 - end)
    try simulator.settle()
    simulator.cut()
    try simulator.send("under way", from: 1 - end)
    simulator.ends[end].store = MemoryStore(peer: simulator.ends[1 - end].party.record)
    try simulator.restart(end)
    simulator.now += 3_600
    try simulator.connect()
    try simulator.settle()
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
    #expect(simulator.ends[end].texts.last == "under way")
  }

  @Test func resetsAreSentAndActedUponOnceAMinute() throws {
    var simulator = try Simulator(seed: 303)
    try simulator.pair(joiner: 0)
    simulator.now += 100
    let unknown = try #require(SessionID([UInt8](repeating: 9, count: 16)))
    for number in 0..<20 {
      try simulator.step(0) { try $0.receive(.envelope(unknown, [UInt8](repeating: UInt8(number), count: 3_000)), at: $1) }
    }
    #expect(simulator.wire[1].filter { $0[0] == 0x07 }.count == 1)
    simulator.wire = [[], []]
    // A hostile peer asks for a fresh session again and again.
    var requests = 0
    for _ in 0..<120 {
      simulator.now += 1
      let current = simulator.ends[1].machine.sessions.last?.id ?? unknown
      try simulator.step(1) { try $0.receive(.reset(current), at: $1) }
      try simulator.step(1) { try $0.tick(at: $1) }
      requests += simulator.wire[0].filter { $0[0] == 0x05 }.count
      try simulator.settle()
    }
    #expect(requests <= 3)
  }

  @Test func aResetForASessionAlreadyReplacedStartsNothing() throws {
    var simulator = try Simulator(seed: 304)
    try simulator.pair(joiner: 0)
    let old = try #require(simulator.ends[0].machine.currentSession)
    try simulator.wait(7 * day)
    try simulator.step(0) { try $0.receive(.reset(old), at: $1) }
    try simulator.wait(61)
    #expect(simulator.ends[0].machine.sessions.count == 1)
    #expect(simulator.ends[0].machine.currentSession != old)
  }

  @Test func anEnvelopeThatWasCommittedAndNotSentGoesOutUnchanged() throws {
    var simulator = try Simulator(seed: 305)
    try simulator.pair(joiner: 0)
    try simulator.send("committed", from: 0, crash: .beforeSending)
    let stored = simulator.ends[0].store.snapshot.outbox.map(\.envelope)
    #expect(stored.count == 1)
    try simulator.connect()
    let envelopes = simulator.wire[1].filter { $0[0] == 0x01 }.map { Array($0.dropFirst(17)) }
    #expect(envelopes == stored)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["committed"])
    try simulator.send("never committed", from: 0, crash: .beforeCommit)
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["committed"])
    simulator.expectHealthy()
  }

  /// Conversations with crashes at every kind of moment and links cut with frames under way: whatever was committed arrives
  /// exactly once, in one session, and no envelope is ever sealed twice.
  @Test(arguments: [UInt64(400), 401, 402, 403, 404, 405])
  func committedPayloadsArriveExactlyOnceThroughCrashesAndCuts(_ seed: UInt64) throws {
    var simulator = try Simulator(seed: seed)
    var random = SeededGenerator(seed)
    var committed: [[String]] = [[], []]
    let crashes: [Simulator.Crash] = [.never, .never, .never, .never, .never, .never, .beforeCommit, .beforeSending]
    for number in 0..<400 {
      simulator.now += UInt64.random(in: 0...3, using: &random)
      let end = Int.random(in: 0...1, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0: simulator.cut()
      case 1, 2: if !simulator.isUp { try simulator.connect() }
      case 3..<8:
        guard simulator.ends[end].machine.isConfirmed, simulator.ends[end].machine.waitingCount == 0 else { continue }
        let crash = crashes.randomElement(using: &random) ?? .never
        try simulator.send("\(end).\(number)", from: end, crash: crash)
        if crash != .beforeCommit { committed[end].append("\(end).\(number)") }
      default:
        let isRare = Int.random(in: 0..<6, using: &random) == 0
        try simulator.deliver(to: end, crash: isRare ? crashes.randomElement(using: &random) ?? .never : .never)
      }
    }
    for _ in 0..<3 {
      try simulator.connect()
      try simulator.settle()
      try simulator.wait(61)
    }
    simulator.expectHealthy()
    for end in 0...1 { #expect(simulator.ends[1 - end].texts.sorted() == committed[end].sorted()) }
    #expect(committed[0].count + committed[1].count > 30)
    #expect(simulator.ends.allSatisfy { !$0.events.contains { if case .resetSent = $0 { true } else { false } } })
  }
}
