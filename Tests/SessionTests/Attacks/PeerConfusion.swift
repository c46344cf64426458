import Primitives
import Testing

@testable import Session

/// One node has two peers, and one of them says to it what the other has said, or what it has said to the other.
extension KnownAttacks {
  @Test func framesOfOnePeerReplayedByAnotherDoNothing() throws {
    var parties = try [Party(seed: 8_001), Party(seed: 8_002), Party(seed: 8_003)]
    parties.sort { $0.id < $1.id }
    // The node is in the middle by its id: lower than one peer, higher than the other.
    var one = Simulator(parties[0], parties[1])
    var other = Simulator(parties[1], parties[2])
    try one.connect()
    try one.settle()
    try other.pair(joiner: 1)
    for number in 0..<3 {
      for end in 0...1 {
        try one.send("one \(number)", from: end)
        try other.send("other \(number)", from: end)
        try one.settle()
        try other.settle()
      }
    }
    one.expectHealthy()
    other.expectHealthy()
    // Something is under way on both sides, so that a foreign ACK would have what to acknowledge.
    try one.send("under way", from: 1)
    try other.send("under way", from: 0)
    for (victim, foreign) in [(other.ends[0].machine, one), (one.ends[1].machine, other)] {
      let now = epoch + 1_000
      let before = Fingerprint(victim)
      var types: Set<UInt8> = []
      for (_, bytes) in foreign.tape {
        let frame = try LinkFrame(reading: bytes)
        var trial = victim
        let outcome = try trial.receive(frame, at: now)
        types.insert(frame.type)
        #expect(outcome.delivered.isEmpty)
        // A request for a bundle is nobody's in particular: it is answered, with a bundle that is for this peer alone.
        if case .bundleRequest = frame { continue }
        #expect(Fingerprint(trial) == before, "type \(frame.type)")
        #expect(outcome.frames.allSatisfy { if case .reset = $0 { true } else { false } }, "type \(frame.type)")
      }
      #expect(types.isSuperset(of: [1, 2, 3, 4]))
      for id in foreign.ends.compactMap(\.machine.currentSession) {
        var trial = victim
        let counters = SessionCounters(session: id, committed: 0, seen: .max)
        _ = try trial.receive(.reset(id), at: now)
        _ = try trial.receive(.counters([counters]), at: now)
        #expect(Fingerprint(trial) == before)
      }
    }
  }

  /// The envelopes of one session under the name of another, between the same two nodes; and what a node said, said back to it.
  @Test func envelopesOfAnotherSessionAndReflectedOnesDoNothing() throws {
    var simulator = try Simulator(seed: 801)
    try simulator.pair(joiner: 0)
    let old = try #require(simulator.ends[0].machine.currentSession)
    for end in 0...1 { try simulator.send("old", from: end) }
    try simulator.settle()
    try simulator.wait(7 * day)
    let fresh = try #require(simulator.ends[0].machine.currentSession)
    #expect(fresh != old)
    for end in 0...1 { try simulator.send("fresh", from: end) }
    try simulator.settle()
    for (from, bytes) in simulator.tape {
      guard case .envelope(let id, let envelope) = try LinkFrame(reading: bytes) else { continue }
      for end in 0...1 {
        var machine = simulator.ends[end].machine
        let before = Fingerprint(machine)
        let elsewhere = try machine.receive(.envelope(id == old ? fresh : old, envelope), at: simulator.now)
        #expect(elsewhere.delivered.isEmpty && elsewhere.commit.isEmpty && Fingerprint(machine) == before)
        guard end == from else { continue }
        let reflected = try machine.receive(.envelope(id, envelope), at: simulator.now)
        #expect(reflected.delivered.isEmpty && reflected.commit.isEmpty && Fingerprint(machine) == before)
      }
    }
  }
}
