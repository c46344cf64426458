import Wire

@testable import Primitives
@testable import Session

/// A time at which the cases happen; any other does as well.
let vectorTime: UInt64 = 1_800_000_000

/// A node of the vectors, made from seeds that are written down.
struct Party {
  let crypto: SessionCrypto
  let identity: Identity
  /// Ed25519, ML-DSA-65, link key, agreement key: 32 bytes each.
  let seeds: [[UInt8]]
  /// Id (4 bytes), SPK 32, PQSPK 64.
  let prekeySeeds: [[UInt8]]
  let prekeys: SignedPrekeys
  let ring: PrekeyRing

  init(seed: UInt64, _ recorder: Recorder) throws {
    let crypto = recorder.crypto(seed: seed)
    let seeds = (0..<4).map { _ in crypto.randomness.bytes(32) }
    let prekeySeeds = [
      [0x10, 0, 0, UInt8(truncatingIfNeeded: seed)], crypto.randomness.bytes(32), crypto.randomness.bytes(64),
    ]
    identity = try Party.identity(seeds) { recorder.sign($0, $1) }
    ring = try Party.ring(prekeySeeds)
    prekeys = try ring.current()
    (self.crypto, self.seeds, self.prekeySeeds) = (crypto, seeds, prekeySeeds)
  }

  var id: NodeID { identity.id }
  var record: IdentityRecord { identity.record }

  /// The node of four seeds; `sign` gives the ML-DSA-65 half of the record's signature.
  static func identity(
    _ seeds: [[UInt8]], sign: @escaping @Sendable (borrowing MLDSA65.PrivateKey, [UInt8]) -> [UInt8]
  ) throws -> Identity {
    try Identity.generate(
      SessionCrypto(
        randomness: Tape(seeds).randomness, encapsulate768: { $0.encapsulate() }, encapsulate1024: { $0.encapsulate() },
        sign: { (key, message) throws(CryptoError) in sign(key, message) }))
  }

  /// A ring with one generation, of an id and two seeds.
  static func ring(_ seeds: [[UInt8]], at now: UInt64 = vectorTime) throws -> PrekeyRing {
    var ring = PrekeyRing()
    _ = ring.refresh(at: now, crypto: SessionCrypto(randomness: Tape(seeds).randomness))
    return ring
  }

  /// The node of a case: four seeds, and the record they made, if its signature matters.
  static func identity(_ vector: VectorCase, _ key: String) throws -> Identity {
    let part = try vector.part(key)
    let seeds = try ["ed25519 seed", "ml-dsa-65 seed", "link private", "agreement private"].map { try part.hex($0) }
    guard part.has("record") else { return try identity(seeds) { $0.sign($1) } }
    let signature = Array(try part.hex("record").suffix(SignatureKind.mldsaBytes))
    return try identity(seeds) { _, _ in signature }
  }

  /// What ``identity(_:_:)`` reads.
  var vector: VectorCase {
    VectorCase().hex("ed25519 seed", seeds[0]).hex("ml-dsa-65 seed", seeds[1]).hex("link private", seeds[2])
      .hex("agreement private", seeds[3]).hex("record", record.bytes)
  }

  /// Its signed prekeys.
  var prekeyVector: VectorCase {
    VectorCase().number("id", prekeys.id).hex("ec private", prekeySeeds[1]).hex("kem seed", prekeySeeds[2])
  }

  static func prekeySeeds(_ part: VectorCase) throws -> [[UInt8]] {
    let id = UInt32(try part.number("id"))
    return [
      (0..<4).map { UInt8(truncatingIfNeeded: id >> (24 - 8 * $0)) }, try part.hex("ec private"), try part.hex("kem seed"),
    ]
  }
}

/// A one-time pair with its seeds.
struct RecordedPair {
  let pair: OneTimePair
  let vector: VectorCase

  /// A pair of its id and two seeds.
  init(_ vector: VectorCase) throws {
    self.vector = vector
    pair = OneTimePair(
      id: UInt32(try vector.number("id")), at: vectorTime,
      randomness: Tape([try vector.hex("ec private"), try vector.hex("kem seed")]).randomness)
  }

  init(id: UInt32, _ crypto: SessionCrypto) throws {
    try self.init(
      VectorCase().number("id", id).hex("ec private", crypto.randomness.bytes(32)).hex("kem seed", crypto.randomness.bytes(64)))
  }
}

extension SessionCrypto {
  /// Operations whose results were all written down.
  init(tape: Tape, ct768: [UInt8] = [], ss768: [UInt8] = [0], ct1024: [UInt8] = [], ss1024: [UInt8] = [0]) {
    self.init(
      randomness: tape.randomness,
      encapsulate768: { _ in MLKEMEncapsulation(sharedSecret: SecretBytes(copying: ss768), ciphertext: ct768) },
      encapsulate1024: { _ in MLKEMEncapsulation(sharedSecret: SecretBytes(copying: ss1024), ciphertext: ct1024) },
      sign: { (key, message) throws(CryptoError) in key.sign(message) })
  }
}
