import Primitives
import Testing

@testable import Session

/// What a machine says of each frame, and what those that do not open may cost it.
@Suite struct FrameVerdictTests {
  private func paired(seed: UInt64) throws -> Simulator {
    var simulator = try Simulator(seed: seed)
    try simulator.pair(joiner: 0)
    simulator.expectHealthy()
    return simulator
  }

  private func verdict(_ bytes: [UInt8], at end: Int, of simulator: inout Simulator) throws -> FrameVerdict {
    var verdict = FrameVerdict.neutral
    let frame = try LinkFrame(parsing: bytes.span)
    try simulator.step(end) {
      let outcome = try $0.receive(frame, at: $1)
      verdict = outcome.verdict
      return outcome
    }
    return verdict
  }

  private func garbage(_ id: SessionID, _ number: Int = 0) -> [UInt8] {
    let salt = (0..<16).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
    return LinkFrame.envelope(id, [1, 0x45] + salt + [0, 100] + [UInt8](repeating: 7, count: 500)).encoded
  }

  @Test func eachFrameIsJudgedByWhatItIs() throws {
    var simulator = try paired(seed: 900)
    let id = try #require(simulator.ends[1].machine.currentSession)
    try simulator.send("hello", from: 0)
    let envelope = simulator.wire[1].removeFirst()
    #expect(try verdict(envelope, at: 1, of: &simulator) == .opened)
    #expect(try verdict(envelope, at: 1, of: &simulator) == .neutral, "a duplicate")
    #expect(try verdict(garbage(id), at: 1, of: &simulator) == .refused)
    let other = try #require(SessionID([UInt8](repeating: 9, count: 16)))
    #expect(try verdict(garbage(other), at: 1, of: &simulator) == .stale)
    for neutral in [LinkFrame.counters([]), .reset(other), .ack(id, try envelopeID(1))] {
      #expect(try verdict(neutral.encoded, at: 1, of: &simulator) == .neutral)
    }
    for refused in [LinkFrame.bundle([1, 2, 3]), .pairRefused(.used), .bundleRequest([UInt8](repeating: 0, count: 16))] {
      #expect(try verdict(refused.encoded, at: 1, of: &simulator) == .refused)
    }
    // In a session that is quarantined nothing opens, and that is not the peer's fault.
    let far = SessionCounters(session: id, committed: 1_000, seen: 1_000)
    #expect(try verdict(LinkFrame.counters([far]).encoded, at: 1, of: &simulator) == .neutral)
    #expect(simulator.ends[1].machine.health == .quarantined)
    #expect(try verdict(garbage(id), at: 1, of: &simulator) == .stale)
  }

  @Test func anINITThatFailsIsRefusedAndOneThatStartsASessionIsNot() throws {
    var simulator = try Simulator(seed: 901)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    let initiation = try #require(simulator.wire[1].first { $0[0] == 0x02 })
    var flipped = initiation
    flipped[flipped.count - 1] ^= 1
    #expect(try verdict(flipped, at: 1, of: &simulator) == .refused)
    #expect(try verdict(initiation, at: 1, of: &simulator) == .opened)
    #expect(try verdict(initiation, at: 1, of: &simulator) == .neutral)
  }

  /// One envelope of each of so many chains of the lower node's is on its way when the next chains come: they are taken off the
  /// wire and returned.
  private func late(_ count: Int, in simulator: inout Simulator) throws -> [[UInt8]] {
    var late: [[UInt8]] = []
    for number in 0..<count {
      try simulator.send("late \(number)", from: 0)
      late.append(simulator.wire[1].removeFirst())
      try simulator.send("on time \(number)", from: 0)
      try simulator.settle()
      try simulator.send("answer", from: 1)
      try simulator.settle()
    }
    return late
  }

  @Test func lateEnvelopesOfAnHonestPeerOpenHoweverManyTheyAre() throws {
    var simulator = try paired(seed: 902)
    let late = try late(60, in: &simulator)
    #expect(simulator.ends[1].machine.sessions[0].ratchet.skipped.chains.count >= 59)
    for envelope in late { #expect(try verdict(envelope, at: 1, of: &simulator) == .opened) }
    #expect(simulator.ends[1].texts.filter { $0.hasPrefix("late") }.count == 60)
  }

  @Test func garbageIsTriedAgainstOldChainsForAWhileAndThenNoLonger() throws {
    var simulator = try paired(seed: 903)
    let late = try late(4, in: &simulator)
    let id = try #require(simulator.ends[1].machine.currentSession)
    for number in 0..<Int(OpeningBudget.burst) - 1 { _ = try verdict(garbage(id, number), at: 1, of: &simulator) }
    #expect(try verdict(late[0], at: 1, of: &simulator) == .opened, "there is one trial left")
    _ = try verdict(garbage(id, 99), at: 1, of: &simulator)
    #expect(try verdict(late[1], at: 1, of: &simulator) == .refused, "the budget is used up")
    // What is new still opens; what was refused comes again, and then opens.
    try simulator.send("now", from: 0)
    #expect(try verdict(simulator.wire[1].removeLast(), at: 1, of: &simulator) == .opened)
    simulator.now += 2 * OpeningBudget.refillSeconds
    #expect(try verdict(late[1], at: 1, of: &simulator) == .opened)
  }

  @Test func whatIsHandedInByAnotherWayTakesNothingFromTheLink() throws {
    var simulator = try paired(seed: 904)
    let late = try late(2, in: &simulator)
    let id = try #require(simulator.ends[1].machine.currentSession)
    for number in 0..<100 {
      let bytes = garbage(id, number)
      try simulator.step(1) { try $0.receive(carried: bytes, at: $1) }
    }
    #expect(try verdict(late[0], at: 1, of: &simulator) == .opened)
  }

  @Test func wideGapsAreRefusedOnceTheBudgetIsUsedUp() throws {
    let places = try RatchetPair.beginnings(seed: 905)
    let (pair, honest, _) = places[2]
    var crafted = honest
    crafted.number = 1_000
    let envelope = try Envelope(parsing: try crafted.envelope(associatedData: pair.ad, crypto: pair.a.crypto))
    guard var bob = pair.bob else { throw SessionError(.internalFailure) }
    #expect(throws: SessionError(.refused)) {
      _ = try bob.open(
        envelope, associatedData: pair.ad, prekeys: pair.b.prekeys, effort: .least, at: epoch)
    }
    _ = try bob.open(envelope, associatedData: pair.ad, prekeys: pair.b.prekeys, at: epoch)
  }
}
