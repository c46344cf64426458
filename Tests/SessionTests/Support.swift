import Primitives
import Wire

@testable import Session

/// A time to start from; any other does as well.
let epoch: UInt64 = 1_800_000_000
let day: UInt64 = 86_400

/// What the tests' stores seal secrets under.
let stateKey = StateKey.random(.seeded(0x5EA1))

/// A node's own half: what outlives all its peers.
struct Party {
  let crypto: SessionCrypto
  let identity: Identity
  var prekeys: PrekeyRing

  init(seed: UInt64, at now: UInt64 = epoch) throws {
    try self.init(SessionCrypto(randomness: .seeded(seed)), at: now)
  }

  init(_ crypto: SessionCrypto, at now: UInt64 = epoch) throws {
    self.crypto = crypto
    identity = try Identity.generate(crypto)
    prekeys = PrekeyRing()
    _ = prekeys.refresh(at: now, crypto: crypto)
  }

  var id: NodeID { identity.id }
  var record: IdentityRecord { identity.record }

  /// Two parties, the first with the lower node id.
  static func pair(seed: UInt64) throws -> (lower: Party, higher: Party) {
    let one = try Party(seed: seed * 2 + 1)
    let other = try Party(seed: seed * 2 + 2)
    return one.id < other.id ? (one, other) : (other, one)
  }

  /// A bundle with one one-time pair for `peer`, and the pair.
  func bundle(
    for peer: NodeID, nonce: [UInt8] = Bundle.pushedNonce, pairs: Int = 1, at now: UInt64 = epoch
  ) throws -> (bundle: Bundle, pairs: [OneTimePair]) {
    let minted = (0..<pairs).map { _ in OneTimePair(id: crypto.randomID(), at: now, randomness: crypto.randomness) }
    let bundle = try Bundle.issue(
      by: identity, to: peer, nonce: nonce, prekeys: try prekeys.current(), pairs: minted, at: now, crypto: crypto)
    return (bundle, minted)
  }

  func machine(for peer: IdentityRecord) -> PeerMachine {
    PeerMachine(
      identity: identity, peer: peer, prekeys: prekeys, hello: Array(#"{"name":"x","type":"hello"}"#.utf8), crypto: crypto)
  }
}

/// One direction's and the other's ratchet after a key agreement, without the machines around them.
struct RatchetPair {
  var alice: Ratchet
  /// Nil until Alice's first message came.
  var bob: Ratchet?
  let ad: [UInt8]
  let a: Party
  let b: Party
  let secrets: SessionSecrets
  let now = epoch
  var sequence: UInt64 = 0

  init(seed: UInt64) throws {
    (a, b) = try Party.pair(seed: seed)
    let (bundle, pairs) = try b.bundle(for: a.id)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: now, crypto: a.crypto)
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    let answer = try KeyAgreement.respond(
      identity: b.identity, peer: a.record, head: head, prekeys: try b.prekeys.current(), pair: pairs[0])
    guard answer.id == secrets.id, answer.associatedData == secrets.associatedData else {
      throw SessionError(.internalFailure)
    }
    self.secrets = answer
    ad = secrets.associatedData
    alice = try Ratchet(
      initiating: secrets, spk: bundle.spk, confirmationPrekey: try a.prekeys.current().id, crypto: a.crypto)
  }

  mutating func fromAlice(_ text: String) throws -> [UInt8] {
    sequence += 1
    return try alice.seal(letter(text), associatedData: ad, crypto: a.crypto)
  }

  mutating func fromBob(_ text: String) throws -> [UInt8] {
    sequence += 1
    guard var ratchet = bob else { throw SessionError(.internalFailure) }
    defer { bob = ratchet }
    return try ratchet.seal(letter(text), associatedData: ad, crypto: b.crypto)
  }

  @discardableResult
  mutating func toBob(_ envelope: [UInt8], at time: UInt64? = nil) throws -> String {
    let parsed = try Envelope(parsing: envelope.span)
    var ratchet =
      try bob
      ?? Ratchet(
        responding: secrets, prekeys: b.prekeys.current(), confirmationKey: a.prekeys.current().kem.publicKey, first: parsed)
    let opened = try ratchet.open(parsed, associatedData: ad, prekeys: b.prekeys, at: time ?? now)
    bob = ratchet
    return String(decoding: opened.letter.payload, as: UTF8.self)
  }

  @discardableResult
  mutating func toAlice(_ envelope: [UInt8], at time: UInt64? = nil) throws -> String {
    let opened = try alice.open(
      try Envelope(parsing: envelope.span), associatedData: ad, prekeys: a.prekeys, at: time ?? now)
    return String(decoding: opened.letter.payload, as: UTF8.self)
  }

  /// Stores and reads both ratchets, as a restart does.
  mutating func restart() throws {
    alice = try Self.reread(alice)
    if let ratchet = bob { bob = try Self.reread(ratchet) }
  }

  private func letter(_ text: String) throws -> Letter {
    try Letter(sequence: sequence, seen: 0, payload: Array(text.utf8))
  }

  private static func reread(_ ratchet: Ratchet) throws -> Ratchet {
    var stored = SecretBuffer()
    ratchet.write(to: &stored)
    var reader = ByteReader(stored.span)
    let read = try Ratchet(from: &reader)
    try reader.finish()
    return read
  }
}

extension Ratchet {
  var storedBytes: [UInt8] {
    var stored = SecretBuffer()
    write(to: &stored)
    return [UInt8](copying: stored.span)
  }
}

extension Session {
  /// What is sealed for the store.
  var storedBytes: [UInt8] {
    var stored = SecretBuffer()
    write(to: &stored)
    return [UInt8](copying: stored.span)
  }

  /// Reads a sealed row.
  init(_ row: StoredSession, of peer: NodeID) throws {
    let opened = try SecretPlace.session(row.id, of: peer).open(row.bytes, with: stateKey)
    try self.init(stored: opened.span)
  }
}

/// A small generator for the choices a test makes.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// The name of an envelope that nobody has sealed.
func envelopeID(_ byte: UInt8) throws -> EnvelopeID {
  guard let id = EnvelopeID([UInt8](repeating: byte, count: EnvelopeID.byteCount)) else { throw SessionError(.internalFailure) }
  return id
}

func json(_ type: String, _ text: String) -> [UInt8] {
  JSONValue.object([.init("text", .string(text)), .init("type", .string(type))]).serialized()
}
