import Primitives
import Testing
import Wire

@testable import Session

/// What was under way in one frame and never came: each must be due again by what is stored.
@Suite struct LostFrameTests {
  private func isReset(_ bytes: [UInt8]) -> Bool { bytes[0] == 0x07 }

  @Test(arguments: [0, 1])
  func aLostRESETLeavesNobodyMute(_ end: Int) throws {
    var simulator = try HealingTests.Trouble.restored.make(at: end)
    try simulator.connect()
    // The restored side finds out from COUNTERS; its RESET is on the wire, and the link is cut before it arrives.
    while !simulator.wire[1 - end].contains(where: isReset) {
      let isMoving = try simulator.deliver(to: end)
      try #require(isMoving)
    }
    simulator.cut()
    _ = try simulator.live(seconds: 90)
    let isHealed = simulator.isHealed
    #expect(isHealed)
  }

  @Test(arguments: [0, 1], [HealingTests.Trouble.orphanedStart, .orphanedAnswer])
  func aStartThatOneSideForgotIsFollowedByAnotherWithinAMinute(_ end: Int, _ trouble: HealingTests.Trouble) throws {
    var simulator = try trouble.make(at: end)
    _ = try simulator.live(seconds: 90)
    let isHealed = simulator.isHealed
    #expect(isHealed)
  }

  /// The higher node forgot a start of the lower one's that it had acknowledged, and starts itself.
  @Test func theLowerNodeAnswersAPeerThatForgotItsStart() throws {
    var simulator = try HealingTests.Trouble.orphanedStart.make(at: 1)
    let orphan = try #require(simulator.ends[0].machine.sessions.last { $0.isStarting }?.id)
    try simulator.connect()
    try simulator.settle()
    // A second start of the lower node is acknowledged on this link, and forgotten in the same way.
    let backup = simulator.ends[1]
    simulator.now += 70
    try simulator.step(0) { try $0.tick(at: $1) }
    while !simulator.ends[0].machine.sessions.contains(where: { $0.isStarting && $0.id != orphan }) {
      let isMoving = try simulator.deliver(to: 1) || simulator.deliver(to: 0)
      try #require(isMoving)
    }
    let start = try #require(simulator.ends[0].machine.sessions.last { $0.isStarting }?.id)
    try simulator.deliver(to: 1)
    let acknowledgement = try #require(simulator.wire[0].first { $0[0] == 0x03 })
    simulator.wire = [[acknowledgement], []]
    try simulator.deliver(to: 0)
    simulator.ends[1] = backup
    let stands = simulator.ends[0].machine.sessions.contains { $0.id == start && $0.standing == .good }
    #expect(stands)
    let (bundle, commit) = try simulator.ends[0].machine.pairingBundle(at: simulator.now)
    simulator.ends[0].store.apply(commit)
    try simulator.step(1) { try $0.start(with: bundle, at: $1) }
    try simulator.settle()
    let isHealed = simulator.isHealed
    #expect(isHealed)
    let isOurs = simulator.ends[0].machine.sessions.last { $0.isConfirmed }?.isOurs
    #expect(isOurs == false)
  }

  /// With two links, what the newer one carried when it died goes out on the other. Nobody repeats this message.
  @Test(arguments: [0, 1])
  func whatTheNewestOfTwoLinksCarriedGoesOutOnTheOther(_ end: Int) throws {
    var simulator = try Simulator(seed: 951)
    try simulator.pair(joiner: 0)
    try simulator.send("said once", from: end)
    try simulator.loseNewestOfTwo()
    try simulator.settle()
    #expect(simulator.ends[1 - end].texts == ["said once"])
    simulator.expectHealthy()
  }

  /// A BUNDLE_REQ that died with the newer of two links is asked again at once.
  @Test func aBundleThatWasAskedForOnALinkThatDiedIsAskedForAgain() throws {
    var simulator = try Simulator(seed: 952)
    try simulator.connect()
    #expect(simulator.wire[1].isEmpty == false)
    try simulator.deliver(to: 0)
    try simulator.deliver(to: 1)
    #expect(simulator.wire[1].contains { $0[0] == 0x05 } || simulator.wire[0].contains { $0[0] == 0x05 })
    try simulator.loseNewestOfTwo()
    try simulator.settle()
    simulator.expectHealthy()
  }

