import Wire

@testable import Primitives
@testable import Session

/// The `init` cases of `pqxdh.json`.
enum InitVectors {
  /// Where INIT0 has its fields.
  private enum Place {
    static let suite = 1
    static let initiator = 3
    static let responder = 35
    static let ephemeral = 67
    static let spkID = 100
    static let pqspkID = 104
    static let pairID = 108
    static let ciphertext = 112
  }

  static func make(
    _ alice: Party, _ bob: Party, _ pair: RecordedPair, _ own: Bundle, _ recorder: Recorder
  ) throws -> [VectorCase] {
    let maker = Maker(alice: alice, bob: bob, pair: pair, recorder: recorder)
    let good = try maker.initiation(own: own)
    let plain = try maker.initiation(own: own, isUsingPair: false)
    let base = VectorCase("an INIT", "With a one-time pair.", op: "init").part("B", bob.vector.without("record"))
      .hex("peer record", alice.record.bytes).part("prekeys", bob.prekeyVector).parts("pairs", [pair.vector])
      .number("now", vectorTime)
    func bad(
      _ name: String, _ about: String, _ bytes: [UInt8], _ expected: FailureClass, newest: UInt64? = nil
    ) -> VectorCase {
      let base = base.renamed(name, about)
      return (newest.map { base.number("newest", $0) } ?? base).hex("init", bytes).expect(expected)
    }
    func patched(_ place: Int, _ bytes: [UInt8], in initiation: [UInt8]? = nil) -> [UInt8] {
      let initiation = initiation ?? good.bytes
      return initiation[..<place] + bytes + initiation[(place + bytes.count)...]
    }
    let other = try Party(seed: 103, recorder)
    let asked = try AgreementVectors.issue(alice, for: bob.id, nonce: [UInt8](1...16))
    let expired = try AgreementVectors.issue(alice, for: bob.id, at: vectorTime - 31 * 86_400)
    let week = try maker.initiation(own: try AgreementVectors.issue(alice, for: bob.id, at: vectorTime - 8 * 86_400))
    let foreign = try AgreementVectors.issue(alice, for: other.id)
    let stranger = try AgreementVectors.issue(other, for: bob.id)
    let head = Initiation.headBytes
    let zero = [UInt8](repeating: 0, count: 32)
    let short = Array(good.bytes[..<head]) + [0, 0, 0, 5] + good.bytes[(head + 4)..<(head + 9)]
    return [
      base.hex("init", good.bytes).hex("sid", good.sid).hex("payload", Maker.hello).expect(.ok),
      base.renamed("an INIT without a pair", "Against the signed prekeys alone.").hex("init", plain.bytes).hex("sid", plain.sid)
        .hex("payload", Maker.hello).expect(.ok),
      bad("an unknown version", "02.", patched(0, [2]), .malformed),
      bad("an unknown suite", "2.", patched(Place.suite, [0, 2]), .malformed),
      bad("EK typed as ML-KEM", "0A before it.", patched(Place.ephemeral, [0x0A]), .malformed),
      bad("SPK and PQSPK of different ids", "They have one.", patched(Place.pqspkID, [9, 9, 9, 9]), .malformed),
      bad("a byte behind the envelope", "Bytes left over.", good.bytes + [0], .malformed),
      bad("an INIT cut short", "The envelope is shorter than it says.", Array(good.bytes.dropLast()), .malformed),
      bad("INIT0 alone", "No envelope.", Array(good.bytes[..<head]), .malformed),
      bad(
        "a bundle of another length", "It says 5,080 bytes.", patched(head - Bundle.bareBytes - 4, [0, 0, 0x13, 0xD8]),
        .malformed),
      bad(
        "from another node", "The link is A's, the INIT says otherwise.", patched(Place.initiator, other.id.bytes), .identity),
      base.renamed("another node's INIT", "A's INIT, on a link to somebody else.").hex("peer record", other.record.bytes)
        .hex("init", good.bytes).expect(.identity),
      bad("for another node", "B is not its addressee.", patched(Place.responder, other.id.bytes), .identity),
      bad("unknown signed prekeys", "No generation has this id.", patched(Place.spkID, [9, 9, 9, 9, 9, 9, 9, 9]), .unknown),
      bad("an unknown pair", "No pair has this id.", patched(Place.pairID, [9, 9, 9, 9]), .unknown),
      base.renamed("a pair that was used", "B has deleted it.").parts("pairs", []).hex("init", good.bytes).expect(.unknown),
      bad("an expired bundle in it", "A's prekeys, 31 days old.", try maker.initiation(own: expired).bytes, .time),
      bad(
        "a bundle of long ago in it", "Eight days older than the newest that B knows of A.", week.bytes, .time,
        newest: vectorTime),
      base.renamed("a bundle of last week in it", "Seven days older than the newest that B knows of A, and not more.")
        .number("newest", vectorTime - 86_400).hex("init", week.bytes).hex("sid", week.sid).hex("payload", Maker.hello).expect(
          .ok),
      base.renamed(
        "a bundle of long ago in it, and a clock that was ahead", "B knows one from the future, which counts for nothing."
      )
      .number("newest", vectorTime + 3_601).hex("init", week.bytes).hex("sid", week.sid).hex("payload", Maker.hello).expect(
        .ok),
      bad(
        "a bundle for somebody else in it", "A's prekeys for another node.", try maker.initiation(own: foreign).bytes, .identity
      ),
      bad(
        "somebody else's bundle in it", "Another node's prekeys for B.", try maker.initiation(own: stranger).bytes, .identity),
      bad(
        "a bundle that answered a request in it", "Its nonce is not zero.", try maker.initiation(own: asked).bytes, .malformed),
      bad("a bundle with a bad signature in it", "The last byte of INIT0.", flipped(good.bytes, at: head - 1), .signature),
      bad("an EK of low order", "Zero.", patched(Place.ephemeral + 1, zero), .refused),
      bad("another EK", "A flipped bit.", flipped(good.bytes, at: Place.ephemeral + 9), .refused),
      bad(
        "a flipped bit of the ciphertext", "Decapsulation gives another secret.", flipped(good.bytes, at: Place.ciphertext),
        .refused),
      bad("the pair stripped off", "Pair id 0: other secrets.", patched(Place.pairID, [0, 0, 0, 0]), .refused),
      bad("a pair added", "An INIT made without one.", patched(Place.pairID, [0, 0, 0x12, 0x67], in: plain.bytes), .refused),
      bad("a flipped bit of the envelope", "Its last byte.", flipped(good.bytes, at: -1), .refused),
      bad("an envelope that is none", "Five bytes.", short, .refused),
    ]
  }

