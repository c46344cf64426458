import Primitives
import Testing
import Wire

@testable import Session

/// A message that proves nothing changes nothing: neither what is stored nor anything that can be seen of the machine.
extension KnownAttacks {
  /// Gives mutations of a frame to copies of a machine. A bit in every `stride`th byte of it from `start` on, and cuts.
  private static func flood(_ machine: PeerMachine, with frame: [UInt8], from start: Int, every step: Int) throws {
    let before = Fingerprint(machine)
    var mutations = stride(from: start, to: frame.count, by: step).map { index in
      var bytes = frame
      bytes[index] ^= 1 << UInt8(index % 8)
      return bytes
    }
    for cut in [start, (start + frame.count) / 2, frame.count - 1] { mutations.append(Array(frame[..<cut])) }
    mutations.append(frame + [0])
    for bytes in mutations {
      // What does not parse closes the link and reaches no machine.
      guard let parsed = try? LinkFrame(reading: bytes) else { continue }
      var trial = machine
      let outcome = try trial.receive(parsed, at: epoch)
      #expect(outcome.commit.isEmpty && outcome.delivered.isEmpty && outcome.frames.isEmpty, "type \(frame[0])")
      #expect(Fingerprint(trial) == before, "type \(frame[0])")
      // By another way than a link anybody hands frames in: nothing but INIT and ENVELOPE is looked at, and the same holds.
      var carried = machine
      if let outcome = try? carried.receive(carried: bytes, at: epoch) {
        #expect(parsed.type <= 2 && outcome.commit.isEmpty && outcome.delivered.isEmpty && outcome.frames.isEmpty)
      }
      #expect(Fingerprint(carried) == before, "type \(frame[0]), carried")
    }
    // As it is, it changes something.
    var trial = machine
    #expect(try !trial.receive(try LinkFrame(reading: frame), at: epoch).commit.isEmpty)
    #expect(Fingerprint(trial) != before)
  }

