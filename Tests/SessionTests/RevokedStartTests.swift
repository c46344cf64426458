import Testing

@testable import Session

/// Starts of a pairing that was revoked, played again when the same two pair once more.
@Suite struct RevokedStartTests {
  @Test(arguments: [false, true]) func aStartThatWasUsedBeforeTheRevocationMakesNoSessionAfterIt(_ isCarried: Bool) throws {
    var simulator = try Simulator(seed: 690)
    let bare = try simulator.ends[1].party.bundle(for: simulator.ends[0].party.id, pairs: 0).bundle
    try simulator.step(0) { try $0.start(with: bare, at: $1) }
    let frame = try #require(simulator.ends[0].machine.undelivered.first)
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
    // Revoked and paired again: of what there was, the hashes are left.
    let spent = Set(simulator.ends[1].store.snapshot.replays.map(\.hash))
    #expect(spent.count == 1)
    var again = simulator.ends[1].party.machine(for: simulator.ends[0].party.record)
    let forgetful = again
    again.spent = spent
    for machine in [again, forgetful] {
      var machine = machine
      _ = try machine.linkUp(at: simulator.now)
      let outcome =
        try isCarried ? machine.receive(carried: frame.encoded, at: simulator.now) : machine.receive(frame, at: simulator.now)
      // Without them the same frame makes a session: its signed prekeys still live.
      guard !machine.spent.isEmpty else {
        #expect(machine.sessions.count == 1)
        continue
      }
      #expect(machine.sessions.isEmpty && outcome.events.contains(.refusedInitiation(.unknownPrekey)))
      #expect(outcome.delivered.isEmpty && outcome.frames.contains(.reset(.none)) != isCarried)
    }
  }
}
