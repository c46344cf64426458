import Testing

@testable import Session

/// Nodes that pair again: what one of them has forgotten is no trouble if its user wanted it so, and is one if a state was copied.
@Suite(.timeLimit(.minutes(5))) struct PairingAgainTests {
  private func troubles(_ simulator: Simulator) -> [[PeerTrouble.Kind]] {
    simulator.ends.map { $0.machine.book.troubles.list.map(\.kind) }
  }

  /// Nothing is left of the peer.
  private func revoke(_ end: Int, in simulator: inout Simulator) {
    simulator.cut()
    let (party, peer) = (simulator.ends[end].party, simulator.ends[1 - end].party.record)
    simulator.ends[end].machine = party.machine(for: peer)
    simulator.ends[end].store = MemoryStore(peer: peer)
  }

  /// The pairing and the first link, with one side's frames delivered first.
  private func pairAgain(joiner: Int, first: Int, isCut: Bool, in simulator: inout Simulator) throws {
    let inviter = 1 - joiner
    let (bundle, commit) = try simulator.ends[inviter].machine.pairingBundle(at: simulator.now)
    simulator.ends[inviter].store.apply(commit)
    try simulator.step(joiner) { try $0.start(with: bundle, at: $1) }
    if !isCut { try simulator.connect(inviter: inviter) }
    // The connection of the pairing is lost with all that was on it; or everything to one side comes before anything to the other.
    if isCut { try simulator.connect() }
    while try simulator.deliver(to: first) {}
    try simulator.settle()
  }

  @Test(arguments: 0..<32)
  func whoWasRevokedAndPairsAgainIsNoTrouble(_ round: Int) throws {
    let (revoker, joiner, first) = (round & 1, round >> 1 & 1, round >> 2 & 1)
    let (isBusy, isCut) = (round & 8 != 0, round & 16 != 0)
    var simulator = try Simulator(seed: 700 + UInt64(round))
    try simulator.pair(joiner: 0)
    try simulator.send("a", from: 0)
    try simulator.send("b", from: 1)
    try simulator.settle()
    // More than one session is named, and something is under way when the peer is forgotten.
    for _ in 0..<2 {
      simulator.now += 8 * day
      for end in 0...1 { try simulator.refreshPrekeys(end) }
      try simulator.wait(10)
    }
    simulator.expectHealthy()
    simulator.cut()
    if isBusy { try simulator.send("under way", from: 1 - revoker) }
    revoke(revoker, in: &simulator)
    simulator.now += 100
    try pairAgain(joiner: joiner, first: first, isCut: isCut, in: &simulator)
    for _ in 0..<13 { try simulator.wait(10) }
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(troubles(simulator) == [[], []])
    if isBusy { #expect(simulator.ends[revoker].texts.last == "under way") }
    // The real thing afterwards is still told on both sides.
    let backup = simulator.ends[revoker].store
    try simulator.send("c", from: revoker)
    try simulator.send("d", from: 1 - revoker)
    try simulator.settle()
    simulator.ends[revoker].store = backup
    simulator.isRolledBack = true
    try simulator.restart(revoker)
    simulator.now += 100
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(troubles(simulator)[revoker] == [.rollback] && troubles(simulator)[1 - revoker] == [.peerRollback])
  }

  /// Another program may say RESET before INIT. It is expected just once: the session that follows is not one from before.
  @Test(arguments: [0, 1])
  func aResetBeforeTheStartIsNoTroubleEither(_ revoker: Int) throws {
    var simulator = try Simulator(seed: 735)
    try simulator.pair(joiner: 0)
    revoke(revoker, in: &simulator)
    simulator.now += 100
    let kept = 1 - revoker
    let (bundle, commit) = try simulator.ends[kept].machine.pairingBundle(at: simulator.now)
    simulator.ends[kept].store.apply(commit)
    try simulator.step(revoker) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: kept)
    try simulator.deliver(to: kept)
    try simulator.deliver(to: revoker)
    let reset = try #require(simulator.wire[kept].firstIndex { $0.first == 0x07 })
    simulator.wire[kept].insert(simulator.wire[kept].remove(at: reset), at: 0)
    try simulator.settle()
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(troubles(simulator) == [[], []])
    // The same word about the new session is one.
    let id = try #require(simulator.ends[kept].machine.currentSession)
    try simulator.step(kept) { try $0.receive(.reset(id), at: $1) }
    #expect(troubles(simulator)[kept] == [.reset])
  }

  @Test(arguments: 0..<4)
  func aStateThatWasCopiedBackAndPairsAgainIsStillTold(_ round: Int) throws {
    let (copied, joiner) = (round & 1, round >> 1)
    var simulator = try Simulator(seed: 740 + UInt64(round))
    try simulator.pair(joiner: 0)
    let backup = simulator.ends[copied].store
    // The copy does not know the session that is in use.
    simulator.now += 9 * day
    for end in 0...1 { try simulator.refreshPrekeys(end) }
    try simulator.wait(10)
    simulator.now += 2 * day
    try simulator.wait(10)
    simulator.ends[copied].store = backup
    simulator.isRolledBack = true
    try simulator.restart(copied)
    try simulator.refreshPrekeys(copied)
    try pairAgain(joiner: joiner, first: 0, isCut: false, in: &simulator)
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(!troubles(simulator)[copied].isEmpty)
  }

  @Test func aStateThatLostItsSessionsIsStillTold() throws {
    var simulator = try Simulator(seed: 750)
    try simulator.pair(joiner: 0)
    simulator.ends[0].store.damage { $0.sessions = [] }
    try simulator.restart(0)
    simulator.now += 100
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<13 { try simulator.wait(10) }
    simulator.expectHealthy()
    #expect(troubles(simulator)[0] == [.lost])
  }
}