  /// The peer acknowledges a `turn` and never begins a chain: it lost the obligation with its state.
  @Test func aTurnThatCameToNothingIsAskedForAgain() throws {
    var simulator = try Simulator(seed: 953)
    try simulator.pair(joiner: 0)
    func turnsAskedFor() -> Int { simulator.ends[0].machine.unacknowledged }
    for round in 0..<5 {
      simulator.now += SessionTimes.turnInterval
      try simulator.step(0) { try $0.noteTraffic(bytes: 1, at: $1) }
      #expect(turnsAskedFor() == 1, "round \(round)")
      // While it is under way no second one is needed…
      try simulator.step(0) { try $0.noteTraffic(bytes: 100 << 20, at: $1 + SessionTimes.turnInterval) }
      #expect(turnsAskedFor() == 1, "round \(round)")
      let entry = try #require(simulator.ends[0].machine.outbox.items.first?.entry)
      simulator.wire = [[], []]
      let link = simulator.link
      try simulator.step(0) { try $0.receive(.ack(entry.session, entry.id), on: link, at: $1) }
      // …and none sooner than the interval allows.
      try simulator.step(0) { try $0.noteTraffic(bytes: 1, at: $1) }
      #expect(turnsAskedFor() == 0, "round \(round)")
    }
  }