  /// Makes INITs of A's to B.
  private struct Maker {
    static let hello = Array(#"{"type":"hello","name":"laptop","addresses":[]}"#.utf8)
    let alice: Party
    let bob: Party
    let pair: RecordedPair
    let recorder: Recorder

    func initiation(own: Bundle, isUsingPair: Bool = true) throws -> (bytes: [UInt8], sid: [UInt8]) {
      let bundle = try Bundle.issue(
        by: bob.identity, to: alice.id, nonce: Bundle.pushedNonce, prekeys: bob.prekeys, pairs: isUsingPair ? [pair.pair] : [],
        at: vectorTime, crypto: bob.crypto)
      let crypto = recorder.crypto(seed: isUsingPair ? 301 : 302)
      let (head, secrets) = try KeyAgreement.initiate(
        identity: alice.identity, peer: bob.record, bundle: bundle, own: own, crypto: crypto)
      var ratchet = try Ratchet(
        initiating: secrets, spk: bundle.spk, confirmationPrekey: alice.prekeys.id, crypto: crypto)
      let envelope = try ratchet.seal(
        try Letter(sequence: 1, seen: 0, payload: Self.hello), associatedData: secrets.associatedData, crypto: crypto)
      return (Initiation(head: head, envelope: envelope).encoded, secrets.id.bytes)
    }
  }

  /// Gives an INIT to the machine that a node has for this peer.
  static func receive(_ vector: VectorCase) throws {
    let record = try vector.hex("peer record")
    let bytes = try vector.hex("init")
    let now = try vector.number("now")
    var machine = PeerMachine(
      identity: try Party.identity(vector, "B"), peer: try IdentityRecord(parsing: record.span),
      prekeys: try Party.ring(try Party.prekeySeeds(try vector.part("prekeys"))), hello: Maker.hello, crypto: .system)
    machine.pairs = try vector.parts("pairs").map { try RecordedPair($0).pair }
    if vector.has("newest") { machine.book.newestBundle = try vector.number("newest") }
    let initiation = try Initiation(parsing: bytes.span)
    try insist(initiation.encoded == bytes, "INIT is written otherwise than it was read")
    let outcome = try machine.receive(.initiation(initiation), at: now)
    for event in outcome.events {
      if case .refusedInitiation(let code) = event { throw SessionError(code) }
    }
    try insist(machine.sessions.count == 1, "no session, and no refusal")
    try vector.same("sid", machine.sessions[0].id.bytes)
    try vector.same("payload", machine.book.hello?.payload ?? [])
  }
}