  @Test func anUnauthenticatedMessageChangesNoState() throws {
    let (a, b) = try Party.pair(seed: 780)
    var starter = a.machine(for: b.record)
    var responder = b.machine(for: a.record)
    _ = try responder.linkUp(at: epoch)
    _ = try starter.linkUp(at: epoch)
    // BUNDLE, while one is awaited.
    let request = try #require(try starter.receive(.counters([]), at: epoch).frames.last)
    let bundle = try #require(try responder.receive(request, at: epoch).frames.last)
    try Self.flood(starter, with: bundle.encoded, from: 1, every: 67)
    // INIT, before there is a session.
    let initiation = try #require(try starter.receive(bundle, at: epoch).frames.last)
    try Self.flood(responder, with: initiation.encoded, from: 1, every: 67)
    // The one bit of EK_A that the agreement ignores is bound by the transcript.
    var ignored = initiation.encoded
    ignored[1 + 67 + 32] ^= 0x80
    var trial = responder
    #expect(try trial.receive(try LinkFrame(reading: ignored), at: epoch).refusedInitiation == .refused)
    // ENVELOPE: CONFIRM, the answer that begins a chain, and one within a chain.
    var answer = try responder.receive(initiation, at: epoch).frames
    try Self.flood(starter, with: try #require(answer.last).encoded, from: 17, every: 11)
    answer = try starter.receive(try #require(answer.last), at: epoch).frames
    let first = try #require(answer.first { $0.type == 1 })
    try Self.flood(responder, with: first.encoded, from: 17, every: 11)
    _ = try responder.receive(first, at: epoch)
    let next = try #require(try starter.send(json("text", "x"), at: epoch).frames.last)
    try Self.flood(responder, with: next.encoded, from: 17, every: 11)
    // ACK of anything but an envelope under way.
    let id = try #require(starter.currentSession)
    _ = try responder.send(json("text", "kept"), at: epoch)
    let kept = try #require(responder.outbox.items.last).entry
    try Self.flood(responder, with: LinkFrame.ack(id, kept.id).encoded, from: 1, every: 1)
    // What has no place on a link.
    let before = Fingerprint(responder)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto).bytes
    let introduction = Introduction(record: a.record.bytes, bundle: own, card: try Card(name: "n", addresses: []))
    for frame in [LinkFrame.pairAccepted(introduction), .pairRefused(.used), .close, .bundle(own)] {
      let outcome = try responder.receive(frame, at: epoch)
      #expect(outcome.commit.isEmpty && outcome.frames.isEmpty && Fingerprint(responder) == before)
    }
  }

  /// RESET and COUNTERS are believed as far as the link is: all they bring about is a fresh agreement, which both sides must prove. A name
  /// that is unknown brings about nothing but a RESET.
  @Test func aFrameThatNamesAnUnknownSessionChangesNoSession() throws {
    var simulator = try Simulator(seed: 781)
    try simulator.pair(joiner: 0)
    let unknown = try #require(SessionID([UInt8](repeating: 9, count: 16)))
    let envelope = [UInt8](repeating: 1, count: 3_000)
    let frames: [LinkFrame] = [
      .reset(unknown), .envelope(unknown, envelope), .ack(unknown, try envelopeID(1)),
      .counters([SessionCounters(session: unknown, committed: .max, seen: .max)]),
    ]
    for end in 0...1 {
      for frame in frames {
        var machine = simulator.ends[end].machine
        let before = Fingerprint(machine)
        let outcome = try machine.receive(frame, at: simulator.now + 100)
        #expect(Fingerprint(machine) == before && outcome.delivered.isEmpty)
        #expect(outcome.frames.isEmpty || outcome.frames == [.reset(unknown)])
      }
    }
  }

  /// Whoever may hand in bytes forges INIT after INIT. The genuine one, over the link, is looked at all the same.
  @Test func forgedINITsThatAreHandedInTakeNothingFromTheLink() throws {
    let (a, b) = try Party.pair(seed: 784)
    var machine = b.machine(for: a.record)
    let bundle = try machine.pairingBundle(at: epoch).bundle
    _ = try machine.linkUp(at: epoch)
    var starter = a.machine(for: b.record)
    _ = try starter.start(with: bundle, at: epoch)
    let genuine = try #require(try starter.linkUp(at: epoch).frames.last)
    for number in UInt8(1)...50 {
      var forged = genuine.encoded
      forged[forged.count - 1] ^= number
      let outcome = try machine.receive(carried: forged, at: epoch)
      #expect(outcome.refusedInitiation == .refused && outcome.commit.isEmpty && outcome.frames.isEmpty)
    }
    #expect(try machine.receive(genuine, at: epoch).isStartOfPeer)
  }

  /// A header for a responder that has no receiving chain, for an initiator that has none, and for a side that has none to answer with.
  @Test func aHeaderForWhomHasNoReceivingChainIsRefused() throws {
    let (a, b) = try Party.pair(seed: 782)
    var machine = b.machine(for: a.record)
    let bundle = try machine.pairingBundle(at: epoch).bundle
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    // The responder's session is born with its first message: no header makes half of one.
    let honest = try Crafted(first: secrets, spk: bundle.spk, crypto: a.crypto)
    var late = honest
    late.previousCount = 1
    var far = honest
    far.number = UInt32(SkippedKeys.maximumGap) + 1
    var answering = honest
    answering.encapsulation = .answer(a.crypto.encapsulate768(honest.kem).ciphertext)
    let next = Crafted(honest, under: secrets.responderNextHeaderKey)
    for (index, crafted) in [late, far, answering, next].enumerated() {
      let envelope = try crafted.envelope(associatedData: secrets.associatedData, crypto: a.crypto)
      let outcome = try machine.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch)
      #expect(outcome.refusedInitiation == .refused && outcome.commit.isEmpty && machine.sessions.isEmpty, "\(index)")
    }
    let envelope = try honest.envelope(associatedData: secrets.associatedData, crypto: a.crypto)
    // Without its INIT it belongs to no session.
    var other = b.machine(for: a.record)
    #expect(try other.receive(.envelope(secrets.id, envelope), at: epoch).commit.isEmpty && other.sessions.isEmpty)
    #expect(
      try machine.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch + 100).refusedInitiation == nil)
    // The initiator without a receiving chain takes CONFIRM and nothing else; a side that has not spoken takes no second chain.
    for (index, (pair, honest, isAlices)) in try RatchetPair.beginnings(seed: 783).enumerated() {
      guard index > 0 else { continue }
      var wrong = honest
      wrong.previousCount = honest.previousCount + UInt32(SkippedKeys.maximumGap) + 1
      #expect(try pair.outcome(of: wrong, isAlices: isAlices) == nil)
      var taken = pair
      let sender = try isAlices ? taken.fromAlice("x") : taken.fromBob("x")
      if isAlices { try taken.toBob(sender) } else { try taken.toAlice(sender) }
      guard let bob = taken.bob else { throw SessionError(.internalFailure) }
      let second = try Crafted(beyond: isAlices ? taken.alice : bob, crypto: isAlices ? pair.a.crypto : pair.b.crypto)
      #expect(try taken.outcome(of: second, isAlices: isAlices) == nil, "a chain that answers nothing")
    }
  }
}

extension Crafted {
  /// The same chain under another header key.
  init(_ other: Crafted, under headerKey: SecretBox) {
    (point, agreed, kem, encapsulation) = (other.point, other.agreed, other.kem, other.encapsulation)
    (shared, previousCount, number, roots) = (other.shared, other.previousCount, other.number, other.roots)
    self.headerKey = headerKey
  }
}
