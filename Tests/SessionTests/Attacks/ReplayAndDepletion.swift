import Primitives
import Testing

@testable import Session

extension KnownAttacks {
  /// The INIT that began a session is said again at every later time: X3DH leaves this to the protocol around it.
  @Test(arguments: [1, 0])
  func firstMessageReplayMakesNoSecondSession(_ pairs: Int) throws {
    var simulator = try Simulator(seed: 820)
    let bundle: Bundle
    if pairs == 0 {
      bundle = try simulator.ends[1].party.bundle(for: simulator.ends[0].party.id, pairs: 0).bundle
    } else {
      let (issued, commit) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
      simulator.ends[1].store.apply(commit)
      bundle = issued
    }
    try simulator.step(0) { try $0.start(with: bundle, at: $1) }
    try simulator.connect(inviter: 1)
    let fresh = simulator.ends[1].machine
    let recorded = try #require(simulator.wire[1].first { $0[0] == 2 })
    let frame = try LinkFrame(reading: recorded)
    try simulator.settle()
    simulator.expectHealthy()
    let id = try #require(simulator.ends[1].machine.currentSession)
    func replay(_ name: String, at now: UInt64) throws {
      for frame in [frame, try Self.withOtherEnvelope(frame)] {
        var machine = simulator.ends[1].machine
        let sessions = machine.sessions.map(\.id)
        let outcome = try machine.receive(frame, at: now)
        #expect(outcome.delivered.isEmpty && machine.sessions.map(\.id) == sessions, "\(name)")
        #expect(!outcome.commit.changes.contains { if case .putReplay = $0 { true } else { false } }, "\(name)")
      }
    }
    try replay("at once", at: simulator.now)
    try simulator.restart(1)
    try simulator.connect()
    try replay("after a restart", at: simulator.now)
    try simulator.settle()
    // The session is replaced and gone; its first message is not forgotten.
    try simulator.wait(7 * day)
    try simulator.wait(day + 1)
    #expect(!simulator.ends[1].machine.sessions.contains { $0.id == id })
    try replay("after the session", at: simulator.now)
    try simulator.restart(1)
    try simulator.connect()
    try replay("after the session and a restart", at: simulator.now)
    // It is forgotten with the prekeys that it was made with, and not before.
    let generation = try simulator.ends[1].party.prekeys.current()
    try replay("in the last second of its prekeys", at: generation.dies - 1)
    var machine = simulator.ends[1].machine
    machine.linkDown()
    _ = try machine.tick(at: generation.dies)
    #expect(!machine.replays.values.contains { $0.session == id })
    let late = try machine.receive(frame, at: generation.dies)
    #expect(late.refusedInitiation == .unknownPrekey && late.delivered.isEmpty)
    // The control: a node that has lost what it noted takes the INIT without a pair again, and the one with a pair does not even then.
    var amnesiac = simulator.ends[1].machine
    amnesiac.replays = [:]
    #expect(try amnesiac.receive(frame, at: epoch).refusedInitiation == (pairs == 0 ? nil : .unknownPrekey))
    var restored = fresh
    #expect(try restored.receive(frame, at: epoch).isStartOfPeer)
  }

  private static func withOtherEnvelope(_ frame: LinkFrame) throws -> LinkFrame {
    guard case .initiation(let initiation) = frame else { throw SessionError(.internalFailure) }
    var envelope = initiation.envelope
    envelope[envelope.count - 1] ^= 1
    return .initiation(Initiation(head: initiation.head, envelope: envelope))
  }

  /// One peer asks for bundle after bundle. What another holds stays good, and what it gets is good for nobody else.
  @Test func prekeyDepletionByOnePeerTakesNothingFromAnother() throws {
    let (a, b) = try Party.pair(seed: 830)
    let mallory = try Party(seed: 8_300)
    var toMallory = b.machine(for: mallory.record)
    var toA = b.machine(for: a.record)
    let held = try toA.pairingBundle(at: epoch).bundle
    var answers: [Bundle] = []
    for number in 0..<10_000 {
      let nonce = [UInt8](repeating: UInt8(number % 255) + 1, count: 16)
      let outcome = try toMallory.receive(.bundleRequest(nonce), at: epoch + UInt64(number / 1_000))
      for frame in outcome.frames { if case .bundle(let bytes) = frame { answers.append(try Bundle(reading: bytes)) } }
    }
    #expect(answers.count < 12 && toMallory.pairs.count <= OneTimePair.maximumUnused)
    // The newest of what it got still works for Mallory, and so does what A holds for A.
    for (party, machine, bundle) in [(mallory, toMallory, try #require(answers.last)), (a, toA, held)] {
      var starter = party.machine(for: b.record)
      var responder = machine
      _ = try starter.start(with: bundle, at: epoch)
      let frame = try #require(try starter.linkUp(at: epoch).frames.last)
      #expect(try responder.receive(frame, at: epoch).isStartOfPeer)
    }
    // A pair that was minted for one peer is none for another.
    let stolen = try #require(answers.last?.pairs.first)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let head = Initiation.Head(
      initiator: a.id, responder: b.id, ephemeral: try X25519.PublicKey([UInt8](repeating: 9, count: 32)),
      spkID: held.spkID, pqspkID: held.pqspkID, pairID: stolen.id,
      ciphertext: a.crypto.encapsulate1024(stolen.kem).ciphertext, bundle: own.bytes)
    let initiation = Initiation(head: head, envelope: [1])
    #expect(try toA.receive(.initiation(initiation), at: epoch).refusedInitiation == .unknownPrekey)
  }
}
