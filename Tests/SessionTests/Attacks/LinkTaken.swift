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

  /// And what follows in short headers, which say less than the receiver knows: three of them bring a fresh session.
  @Test func aFalseACKDropsTheEnvelopesItNamesAndNothingElse() throws {
    var (simulator, id) = try simulated(seed: 910)
    try simulator.send("dropped", from: 0)
    let envelope = Array(simulator.wire[1].removeFirst().dropFirst(17))
    try simulator.step(0) { try $0.receive(.ack(id, Envelope(parsing: envelope).id), at: $1) }
    for number in 0..<3 { try simulator.send("after \(number)", from: 0) }
    try simulator.settle()
    _ = try simulator.live(seconds: 120)
    let texts = simulator.ends[1].texts.sorted()
    #expect(texts == ["after 0", "after 1", "after 2"], "what was acknowledged falsely is not sent again")
    simulator.expectHealthy()
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
