import Primitives
import Testing
import Wire

@testable import Session

/// Headers say what is the same in all of a chain until its receiver has said that it knows.
@Suite struct ShortHeaderTests {
  private static let full = 40 + 1_185 + 1_088 + 16

  /// The lengths of the sealed headers in the ENVELOPE frames from one end, since a place on the tape.
  private func headers(_ simulator: Simulator, from end: Int, since start: Int = 0) -> [Int] {
    simulator.tape[start...].filter { $0.from == end && $0.bytes[0] == 1 }.map { Int($0.bytes[35]) << 8 | Int($0.bytes[36]) }
  }

  /// Both ends confirmed, and end 0 in a chain that end 1 has acknowledged.
  private func acknowledged(_ seed: UInt64) throws -> Simulator {
    var simulator = try Simulator(seed: seed)
    try simulator.pair(joiner: 0)
    try simulator.send("first", from: 0)
    try simulator.settle()
    return simulator
  }

  /// Both ends confirmed, and end 0 with a chain to begin.
  private func turned(_ seed: UInt64) throws -> Simulator {
    var simulator = try acknowledged(seed)
    try simulator.send("turn", from: 1)
    try simulator.settle()
    return simulator
  }

  @Test func headersAreShortOnceTheChainIsAcknowledged() throws {
    var simulator = try turned(900)
    let start = simulator.tape.count
    for number in 0..<3 { try simulator.send("\(number)", from: 0) }
    try simulator.settle()
    for number in 3..<5 {
      try simulator.send("\(number)", from: 0)
      try simulator.settle()
    }
    // Three were sealed before the first acknowledgement came.
    #expect(headers(simulator, from: 0, since: start) == [Self.full, Self.full, Self.full, 21, 21])
    #expect(simulator.ends[1].texts == ["first", "0", "1", "2", "3", "4"])
    // What is answered begins a chain, which nobody knows yet.
    let turn = simulator.tape.count
    try simulator.send("answer", from: 1)
    try simulator.settle()
    try simulator.send("again", from: 0)
    try simulator.settle()
    #expect(headers(simulator, from: 1, since: turn) == [Self.full] && headers(simulator, from: 0, since: turn) == [Self.full])
    simulator.expectHealthy()
  }

  @Test func headersSayEverythingAgainOnANewLinkAndAfterARestart() throws {
    for isRestarted in [false, true] {
      var simulator = try acknowledged(901)
      simulator.flush(0)
      if isRestarted { try simulator.restart(0) } else { simulator.cut() }
      let start = simulator.tape.count
      try simulator.send("apart", from: 0)
      try simulator.connect()
      try simulator.send("met", from: 0)
      try simulator.settle()
      try simulator.send("known", from: 0)
      try simulator.settle()
      #expect(headers(simulator, from: 0, since: start) == [Self.full, Self.full, 21])
      #expect(simulator.ends[1].texts == ["first", "apart", "met", "known"])
    }
  }

  /// A second link comes while the first one is up. What is acknowledged on it then, of what was sealed before, may be the word of a state
  /// that is gone.
  @Test func anAcknowledgementOfWhatIsOlderThanTheLinkProvesNothing() throws {
    var simulator = try turned(902)
    try simulator.send("before", from: 0)
    try simulator.deliver(to: 1)
    let late = try #require(simulator.wire[0].first)
    try simulator.connect()
    try simulator.settle()
    simulator.wire[0].append(late)
    try simulator.settle()
    let start = simulator.tape.count
    try simulator.send("after", from: 0)
    try simulator.settle()
    try simulator.send("known", from: 0)
    try simulator.settle()
    #expect(headers(simulator, from: 0, since: start) == [Self.full, 21])
  }

  /// The state of end 1 goes back to before the chain that end 0 is in. It can read on at once, for that chain is said again.
  @Test func aPeerWhoseStateWentBackReadsOnAfterANewLink() throws {
    var simulator = try turned(903)
    let backup = simulator.ends[1].store
    try simulator.send("known", from: 0)
    try simulator.settle()
    try simulator.send("short", from: 0)
    try simulator.settle()
    simulator.ends[1].store = backup
    try simulator.restart(1)
    try simulator.connect()
    try simulator.send("read", from: 0)
    try simulator.settle()
    #expect(simulator.ends[1].texts.last == "read")
  }

