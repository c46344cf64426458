import Primitives
import Testing
import Wire

@testable import Session

/// Sessions that start from a held batch: without asking, and while the other side is away.
@Suite(.timeLimit(.minutes(5))) struct OfflineStartTests {
  /// Two that hold each other's batches and have lost their sessions, without a link.
  private func apart(seed: UInt64) throws -> Simulator {
    var simulator = try Simulator(seed: seed)
    try simulator.pair(joiner: 0)
    for end in 0...1 { try simulator.loseSessions(end) }
    return simulator
  }

  private func initiation(_ machine: PeerMachine) throws -> Initiation {
    guard case .initiation(let initiation)? = machine.undelivered.first else { throw SessionError(.refused) }
    return initiation
  }

  @Test(arguments: [0, 1])
  func aSessionStartsWhileTheOtherSideIsAwayAndItsFirstEnvelopeGoesOutAsItStands(_ end: Int) throws {
    var simulator = try apart(seed: 620)
    try simulator.send("lost with the process", from: end)
    let started = simulator.ends[end]
    #expect(started.machine.health == .starting && started.machine.waitingCount == 1)
    #expect(started.store.snapshot.sessions.count == 1 && started.store.snapshot.outbox.count == 1)
    let frame = try #require(started.machine.undelivered.first)
    #expect(frame.type == 2 && started.machine.undelivered.count == 1)
    let head = try initiation(started.machine).head
    #expect(head.pairID == started.machine.held?.bundle.pairs.first?.id)
    // Session, use of the pair and envelope are one commit, and survive the process.
    #expect(try HeldBundle(stored: #require(started.store.snapshot.held)).used == [head.pairID])
    try simulator.restart(end)
    #expect(simulator.ends[end].machine.undelivered == [frame])
    try simulator.send("said", from: end)
    simulator.now += 3 * day
    try simulator.connect()
    #expect(simulator.wire[1 - end].dropFirst().first == frame.encoded)
    var asked = 0
    for _ in 0..<100 {
      asked += simulator.wire.joined().count { $0[0] == 5 }
      for end in 0...1 { try simulator.deliver(to: end) }
    }
    #expect(asked == 0, "nobody asks for a bundle")
    simulator.expectHealthy()
    #expect(simulator.ends[1 - end].texts == ["said"])
    #expect(simulator.ends[1 - end].store.snapshot.pairs.allSatisfy { $0.id != head.pairID })
  }

  @Test func whoWantsASessionMayStartItAndStartsOne() throws {
    var simulator = try apart(seed: 621)
    #expect(simulator.ends[1].machine.canStartOffline(at: simulator.now))
    try simulator.step(1) { try $0.startOffline(at: $1) }
    #expect(simulator.ends[1].machine.undelivered.count == 1)
    try simulator.step(1) { try $0.startOffline(at: $1) }
    #expect(simulator.ends[1].machine.sessions.count == 1)
    // Without a batch there is nothing to start from.
    var fresh = simulator.ends[0].party.machine(for: simulator.ends[1].party.record)
    #expect(!fresh.canStartOffline(at: simulator.now))
    #expect(throws: SessionError(.noBundle)) { _ = try fresh.startOffline(at: simulator.now) }
  }

  @Test func theFirstEnvelopesMayComeByAnyOtherWay() throws {
    var simulator = try apart(seed: 622)
    try simulator.step(0) { try $0.startOffline(at: $1) }
    func carry(from end: Int) throws {
      for frame in simulator.ends[end].machine.undelivered {
        try simulator.step(1 - end) { try $0.receive(carried: frame.encoded, at: $1) }
      }
    }
    try carry(from: 0)
    try simulator.restart(1)
    try carry(from: 0)
    #expect(simulator.ends[1].machine.sessions.count == 1)
    let early = simulator.ends[1].delivered.count
    #expect(!simulator.ends[0].machine.isConfirmed)
    try carry(from: 1)
    #expect(simulator.ends[0].machine.isConfirmed)
    try carry(from: 0)
    #expect(simulator.ends[1].machine.isConfirmed)
    #expect(simulator.ends[1].delivered.dropFirst(early).first?.type == "hello", "kept over the restart")
    #expect(simulator.ends[0].machine.currentSession == simulator.ends[1].machine.currentSession)
    // The next link acknowledges what came that way, and nothing of it counts twice.
    let before = simulator.ends.map { $0.delivered.count }
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends.map { $0.delivered.count } == before)
  }

  @Test func fromOutsideALinkOnlyWhatProvesItselfIsTaken() throws {
    var simulator = try Simulator(seed: 623)
    try simulator.pair(joiner: 0)
    let id = try #require(simulator.ends[1].machine.currentSession)
    let unknown = try #require(SessionID([UInt8](repeating: 9, count: 16)))
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    let frames: [LinkFrame] = [
      .ack(id, try envelopeID(1)), .counters([SessionCounters(session: id, committed: .max, seen: .max)]),
      .bundleRequest([UInt8](repeating: 1, count: 16)), .bundle(try a.bundle(for: b.id).bundle.bytes), .reset(id),
      .reset(.none), .pairRefused(.used), .close,
    ]
    let before = simulator.ends[1].store.snapshot
    for frame in frames {
      #expect(throws: SessionError(.malformed)) {
        var machine = simulator.ends[1].machine
        _ = try machine.receive(carried: frame.encoded, at: simulator.now)
      }
    }
    #expect(throws: SessionError(.malformed)) {
      var machine = simulator.ends[1].machine
      _ = try machine.receive(carried: [], at: simulator.now)
    }
    // Forged ones, as many as anybody likes, have no session replaced and nothing answered.
    var forged = try Simulator(seed: 623)
    try forged.step(0) { try $0.start(with: try b.bundle(for: a.id).bundle, at: $1) }
    let start = try initiation(forged.ends[0].machine)
    for number in 0..<20 {
      for frame in [
        LinkFrame.envelope(id, [UInt8](repeating: UInt8(number), count: 900)),
        .envelope(unknown, [UInt8](repeating: UInt8(number), count: 900)),
        .initiation(Initiation(head: start.head, envelope: [UInt8](repeating: UInt8(number), count: 900))),
      ] {
        try simulator.step(1) { try $0.receive(carried: frame.encoded, at: $1) }
      }
    }
    let isUntouched = simulator.ends[1].store.snapshot == before
    #expect(isUntouched)
    #expect(simulator.wire.allSatisfy { $0.isEmpty })
    #expect(simulator.ends[1].machine.resetDue == nil)
    #expect(simulator.ends[1].machine.troubles(at: simulator.now).isEmpty)
    simulator.expectHealthy()
  }

  @Test func bothStartWhileApartAndSettleOnOneSession() throws {
    for order in 0...1 {
      var simulator = try apart(seed: 624)
      try simulator.send("from lower", from: 0)
      try simulator.send("from higher", from: 1)
      #expect(simulator.ends.allSatisfy { $0.machine.health == .starting })
      try simulator.connect()
      while try simulator.deliver(to: order) {}
      try simulator.settle()
      #expect(simulator.ends[0].texts == ["from higher"])
      #expect(simulator.ends[1].texts == ["from lower"])
      simulator.expectHealthy()
      try simulator.wait(day)
      try simulator.wait(1)
      #expect(simulator.ends.allSatisfy { $0.machine.sessions.count == 1 })
    }
  }

  @Test func sixteenStartsUseSixteenPairsAndTheNextFallsBackAndSaysSo() throws {
    var simulator = try apart(seed: 625)
    let held = try #require(simulator.ends[0].machine.held?.bundle)
    var used: [UInt32] = []
    for _ in 0..<17 {
      try simulator.loseSessions(0)
      try simulator.step(0) { try $0.startOffline(at: $1) }
      used.append(try initiation(simulator.ends[0].machine).head.pairID)
    }
    #expect(used == held.pairs.map(\.id) + [0])
    let id = try #require(simulator.ends[0].machine.sessions.first?.id)
    #expect(simulator.ends[0].events.last == .startedWithoutPair(id, byUs: true))
    try simulator.send("order", from: 0)
    try simulator.restart(0)
    try simulator.send("order", from: 0)
    #expect(simulator.ends[0].machine.unacknowledged == 1, "nothing but hello leaves before the confirmation")
    // The responder sees the flag in INIT. Its own start loses, or never begins: the lower node is the starter.
    try simulator.connect()
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    #expect(simulator.ends[1].events.contains(.startedWithoutPair(id, byUs: false)))
    #expect(simulator.ends[1].machine.unacknowledged == 1)
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends[1].texts == ["order"])
    #expect(simulator.ends[1].delivered.last { $0.type == "hello" }?.session == id)
    for end in 0...1 {
      try simulator.restart(end)
      let machine = simulator.ends[end].machine
      #expect(machine.currentSession == id && machine.isWithoutPair)
      #expect(machine.troubles(at: simulator.now).map(\.kind) == [.fallback])
      #expect(machine.troubles(at: simulator.now).allSatisfy { $0.healed == simulator.now })
    }
    // Fresh pairs came with it: the next session has one again.
    #expect(simulator.ends[0].machine.held?.nextPair != nil)
    try simulator.connect()
    try simulator.settle()
    try simulator.wait(8 * day)
    #expect(simulator.ends.allSatisfy { $0.machine.currentSession != id && !$0.machine.isWithoutPair })
  }

  @Test func beforeTheConfirmationNothingButHelloIsActedUponAlsoWithoutAPair() throws {
    var simulator = try apart(seed: 626)
    simulator.ends[0].store.damage { $0.held = nil }
    try simulator.restart(0)
    // A hostile starter: an order instead of hello, in a session on signed prekeys alone.
    simulator.ends[0].machine.hello = json("text", "obey")
    let bare = try simulator.ends[1].party.bundle(for: simulator.ends[0].party.id, pairs: 0).bundle
    try simulator.step(0) { try $0.start(with: bare, at: $1) }
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].texts.isEmpty)
    #expect(simulator.ends[1].events.contains { if case .prematurePayload = $0 { true } else { false } })
    #expect(simulator.ends[1].events.contains { if case .startedWithoutPair(_, byUs: false) = $0 { true } else { false } })
  }

  @Test func aRepeatedINITWithoutAPairMakesNoSecondSessionEver() throws {
    var simulator = try apart(seed: 627)
    let bare = try simulator.ends[1].party.bundle(for: simulator.ends[0].party.id, pairs: 0).bundle
    try simulator.step(0) { try $0.start(with: bare, at: $1) }
    let frame = try #require(simulator.ends[0].machine.undelivered.first)
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
    let id = try #require(simulator.ends[1].machine.currentSession)
    func repeated(_ what: Comment) throws {
      try simulator.step(1) { try $0.receive(frame, at: $1) }
      let ids = simulator.ends[1].machine.sessions.map(\.id)
      #expect(ids.count == 1 && ids.first == simulator.ends[1].machine.currentSession, what)
      #expect(simulator.ends[1].events.count { $0 == .started(id, byUs: false) } == 1, what)
      try simulator.settle()
    }
    try repeated("before a restart")
    try simulator.restart(1)
    try simulator.connect()
    try repeated("after a restart")
    // Also when its session is long gone.
    try simulator.wait(7 * day)
    try simulator.wait(day)
    #expect(simulator.ends[1].machine.currentSession != id)
    try repeated("when the session was replaced")
    try simulator.restart(1)
    try simulator.connect()
    try repeated("and after another restart")
    // And when the prekeys it names are dead, with the entry that knew it.
    simulator.now += 40 * day
    for end in 0...1 { try simulator.refreshPrekeys(end) }
    try simulator.wait(1)
    #expect(simulator.ends[1].store.snapshot.replays.allSatisfy { $0.session != id })
    try simulator.step(1) { try $0.receive(frame, at: $1) }
    #expect(simulator.ends[1].events.contains(.refusedInitiation(.unknownPrekey)))
    #expect(simulator.ends[1].events.count { $0 == .started(id, byUs: false) } == 1)
  }

  @Test func aHeldBatchSavesARoundTripOnALinkAndAReplacementAsksAllTheSame() throws {
    var simulator = try apart(seed: 628)
    try simulator.connect()
    try simulator.deliver(to: 0)
    #expect(simulator.wire[1].last.map { $0[0] } == 2, "INIT at once")
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.held?.nextPair != nil)
    simulator.now += 7 * day
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.wire[1].contains { $0[0] == 5 })
    #expect(!simulator.wire[1].contains { $0[0] == 2 })
  }

  @Test func aStartThatIsExhaustedAsksWhereItCan() throws {
    var simulator = try apart(seed: 629)
    for pair in simulator.ends[0].machine.held?.bundle.pairs ?? [] { simulator.ends[0].machine.held?.use(pair) }
    try simulator.connect()
    try simulator.deliver(to: 0)
    #expect(simulator.wire[1].last.map { $0[0] } == 5)
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends.allSatisfy { !$0.machine.isWithoutPair })
  }

  @Test func aHeldBatchIsUsedInItsTimeAndAnHourAround() throws {
    var simulator = try apart(seed: 630)
    let bundle = try #require(simulator.ends[0].machine.held?.bundle)
    let machine = simulator.ends[0].machine
    #expect(machine.canStartOffline(at: bundle.issued - 3_600))
    #expect(!machine.canStartOffline(at: bundle.issued - 3_601))
    #expect(machine.canStartOffline(at: bundle.expires + 3_599))
    #expect(!machine.canStartOffline(at: bundle.expires + 3_600))
    simulator.now = bundle.expires + 3_600
    try simulator.send("too late", from: 0)
    #expect(simulator.ends[0].machine.sessions.isEmpty && simulator.ends[0].machine.waitingCount == 1)
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].store.snapshot.held == nil)
  }

  @Test func aPeerThatLostItsPrekeysSaysSoAndTheNextStartAsks() throws {
    var simulator = try apart(seed: 631)
    try simulator.step(0) { try $0.startOffline(at: $1) }
    // The other side has lost everything but its identity and its prekeys: the pair is gone.
    simulator.ends[1].store = MemoryStore(peer: simulator.ends[0].party.record)
    try simulator.restart(1)
    simulator.now += 100
    try simulator.connect()
    try simulator.deliver(to: 1)
    try simulator.deliver(to: 1)
    #expect(simulator.ends[1].events.contains(.refusedInitiation(.unknownPrekey)))
    while try simulator.deliver(to: 0) {}
    #expect(simulator.ends[0].events.contains(.resetReceived(.none)))
    #expect(simulator.ends[0].machine.held == nil && simulator.ends[0].store.snapshot.held == nil)
    try simulator.settle()
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.held?.nextPair != nil)
    #expect(simulator.ends[0].machine.troubles(at: simulator.now).map(\.kind) == [.reset])
    #expect(simulator.ends[1].machine.troubles(at: simulator.now).map(\.kind) == [.lost])
  }

  @Test func aBatchWhoseKeysAgreeOnNothingIsDropped() throws {
    var simulator = try Simulator(seed: 632)
    try simulator.pair(joiner: 0)
    let (a, b) = (simulator.ends[0].party, simulator.ends[1].party)
    let good = try b.bundle(for: a.id, pairs: 2, at: simulator.now + 1).bundle
    let bytes = try BatchTests().forge(good, by: b) { body in
      body.replaceSubrange(101..<133, with: [UInt8](repeating: 0, count: 32))
    }
    let hostile = try? Bundle(parsing: bytes.span)
    guard let hostile else { return }
    try simulator.step(1) { try $0.send(PrekeysMessage.payload(hostile), at: $1) }
    try simulator.settle()
    for end in 0...1 { try simulator.loseSessions(end) }
    try simulator.step(0) { try $0.startOffline(at: $1) }
    #expect(simulator.ends[0].machine.sessions.isEmpty && simulator.ends[0].machine.held == nil)
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
  }

  @Test func aStartThatNobodyAnswersIsGivenUpAfterThirtyDays() throws {
    var simulator = try apart(seed: 633)
    try simulator.step(0) { try $0.startOffline(at: $1) }
    simulator.now += 30 * day - 1
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].machine.undelivered.count == 1)
    simulator.now += 1
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].machine.undelivered.isEmpty && simulator.ends[0].store.snapshot.sessions.isEmpty)
    for end in 0...1 { try simulator.refreshPrekeys(end) }
    try simulator.connect()
    try simulator.settle()
    simulator.expectHealthy()
  }
}

extension Simulator {
  /// An end forgets its sessions with what was under way in them, as a restored state may; the rest stays.
  mutating func loseSessions(_ end: Int) throws {
    ends[end].store.damage { snapshot in
      snapshot.sessions = []
      snapshot.outbox = []
    }
    try restart(end)
  }

  /// A node looks after its signed prekeys.
  mutating func refreshPrekeys(_ end: Int) throws {
    _ = ends[end].party.prekeys.refresh(at: now, crypto: ends[end].party.crypto)
    ends[end].machine.prekeys = ends[end].party.prekeys
  }
}
