import Primitives
import Testing

@testable import Session

/// Somebody has a node's link key, or has broken X25519, and so speaks on its links. It has none of the session's secrets.
extension KnownAttacks {
  private func simulated(seed: UInt64) throws -> (Simulator, SessionID) {
    var simulator = try Simulator(seed: seed)
    try simulator.pair(joiner: 0)
    return (simulator, try #require(simulator.ends[0].machine.currentSession))
  }

  @Test func aFalseACKDropsTheEnvelopesItNamesAndNothingElse() throws {
    var (simulator, id) = try simulated(seed: 910)
    try simulator.send("dropped", from: 0)
    let envelope = Array(simulator.wire[1].removeFirst().dropFirst(17))
    try simulator.step(0) { try $0.receive(.ack(id, Envelope(parsing: envelope).id), at: $1) }
    try simulator.send("after", from: 0)
    try simulator.settle()
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["after"], "what was acknowledged falsely is not sent again")
    simulator.expectHealthy()
    // The highest number that was accepted says nothing of the one below it.
    #expect(simulator.ends[1].machine.sessions[0].seen == simulator.ends[0].machine.sessions[0].committed)
  }

  @Test func falseCOUNTERSAndRESETLeadToAFreshSessionAndLoseNothing() throws {
    for attack in 0..<3 {
      var (simulator, id) = try simulated(seed: 911 + UInt64(attack))
      try simulator.send("under way", from: 0)
      simulator.wire = [[], []]
      let frame: LinkFrame =
        switch attack {
        case 0: .counters([SessionCounters(session: id, committed: 0, seen: 1_000)])
        case 1: .reset(id)
        default: .reset(.none)
        }
      try simulator.step(0) { try $0.receive(frame, at: $1) }
      for _ in 0..<12 {
        try simulator.connect()
        try simulator.settle()
        try simulator.wait(10)
      }
      simulator.expectHealthy()
      #expect(simulator.ends[1].texts.contains("under way"), "attack \(attack)")
    }
  }
}