  @Test(arguments: [0, 1])
  func aStateThatWasCopiedBackIsNoticedThoughOnlyReceivingHadMoved(_ end: Int) throws {
    var simulator = try HealingTests.Trouble.receivingRestored.make(at: end)
    let old = try #require(simulator.ends[0].machine.currentSession)
    let recorded = simulator.tape.filter { $0.from == 1 - end && $0.bytes[0] == 0x01 }.map(\.bytes)
    let texts = simulator.ends[end].texts
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1 - end].events.contains(.peerRollback(old)))
    #expect(simulator.ends[1 - end].machine.troubles(at: simulator.now).map(\.kind) == [.peerRollback])
    _ = try simulator.live(seconds: 90)
    let isHealed = simulator.isHealed
    #expect(isHealed)
    #expect(simulator.ends[0].machine.currentSession != old)
    // Somebody who recorded them hands them to the older state: nothing is said a second time.
    for bytes in recorded { simulator.wire[end].append(bytes) }
    try simulator.settle()
    #expect(simulator.ends[end].texts == texts)
  }

  /// What honest peers do must not look like that: an ACK on an older link, and COUNTERS that were written before it.
  @Test func anAcknowledgementThatOvertookCountersAccusesNobody() throws {
    var simulator = try Simulator(seed: 954)
    try simulator.pair(joiner: 0)
    simulator.now += 100
    let session = try #require(simulator.ends[1].machine.sessions.last)
    let stale = SessionCounters(session: session.id, committed: session.committed, seen: session.seen)
    let began = simulator.now
    simulator.now += 3
    try simulator.send("fast", from: 0)
    try simulator.settle()
    simulator.now += 2
    // The second link's handshake had begun before that, and the peer wrote its COUNTERS then.
    try simulator.step(0) { try $0.linkUp(77, at: $1, began: began) }
    try simulator.step(0) { try $0.receive(.counters([stale]), on: 77, at: $1) }
    try simulator.settle()
    #expect(!simulator.ends[0].events.contains(.peerRollback(session.id)))
    #expect(simulator.ends[0].machine.currentSession == session.id)
    // A link whose handshake began afterwards makes the same counters a proof.
    simulator.now += 5
    try simulator.step(0) { try $0.linkUp(78, at: $1) }
    try simulator.step(0) { try $0.receive(.counters([stale]), on: 78, at: $1) }
    #expect(simulator.ends[0].events.contains(.peerRollback(session.id)))
  }

  @Test func theLoserOfARaceIsGoneOnceTheOtherSessionIsConfirmed() throws {
    var simulator = try HealingTests.Trouble.race.make(at: 0)
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends.allSatisfy { $0.machine.sessions.count == 1 })
    try simulator.connect()
    for end in 0...1 {
      let bytes = simulator.wire[end][0]
      guard case .counters(let list) = try LinkFrame(parsing: bytes.span) else {
        Issue.record("COUNTERS come first")
        return
      }
      #expect(list.map(\.session) == [simulator.ends[end].machine.currentSession])
    }
  }

  /// The higher node's start has lost the race. With two links, of which one dies, it must not come once more after the ACK of the other's:
  /// the lower node would take it for a new one, and each side would wait for the other's answer.
  @Test func aStartThatHasLostItsRaceIsNotSaidAgain() throws {
    var simulator = try HealingTests.Trouble.race.make(at: 0)
    try simulator.connect()
    // The higher node reads first: its own start rests from here on.
    while try simulator.deliver(to: 1) {}
    try simulator.loseNewestOfTwo()
    #expect(!simulator.wire[0].contains { $0[0] == 0x02 })
    try simulator.settle()
    let isHealed = simulator.isHealed
    #expect(isHealed)
  }

  /// Nobody honest has seen anything in a session that only begins.
  @Test func aFirstEnvelopeThatHasSeenSomethingStartsNothing() throws {
    var simulator = try Simulator(seed: 957)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    var starter = simulator.ends[0].machine
    _ = try starter.start(with: bundle, at: simulator.now)
    guard case .starting(let head) = starter.sessions[0].phase else { throw SessionError(.internalFailure) }
    starter.sessions[0].seen = 7
    let crypto = simulator.ends[0].party.crypto
    let entry = try starter.sessions[0].seal(starter.hello, isOwn: true, crypto: crypto)
    let pairs = simulator.ends[1].machine.pairs.count
    let outcome = try simulator.ends[1].machine.receive(
      .initiation(Initiation(head: head, envelope: entry.envelope)), at: simulator.now)
    #expect(outcome.commit.isEmpty && simulator.ends[1].machine.sessions.isEmpty)
    #expect(simulator.ends[1].machine.pairs.count == pairs)
  }

  @Test func whatComesLateOfASessionThatWasWoundUpIsNoTrouble() throws {
    var simulator = try Simulator(seed: 955)
    try simulator.pair(joiner: 0)
    try simulator.send("early", from: 0)
    try simulator.settle()
    let old = try #require(simulator.ends[1].machine.currentSession)
    let late = try #require(simulator.tape.last { $0.from == 0 && $0.bytes[0] == 0x01 }?.bytes)
    simulator.now += SessionTimes.sessionLife
    try simulator.connect()
    _ = try simulator.live(seconds: 30)
    try simulator.wait(day)
    try simulator.wait(60)
    #expect(simulator.ends[1].machine.currentSession != old)
    #expect(simulator.ends.allSatisfy { $0.machine.sessions.count == 1 })
    #expect(simulator.ends.allSatisfy { end in end.store.snapshot.received.allSatisfy { $0.session != old } })
    simulator.wire[1].append(late)
    try simulator.settle()
    try simulator.wait(60)
    #expect(!simulator.ends[1].events.contains(.resetSent(old)))
    #expect(simulator.ends.allSatisfy { $0.machine.troubles(at: simulator.now).isEmpty })
    #expect(simulator.ends[1].texts == ["early"])
    simulator.expectHealthy()
  }

  /// The restored side finds out, and its RESET is lost: the other side takes the old session for a good one, with messages in it,
  /// until the fresh one is confirmed.
  @Test(arguments: [0, 1])
  func whatAPeerStillHadUnderWayInALostSessionGoesOutInTheNewOne(_ end: Int) throws {
    var simulator = try HealingTests.Trouble.restored.make(at: end)
    try simulator.connect()
    while !simulator.wire[1 - end].contains(where: isReset) {
      let isMoving = try simulator.deliver(to: end)
      try #require(isMoving)
    }
    simulator.cut()
    try simulator.send("still there", from: 1 - end)
    _ = try simulator.live(seconds: 120)
    #expect(simulator.ends[end].texts.suffix(1) == ["still there"])
    let isHealed = simulator.isHealed
    #expect(isHealed)
  }

  /// A state folder of an older program may hold hundreds of thousands of them.
  @Test func receiptsOfSessionsThatAreGoneAreDeletedAtTheFirstTick() throws {
    var simulator = try Simulator(seed: 956)
    try simulator.pair(joiner: 0)
    let gone = try #require(SessionID([UInt8](repeating: 7, count: 16)))
    simulator.ends[0].store.damage { snapshot in
      for number in 0..<100 {
        guard let envelope = EnvelopeID([UInt8](repeating: UInt8(number), count: 16)) else { continue }
        snapshot.received.append(StoredReceipt(session: gone, envelope: envelope))
      }
    }
    let kept = simulator.ends[0].store.snapshot.received.filter { $0.session != gone }
    try simulator.restart(0)
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].store.snapshot.received == kept)
  }
}
