import Testing

@testable import Session

/// What a peer says of itself before its session is confirmed counts at the confirmation, and not before.
@Suite struct PendingHelloTests {
  private func hellos(_ end: Simulator.End) -> [SessionID] { end.delivered.filter { $0.type == "hello" }.map(\.session) }

  /// Up to where the responder has taken INIT.
  private func started(seed: UInt64) throws -> (simulator: Simulator, session: SessionID) {
    var simulator = try Simulator(seed: seed)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    return (simulator, try #require(simulator.ends[1].machine.sessions.first?.id))
  }

  @Test func helloCountsAtTheConfirmationAlsoAfterARestartInBetween() throws {
    for isRestarted in [false, true] {
      var (simulator, session) = try started(seed: 760)
      #expect(simulator.ends[1].machine.health == .unconfirmed && hellos(simulator.ends[1]).isEmpty)
      if isRestarted {
        try simulator.restart(1)
        try simulator.connect()
      }
      try simulator.settle()
      simulator.expectHealthy()
      #expect(hellos(simulator.ends[1]) == [session], "once")
      #expect(simulator.ends[1].machine.book.hello == nil)
      #expect(hellos(simulator.ends[0]) == [session], "that of the answer confirms, and counts at once")
    }
  }

  @Test func ofASessionThatIsNeverConfirmedNothingIsLeft() throws {
    var (simulator, session) = try started(seed: 761)
    #expect(simulator.ends[1].machine.book.hello?.session == session)
    // The starter forgets it and starts another.
    simulator.ends[0].store = MemoryStore(peer: simulator.ends[1].party.record)
    try simulator.restart(0)
    simulator.now += 100
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(hellos(simulator.ends[1]).allSatisfy { $0 != session } && hellos(simulator.ends[1]).count == 1)
    #expect(simulator.ends[1].machine.book.hello == nil)
  }

  @Test func onlyTheLastIsKeptAndNoneThatIsTooLong() throws {
    var (simulator, session) = try started(seed: 762)
    let first = try #require(simulator.ends[1].machine.book.hello)
    let letters = try [[UInt8](repeating: 1, count: 4_096), [UInt8](repeating: 2, count: 4_097)].map {
      try Letter(sequence: 9, seen: 0, payload: $0)
    }
    var outcome = Outcome(peer: simulator.ends[0].party.id)
    simulator.ends[1].machine.keepHello(letters[1], of: session, into: &outcome)
    #expect(simulator.ends[1].machine.book.hello == first && outcome.commit.isEmpty)
    simulator.ends[1].machine.keepHello(letters[0], of: session, into: &outcome)
    #expect(simulator.ends[1].machine.book.hello?.payload == letters[0].payload && !outcome.commit.isEmpty)
  }
}
