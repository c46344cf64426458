import Wire

@testable import Primitives
@testable import Session

/// Two ratchets after a key agreement that talk, lose and reorder, and all that it takes to do it again.
struct Conversation {
  enum Side: String {
    case a = "A"
    case b = "B"
  }

  let recorder: Recorder
  let crypto: SessionCrypto
  private(set) var steps: [VectorCase] = []
  /// What was sealed, in order.
  private(set) var envelopes: [[UInt8]] = []
  var alice: Ratchet
  var bob: Ratchet?
  var now = vectorTime
  private let start: VectorCase
  private let keys: ConversationKeys
  private var sequences: [Side: UInt64] = [.a: 0, .b: 0]

  init(seed: UInt64, _ recorder: Recorder) throws {
    self.recorder = recorder
    crypto = recorder.crypto(seed: seed)
    let random = crypto.randomness
    start = VectorCase().hex("RKe", random.bytes(32)).hex("RKp", random.bytes(32)).hex("HK_A", random.bytes(32))
      .hex("NHK_B", random.bytes(32)).hex("sid", random.bytes(16)).hex("AD", Array("pawl/1 env".utf8) + random.bytes(112))
      .part("A's prekeys", Self.prekeys(1, random)).part("B's prekeys", Self.prekeys(2, random))
      .hex("A's first dh private", random.bytes(32)).hex("A's first kem seed", random.bytes(64))
    keys = try ConversationKeys(start)
    alice = try keys.alice()
  }

  private static func prekeys(_ id: UInt32, _ random: Randomness) -> VectorCase {
    VectorCase().number("id", id).hex("ec private", random.bytes(32)).hex("kem seed", random.bytes(64))
  }

  /// The case; its class is that of the last step.
  func vector(_ name: String, _ about: String) throws -> VectorCase {
    let expected = FailureClass(rawValue: try steps.last?.text("expect") ?? "ok") ?? .ok
    return VectorCase(name, about, op: "conversation").part("start", start).parts("steps", steps).expect(expected)
  }

  var associatedData: [UInt8] { keys.secrets.associatedData }

  func prekeys(_ side: Side) -> PrekeyRing { side == .a ? keys.a : keys.b }

  /// A's ratchet as it was in the beginning.
  func startingRatchet() throws -> Ratchet { try keys.alice() }

  /// Seals a message and gives its place among the envelopes.
  ///
  /// - Parameter isKnown: whether the other side has acknowledged an envelope of the chain.
  @discardableResult
  mutating func seal(_ side: Side, isKnown: Bool = false) throws -> Int {
    sequences[side, default: 0] += 1
    let number = sequences[side, default: 0]
    let payload = Array(#"{"type":"note","from":"\#(side.rawValue)","n":\#(number)}"#.utf8)
    let letter = try Letter(sequence: number, seen: 0, payload: payload)
    let log = SealLog(crypto)
    let data = associatedData
    let envelope = try with(side) { ratchet in
      ratchet.setNewestChain(isKnown: isKnown)
      return try ratchet.seal(letter, associatedData: data, crypto: log.crypto)
    }
    envelopes.append(envelope)
    var step = VectorCase().text("do", "seal").text("by", side.rawValue).number("seq", number).number("seen", 0)
      .hex("payload", payload)
    if isKnown { step = step.flag("known", true) }
    steps.append(log.noted(in: step).hex("envelope", envelope).expect(.ok))
    return envelopes.count - 1
  }

  /// Seals a message by a ratchet that was tampered with: no step of the case, for nobody else can make it again.
  mutating func forge(_ side: Side) throws -> [UInt8] {
    let (data, crypto) = (associatedData, crypto)
    let letter = try Letter(sequence: 99, seen: 0, payload: Array("{}".utf8))
    return try with(side) { try $0.seal(letter, associatedData: data, crypto: crypto) }
  }

  /// Seals messages that nobody gets.
  mutating func lose(_ side: Side, _ count: Int) throws {
    let (data, crypto) = (associatedData, crypto)
    for _ in 0..<count {
      sequences[side, default: 0] += 1
      let letter = try Letter(sequence: sequences[side, default: 0], seen: 0, payload: [])
      _ = try with(side) { try $0.seal(letter, associatedData: data, crypto: crypto) }
    }
    steps.append(VectorCase().text("do", "lose").text("by", side.rawValue).number("count", count).expect(.ok))
  }

  /// The other side opens an envelope.
  mutating func open(_ index: Int) throws { try open(by: side(of: index), envelopes[index]) }

  mutating func open(by side: Side, _ bytes: [UInt8]) throws {
    let opened = try ConversationKeys.open(bytes, by: side, alice: &alice, bob: &bob, keys, at: now)
    steps.append(
      step(side, bytes).number("seq", opened.letter.sequence).number("seen", opened.letter.seen)
        .hex("payload", opened.letter.payload).flag("began", opened.beganChain).expect(.ok))
  }

  /// The other side refuses an envelope. That it does is the check's to find out.
  mutating func refuse(_ index: Int) throws { try refuse(by: side(of: index), envelopes[index]) }

  mutating func refuse(by side: Side, _ bytes: [UInt8]) throws { steps.append(step(side, bytes).expect(.refused)) }

  /// The other side refuses an envelope because of the way by which it comes.
  mutating func refuse(_ index: Int, byWayOf way: String) throws {
    steps.append(step(try side(of: index), envelopes[index]).text("by way of", way).expect(.refused))
  }

  private func step(_ side: Side, _ bytes: [UInt8]) -> VectorCase {
    let step = VectorCase().text("do", "open").text("by", side.rawValue).number("now", now)
    guard let index = envelopes.firstIndex(of: bytes) else { return step.hex("envelope", bytes) }
    return step.number("sealed", index)
  }

  /// Who opens an envelope: the one who did not seal it.
  private func side(of index: Int) throws -> Side {
    let sealed = try steps.filter { try $0.text("do") == "seal" }
    return try sealed[index].text("by") == "A" ? .b : .a
  }

  /// Works on one side's ratchet.
  mutating func with<R>(_ side: Side, _ body: (inout Ratchet) throws -> R) throws -> R {
    switch side {
    case .a: return try body(&alice)
    case .b:
      guard var ratchet = bob else { throw Mismatch(description: "B has no ratchet yet") }
      defer { bob = ratchet }
      return try body(&ratchet)
    }
  }
}

extension Ratchet {
  /// Whether the other side has acknowledged an envelope of our newest chain.
  mutating func setNewestChain(isKnown: Bool) {
    guard case .chain(var chain) = sending else { return }
    chain.isKnown = isKnown
    sending = .chain(chain)
  }
}

/// What both sides start with.
struct ConversationKeys {
  let secrets: SessionSecrets
  let a: PrekeyRing
  let b: PrekeyRing
  private let first: [[UInt8]]