  /// What was sealed with a short header goes out again as it is. Who has forgotten its chain cannot open it, and asks for a fresh session.
  @Test func shortHeadersThatAnOldStateCannotReadLeadToAFreshSession() throws {
    var simulator = try turned(904)
    let old = simulator.ends[0].machine.currentSession
    let backup = simulator.ends[1].store
    try simulator.send("known", from: 0)
    try simulator.settle()
    for number in 0..<3 { try simulator.send("under way \(number)", from: 0) }
    simulator.ends[1].store = backup
    simulator.isRolledBack = true
    try simulator.restart(1)
    simulator.now += 61
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<3 { try simulator.wait(61) }
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.currentSession != old)
    #expect(Set(simulator.ends[1].texts.suffix(3)) == ["under way 0", "under way 1", "under way 2"])
  }

  /// Who has broken the link can acknowledge what never came. The chain stops, and a fresh session takes its place.
  @Test func aFalseAcknowledgementStopsAChainUntilTheReset() throws {
    var simulator = try turned(905)
    let old = try #require(simulator.ends[0].machine.currentSession)
    try simulator.send("lost", from: 0)
    simulator.wire[1] = []
    let entry = try #require(simulator.ends[0].machine.outbox.items.first?.entry)
    try simulator.step(0) { try $0.receive(.ack(old, entry.id), at: $1) }
    let start = simulator.tape.count
    for number in 0..<3 { try simulator.send("short \(number)", from: 0) }
    #expect(headers(simulator, from: 0, since: start) == [21, 21, 21])
    simulator.now += 61
    try simulator.settle()
    for _ in 0..<3 { try simulator.wait(61) }
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.currentSession != old)
    #expect(Set(simulator.ends[1].texts.dropFirst()) == ["short 0", "short 1", "short 2"])
  }

  @Test func onlyALinkBringsShortHeaders() throws {
    var simulator = try acknowledged(906)
    let id = try #require(simulator.ends[0].machine.currentSession)
    try simulator.send("short", from: 0)
    let frame = try #require(simulator.wire[1].first)
    simulator.cut()
    #expect(simulator.ends[0].machine.undelivered.isEmpty, "it waits for a link")
    var machine = simulator.ends[1].machine
    let carried = try machine.receive(carried: frame, at: simulator.now)
    #expect(carried.events == [.refusedEnvelope(id)] && carried.frames.isEmpty && carried.commit.isEmpty)
    try simulator.connect()
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["first", "short"])
    // Once it was accepted, another copy is acknowledged however it comes.
    #expect(try simulator.ends[1].machine.receive(carried: frame, at: simulator.now).frames.map(\.type) == [3])
  }

  @Test func noINITBringsAShortHeader() throws {
    // The first of a session: nobody knows anything.
    var pair = try RatchetPair(seed: 907)
    let first = try pair.fromAlice("first")
    pair.alice.sayShort()
    let second = try pair.fromAlice("second")
    #expect(throws: SessionError(.refused)) { try pair.toBob(second) }
    try pair.toBob(first)
    #expect(try pair.toBob(second) == "second", "on a link it opens")
    // A later one in the INIT of a session that is known.
    var simulator = try Simulator(seed: 908)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect()
    while try simulator.deliver(to: 1) {}
    simulator.wire = [[], []]
    var starter = simulator.ends[0].machine
    guard case .starting(let head) = starter.sessions[0].phase else { throw SessionError(.internalFailure) }
    starter.sessions[0].ratchet.sayShort()
    let entry = try starter.sessions[0].seal(json("hello", "x"), isOwn: false, crypto: simulator.ends[0].party.crypto)
    let id = starter.sessions[0].id
    for frame in [LinkFrame.initiation(Initiation(head: head, envelope: entry.envelope)), .envelope(id, entry.envelope)] {
      var machine = simulator.ends[1].machine
      let events = try machine.receive(frame, at: simulator.now).events
      #expect((events == [.refusedEnvelope(id)]) == (frame.type == 2))
    }
  }

  /// The acknowledgement of what an INIT carried makes nothing short as long as INITs go out.
  @Test func whatGoesOutInINITsSaysEverything() throws {
    var simulator = try Simulator(seed: 909)
    let (bundle, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(commit)
    try simulator.connect()
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    let first = try #require(simulator.ends[0].machine.outbox.items.first?.entry)
    try simulator.step(0) { try $0.receive(.ack(first.session, first.id), at: $1) }
    guard case .chain(let chain) = simulator.ends[0].machine.sessions[0].ratchet.sending else { throw SessionError(.refused) }
    #expect(!chain.isKnown)
  }

  @Test func aChainNeverBeginsWithAShortHeader() throws {
    var pair = try RatchetPair(seed: 910)
    for _ in 0..<2 {
      try pair.toBob(try pair.fromAlice("a"))
      try pair.toAlice(try pair.fromBob("b"))
    }
    let first = try pair.fromAlice("first")
    pair.alice.sayShort()
    let second = try pair.fromAlice("second")
    // Under NHKr: its message key could be made, but not from what it says.
    let before = pair.bob?.storedBytes
    #expect(throws: SessionError(.refused)) { try pair.toBob(second) }
    #expect(pair.bob?.storedBytes == before)
    #expect(try pair.toBob(first) == "first")
    #expect(try pair.toBob(second) == "second")
    #expect(throws: SessionError(.refused)) { try pair.toBob(second) }
  }

  @Test func chainsLeftBehindAreReadLateAlsoUnderShortHeaders() throws {
    var pair = try RatchetPair(seed: 911)
    try pair.toBob(try pair.fromAlice("hello"))
    try pair.toAlice(try pair.fromBob("confirm"))
    var late: [[UInt8]] = []
    for turn in 0..<5 {
      try pair.toBob(try pair.fromAlice("a\(turn)"))
      pair.alice.sayShort()
      late += [try pair.fromAlice("late\(turn)"), try pair.fromAlice("later\(turn)")]
      try pair.toBob(try pair.fromAlice("b\(turn)"))
      try pair.toAlice(try pair.fromBob("turn"))
    }
    try pair.restart()
    #expect(late.allSatisfy { $0[18] == 0 && $0[19] == 21 })
    for (index, envelope) in late.enumerated().reversed() {
      #expect(try pair.toBob(envelope) == "\(index % 2 == 0 ? "late" : "later")\(index / 2)")
      #expect(throws: SessionError(.refused)) { try pair.toBob(envelope) }
    }
    // The newest chain is still the one in use.
    #expect(pair.bob?.skipped.chains.isEmpty == true)
  }

  @Test func aShortHeaderIsFiveBytes() throws {
    #expect(ShortHeader(number: 0x0102_0304).encoded == [4, 1, 2, 3, 4])
    #expect(try ShortHeader(parsing: [4, 0, 0, 0, 9].span).number == 9)
    for bad in [[], [4], [4, 0, 0, 0], [4, 0, 0, 0, 9, 0], [3, 0, 0, 0, 9], [5, 0, 0, 0, 9]] as [[UInt8]] {
      #expect(throws: WireError.self) { try ShortHeader(parsing: bad.span) }
    }
  }

  @Test func skippingUnderShortHeadersHasTheSameBound() throws {
    var pair = try RatchetPair(seed: 912)
    try pair.toBob(try pair.fromAlice("hello"))
    try pair.toAlice(try pair.fromBob("confirm"))
    try pair.toBob(try pair.fromAlice("known"))
    pair.alice.sayShort()
    var envelope = try pair.fromAlice("0")
    for number in 1...1_000 { envelope = try pair.fromAlice("\(number)") }
    var other = pair
    #expect(throws: SessionError(.refused)) { try other.toBob(try other.fromAlice("1001")) }
    #expect(try pair.toBob(envelope) == "1000")
  }

  /// A receipt names an envelope by its commitment. Other bytes under a known one are acknowledged, which is true of the envelope that has
  /// it, and do nothing else.
  @Test func aForgedEnvelopeUnderAKnownCommitmentDoesNothing() throws {
    var simulator = try acknowledged(913)
    let start = simulator.tape.count
    try simulator.send("text", from: 0)
    try simulator.settle()
    let frame = try #require(simulator.tape[start...].first { $0.from == 0 && $0.bytes[0] == 1 }).bytes
    guard case .envelope(let id, let envelope) = try LinkFrame(parsing: frame.span) else { throw SessionError(.refused) }
    let name = try Envelope(parsing: envelope).id
    #expect(name.bytes == Array(envelope[41..<57]))
    var forged = envelope
    for index in 57..<forged.count { forged[index] ^= 0xFF }
    let before = Fingerprint(simulator.ends[1].machine)
    for bytes in [forged, envelope] {
      let outcome = try simulator.ends[1].machine.receive(.envelope(id, bytes), at: simulator.now)
      #expect(outcome.frames == [.ack(id, name)] && outcome.commit.isEmpty && outcome.delivered.isEmpty)
      #expect(Fingerprint(simulator.ends[1].machine) == before)
    }
    // The next envelope under a forged commitment is no other: what it is to be named by is what it must open with.
    try simulator.send("next", from: 0)
    let last = try #require(simulator.wire[1].first)
    guard case .envelope(_, var next) = try LinkFrame(parsing: last.span) else { throw SessionError(.refused) }
    next.replaceSubrange(41..<57, with: name.bytes)
    #expect(try simulator.ends[1].machine.receive(.envelope(id, next), at: simulator.now).delivered.isEmpty)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["first", "text", "next"])
  }
}

extension Ratchet {
  /// As if the other side had acknowledged the chain.
  fileprivate mutating func sayShort() {
    guard case .chain(var chain) = sending else { return }
    chain.isKnown = true
    sending = .chain(chain)
  }
}
