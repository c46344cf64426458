import Primitives
import Testing
import Wire

@testable import Session

@Suite struct PeerMachineTests {
  @Test(arguments: [0, 1])
  func afterPairingTheJoinerStartsAndBothAreConfirmed(_ joiner: Int) throws {
    var simulator = try Simulator(seed: 200)
    try simulator.pair(joiner: joiner)
    simulator.expectHealthy()
    for end in simulator.ends {
      #expect(end.delivered.map(\.type) == ["hello"])
      #expect(end.events.filter { if case .confirmed = $0 { true } else { false } }.count == 1)
    }
    // The inviter asked for no bundle although it may be the lower node.
    #expect(simulator.ends[1 - joiner].machine.sessions.count == 1)
    // The pair of the pairing is used and gone; what is there was handed over in batches.
    for end in simulator.ends {
      #expect(end.store.snapshot.pairs.count == 16)
      #expect(end.machine.pairs.allSatisfy { $0.isBatched })
    }
  }

  @Test func withoutAPairingTheLowerNodeAsksForABundleAndStarts() throws {
    var simulator = try Simulator(seed: 201)
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.sessions.first?.isOurs == true)
    #expect(simulator.ends[1].machine.sessions.first?.isOurs == false)
  }

  @Test func payloadsWaitForTheConfirmationAndThenComeInOrderOnce() throws {
    var simulator = try Simulator(seed: 202)
    for number in 0..<5 { try simulator.send("early\(number)", from: 1) }
    #expect(simulator.ends[1].machine.waitingCount == 5)
    try simulator.connect()
    try simulator.settle()
    try simulator.send("late", from: 1)
    try simulator.settle()
    #expect(simulator.ends[0].texts == ["early0", "early1", "early2", "early3", "early4", "late"])
    simulator.expectHealthy()
  }

  @Test func payloadsBeforeTheConfirmationAreDropped() throws {
    // A hostile initiator puts an order into its first envelope.
    var simulator = try Simulator(seed: 203)
    simulator.ends[0].machine.hello = json("text", "obey")
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].texts.isEmpty)
    #expect(simulator.ends[1].events.contains { if case .prematurePayload = $0 { true } else { false } })
  }

  @Test func payloadsThatAreNoJSONObjectsAreDropped() throws {
    var simulator = try Simulator(seed: 204)
    try simulator.pair(joiner: 0)
    try simulator.step(0) { try $0.send(Array("{".utf8), at: $1) }
    try simulator.step(0) { try $0.send(Array(#"{"type":1}"#.utf8), at: $1) }
    try simulator.settle()
    #expect(simulator.ends[1].delivered.count == 1)
    #expect(simulator.ends[1].events.filter { if case .malformedPayload = $0 { true } else { false } }.count == 2)
    simulator.expectHealthy()
  }

  @Test func aRepeatedEnvelopeIsAcknowledgedAgainAndDoesNothing() throws {
    var simulator = try Simulator(seed: 205)
    try simulator.pair(joiner: 0)
    try simulator.send("once", from: 0)
    let frame = simulator.wire[1][0]
    try simulator.settle()
    simulator.wire[1] = [frame, frame]
    let before = simulator.ends[1].store.snapshot
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    #expect(simulator.ends[1].store.snapshot == before)
    #expect(simulator.ends[1].texts == ["once"])
    #expect(simulator.wire[0].count == 2)
    #expect(simulator.wire[0].allSatisfy { $0[0] == 0x03 })
    // Also after a restart.
    try simulator.restart(1)
    try simulator.connect()
    simulator.wire[1].append(frame)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["once"])
  }

  @Test func aRepeatedINITMakesNoSecondSession() throws {
    var simulator = try Simulator(seed: 206)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    let initiation = try #require(simulator.wire[1].first { $0[0] == 0x02 })
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    let answers = simulator.wire[0].filter { $0[0] == 0x01 }
    simulator.wire[1] = [initiation]
    simulator.wire[0] = []
    try simulator.deliver(to: 1)
    // The stored answer is sent again, byte for byte.
    #expect(simulator.wire[0].filter { $0[0] == 0x01 } == answers)
    #expect(simulator.ends[1].machine.sessions.count == 1)
    try simulator.restart(1)
    try simulator.connect()
    simulator.wire[1].append(initiation)
    try simulator.settle()
    simulator.wire[1].append(initiation)
    try simulator.settle()
    #expect(simulator.ends[1].machine.sessions.count == 1)
    simulator.expectHealthy()
  }

  @Test func anINITOnAUsedPairAsksForAnotherStart() throws {
    var simulator = try Simulator(seed: 207)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    try simulator.settle()
    simulator.expectHealthy()
    // The same pair again, from a node that lost all memory of the first time.
    let party = simulator.ends[0].party
    simulator.ends[0].machine = party.machine(for: simulator.ends[1].party.record)
    simulator.ends[0].store = MemoryStore(peer: simulator.ends[1].party.record)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].events.contains(.refusedInitiation(.unknownPrekey)))
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
  }

  @Test func anINITFromOrToAnotherNodeIsRefused() throws {
    let (a, b) = try Party.pair(seed: 208)
    let stranger = try Party(seed: 80)
    let (bundle, _) = try b.bundle(for: a.id)
    var initiator = a.machine(for: b.record)
    _ = try initiator.start(with: bundle, at: epoch)
    let outcome = try initiator.linkUp(at: epoch)
    let frame = try #require(outcome.frames.last)
    var wrongPeer = b.machine(for: stranger.record)
    #expect(try wrongPeer.receive(frame, at: epoch).events == [.refusedInitiation(.wrongOwner)])
    var wrongNode = stranger.machine(for: a.record)
    #expect(try wrongNode.receive(frame, at: epoch).events == [.refusedInitiation(.wrongAddressee)])
  }

  @Test func bundlesForOthersExpiredOnesAndUnaskedOnesStartNothing() throws {
    let (a, b) = try Party.pair(seed: 209)
    let stranger = try Party(seed: 81)
    var machine = a.machine(for: b.record)
    let unasked = try b.bundle(for: a.id).bundle
    #expect(try machine.receive(.bundle(unasked.bytes), at: epoch).events == [.unexpectedFrame(6)])
    _ = try machine.linkUp(at: epoch)
    let asked = try machine.receive(.counters([]), at: epoch)
    guard case .bundleRequest(let nonce)? = asked.frames.last else {
      Issue.record("a bundle is asked for")
      return
    }
    let cases: [(Bundle, SessionError.Code)] = [
      (try b.bundle(for: stranger.id, nonce: nonce).bundle, .wrongAddressee),
      (try stranger.bundle(for: a.id, nonce: nonce).bundle, .wrongOwner),
      (try b.bundle(for: a.id, nonce: nonce, at: epoch - 31 * day).bundle, .expired),
      (try b.bundle(for: a.id, nonce: nonce, at: epoch + 4_000).bundle, .notYetValid),
      (unasked, .refused),
    ]
    for (bundle, code) in cases {
      #expect(try machine.receive(.bundle(bundle.bytes), at: epoch).events == [.refusedBundle(code)])
    }
    let good = try b.bundle(for: a.id, nonce: nonce).bundle
    #expect(try machine.receive(.bundle(good.bytes), at: epoch).frames.last?.type == 2)
  }

  @Test func tenThousandRequestsDrainNothing() throws {
    let (a, b) = try Party.pair(seed: 210)
    var machine = b.machine(for: a.record)
    var store = MemoryStore(peer: a.record)
    var answers = 0
    for number in 0..<10_000 {
      let nonce = [UInt8](repeating: UInt8(number % 255) + 1, count: 16)
      let outcome = try machine.receive(.bundleRequest(nonce), at: epoch + UInt64(number / 100))
      store.apply(outcome.commit)
      answers += outcome.frames.count
    }
    #expect(answers < 40)
    #expect(store.snapshot.pairs.count == OneTimePair.maximumUnused)
  }

  @Test func badEnvelopesChangeNothingAndTheThirdAsksForAnotherSession() throws {
    var simulator = try Simulator(seed: 211)
    try simulator.pair(joiner: 0)
    let id = try #require(simulator.ends[1].machine.currentSession)
    let before = simulator.ends[1].store.snapshot
    for number in 1...3 {
      try simulator.step(1) { try $0.receive(.envelope(id, [UInt8](repeating: UInt8(number), count: 2_000)), at: $1) }
      #expect(simulator.ends[1].events.last == (number < 3 ? .refusedEnvelope(id) : .resetSent(id)))
    }
    #expect(simulator.ends[1].store.snapshot.sessions == before.sessions)
    try simulator.settle()
    try simulator.wait(61)
    try simulator.send("after", from: 0)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["after"])
    #expect(simulator.ends[0].machine.currentSession != id)
    simulator.expectHealthy()
  }

  @Test func theOutboxAndTheQueueAreBounded() throws {
    var simulator = try Simulator(seed: 212)
    let payload = json("text", String(repeating: "x", count: 40_000))
    var machine = simulator.ends[0].machine
    var waited = 0
    while (try? machine.send(payload, at: epoch)) != nil { waited += 1 }
    #expect(waited == WaitQueue.maximumBytes / payload.count)
    #expect(throws: SessionError(.queueFull)) { try machine.send(payload, at: epoch) }
    #expect(throws: SessionError(.tooLarge)) {
      try machine.send([UInt8](repeating: 0x20, count: Envelope.maximumPayloadBytes + 1), at: epoch)
    }
    try simulator.pair(joiner: 0)
    simulator.cut()
    machine = simulator.ends[0].machine
    var sealed = 0
    while (try? machine.send(payload, at: epoch)) != nil { sealed += 1 }
    #expect(sealed > 100 && sealed < 200)
    #expect(throws: SessionError(.outboxFull)) { try machine.send(payload, at: epoch) }
  }

  @Test func keysTurnUnderTrafficAndWhenADayHasPassed() throws {
    var simulator = try Simulator(seed: 213)
    try simulator.pair(joiner: 0)
    func turned(_ end: Int) -> UInt64 { simulator.ends[end].machine.sessions[0].turned }
    try simulator.step(0) { try $0.noteTraffic(bytes: 1 << 20, at: $1) }
    #expect(simulator.wire[1].isEmpty)
    simulator.now += 5
    try simulator.step(0) { try $0.noteTraffic(bytes: 64 << 20, at: $1) }
    #expect(simulator.wire[1].count == 1)
    try simulator.settle()
    #expect(turned(0) == simulator.now)
    simulator.now += 30
    try simulator.step(1) { try $0.noteTraffic(bytes: 1, at: $1) }
    try simulator.settle()
    #expect(turned(1) == simulator.now)
    try simulator.wait(day)
    #expect(turned(0) == simulator.now && turned(1) == simulator.now)
    // Turns are the session's own business.
    #expect(simulator.ends.allSatisfy { $0.delivered.allSatisfy { $0.type == "hello" } })
    simulator.expectHealthy()
  }

  @Test func aSessionIsReplacedAfterSevenDaysAndTheOldOneGoesADayLater() throws {
    var simulator = try Simulator(seed: 214)
    try simulator.pair(joiner: 1)
    let old = try #require(simulator.ends[0].machine.currentSession)
    try simulator.wait(7 * day)
    let fresh = try #require(simulator.ends[0].machine.currentSession)
    #expect(fresh != old)
    #expect(simulator.ends[0].machine.sessions.count == 2)
    try simulator.send("new", from: 1)
    try simulator.settle()
    #expect(simulator.ends[0].delivered.last?.session == fresh)
    try simulator.wait(day)
    for end in simulator.ends {
      #expect(end.machine.sessions.map(\.id) == [fresh])
      #expect(end.store.snapshot.sessions.map(\.id) == [fresh])
    }
    simulator.expectHealthy()
  }
}