  init(_ start: VectorCase) throws {
    func secret(_ key: String) throws -> SecretBox { SecretBox(SecretBytes(copying: try start.hex(key))) }
    guard let id = SessionID(try start.hex("sid")) else { throw Mismatch(description: "a sid has 16 bytes") }
    secrets = SessionSecrets(
      roots: RootKeys(ec: try secret("RKe"), pq: try secret("RKp")), initiatorHeaderKey: try secret("HK_A"),
      responderNextHeaderKey: try secret("NHK_B"), id: id, associatedData: try start.hex("AD"))
    a = try Party.ring(try Party.prekeySeeds(try start.part("A's prekeys")))
    b = try Party.ring(try Party.prekeySeeds(try start.part("B's prekeys")))
    first = [try start.hex("A's first dh private"), try start.hex("A's first kem seed")]
  }

  func alice() throws -> Ratchet {
    try Ratchet(
      initiating: secrets, spk: try b.current().ec.publicKey, confirmationPrekey: try a.current().id,
      crypto: SessionCrypto(tape: Tape(first)))
  }

  /// Opens an envelope at one side; at B the first one makes the ratchet. Throwing means that nothing has changed.
  static func open(
    _ bytes: [UInt8], by side: Conversation.Side, alice: inout Ratchet, bob: inout Ratchet?, _ keys: ConversationKeys,
    at now: UInt64, isOnLink: Bool = true
  ) throws -> Ratchet.Opened {
    guard let envelope = try? Envelope(parsing: bytes.span) else { throw Refusal(failure: .refused) }
    let data = keys.secrets.associatedData
    guard side == .b else {
      return try alice.open(envelope, associatedData: data, prekeys: keys.a, at: now, mayBeShort: isOnLink)
    }
    var ratchet: Ratchet
    if let bob {
      ratchet = bob
    } else {
      ratchet = try Ratchet(
        responding: keys.secrets, prekeys: try keys.b.current(), confirmationKey: try keys.a.current().kem.publicKey,
        first: envelope)
    }
    let opened = try ratchet.open(envelope, associatedData: data, prekeys: keys.b, at: now, mayBeShort: isOnLink)
    bob = ratchet
    return opened
  }
}

/// Notes what one sealing draws.
private final class SealLog: Sendable {
  private let drawn = Locked<[(String, [UInt8])]>([])
  private let base: SessionCrypto

  init(_ base: SessionCrypto) { self.base = base }

  var crypto: SessionCrypto {
    let base = base
    return SessionCrypto(
      randomness: Randomness { [self] count in
        let bytes = base.randomness.bytes(count)
        note([16: "salt", 32: "dh private", 64: "kem seed"][count] ?? "other", bytes)
        return bytes
      },
      encapsulate768: { [self] key in
        let result = base.encapsulate768(key)
        note("ct768", result.ciphertext)
        note("ss768", result.sharedSecret.copyBytes())
        return MLKEMEncapsulation(sharedSecret: result.sharedSecret.clone(), ciphertext: result.ciphertext)
      },
      encapsulate1024: { [self] key in
        let result = base.encapsulate1024(key)
        note("ct1024", result.ciphertext)
        note("ss1024", result.sharedSecret.copyBytes())
        return MLKEMEncapsulation(sharedSecret: result.sharedSecret.clone(), ciphertext: result.ciphertext)
      },
      sign: base.sign)
  }

  private func note(_ name: String, _ bytes: [UInt8]) { drawn.withLock { $0.append((name, bytes)) } }

  func noted(in step: VectorCase) -> VectorCase { drawn.withLock { $0.reduce(step) { $0.hex($1.0, $1.1) } } }
}
