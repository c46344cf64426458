import Wire

@testable import Primitives
@testable import Session

/// `pqxdh.json`: key agreements, and INITs at whoever gets them.
enum AgreementVectors: VectorKind {
  static let file = "pqxdh"
  static let section = "7"
  static let about =
    "Key agreement. `agree`: all private keys of both sides, and everything that follows. `start`: A's side against a bundle that is genuine, and bad. `init`: an INIT as it comes to B, who holds `prekeys` and `pairs` and knows A as `peer record`."

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let alice = try Party(seed: 101, recorder)
    let bob = try Party(seed: 102, recorder)
    let pair = try RecordedPair(id: 4_711, bob.crypto)
    let own = try issue(alice, for: bob.id)
    return try [
      agree("with a one-time pair", "DH4, and the encapsulation is to PQOPK.", alice, bob, pair, own, recorder),
      agree("without a one-time pair", "No DH4, and the encapsulation is to PQSPK.", alice, bob, nil, own, recorder),
      agree("the other way round", "The second node starts.", bob, alice, nil, issue(bob, for: alice.id), recorder),
    ] + starts(alice, bob, pair, own, recorder) + InitVectors.make(alice, bob, pair, own, recorder)
  }

  /// Low-order points where A meets B's keys: each is signed by B.
  private static func starts(
    _ a: Party, _ b: Party, _ pair: RecordedPair, _ own: Bundle, _ recorder: Recorder
  ) throws -> [VectorCase] {
    let good = try Bundle.issue(
      by: b.identity, to: a.id, nonce: Bundle.pushedNonce, prekeys: b.prekeys, pairs: [pair.pair], at: vectorTime,
      crypto: b.crypto
    ).bytes
    let base = VectorCase("a start", "As in `agree`, with this bundle.", op: "start").part("A", a.vector.without("record"))
      .hex("peer record", b.record.bytes).hex("bundle", good).hex("A's bundle", own.bytes)
      .hex("EK private", [UInt8](1...32)).hex("ct", [UInt8](repeating: 1, count: MLKEM1024.ciphertextBytes))
      .hex("SS", [UInt8](2...33))
    let points: [(String, [UInt8])] = [
      ("zero", [UInt8](repeating: 0, count: 32)), ("one", [1] + [UInt8](repeating: 0, count: 31)),
      (
        "a point of order eight",
        [
          0xE0, 0xEB, 0x7A, 0x7C, 0x3B, 0x41, 0xB8, 0xAE, 0x16, 0x56, 0xE3, 0xFA, 0xF1, 0x9F, 0xC4, 0x6A, 0xDA, 0x09, 0x8D,
          0xEB,
          0x9C, 0x32, 0xB1, 0xFD, 0x86, 0x62, 0x05, 0x16, 0x5F, 0x49, 0xB8, 0x00,
        ]
      ),
    ]
    func signed(_ name: String, _ about: String, _ place: Int, _ point: [UInt8]) throws -> VectorCase {
      let body = good[..<place] + point + good[(place + 32)..<(good.count - SignatureKind.signatureBytes)]
      let signature = try b.identity.sign(kind: .bundle, body: Array(body), crypto: b.crypto)
      return base.renamed(name, about).hex("bundle", body + signature).expect(.refused)
    }
    // SPK's 32 bytes begin at 101, OPK's at 1,713.
    let spk = try points.map { try signed("an SPK of low order: \($0.0)", "DH1 and DH3 are zero.", 101, $0.1) }
    let opk = try points.map { try signed("an OPK of low order: \($0.0)", "DH4 is zero.", 1_713, $0.1) }
    return [try started(base)] + spk + opk
  }

  private static func started(_ vector: VectorCase) throws -> VectorCase {
    let (head, secrets) = try start(vector)
    return vector.hex("INIT0", head.bytes).hex("sid", secrets.id.bytes).expect(.ok)
  }

  private static func start(_ vector: VectorCase) throws -> (head: Initiation.Head, secrets: SessionSecrets) {
    let a = try Party.identity(vector, "A")
    let (record, bundleBytes, own) = (try vector.hex("peer record"), try vector.hex("bundle"), try vector.hex("A's bundle"))
    let b = try IdentityRecord(parsing: record.span)
    let bundle = try Bundle(parsing: bundleBytes.span)
    try bundle.verify(owner: b, addressee: a.id, at: vectorTime)
    return try KeyAgreement.initiate(
      identity: a, peer: b, bundle: bundle, own: try Bundle(parsing: own.span),
      crypto: SessionCrypto(
        tape: Tape([try vector.hex("EK private")]), ct1024: try vector.hex("ct"), ss1024: try vector.hex("SS")))
  }

  /// A bundle as INIT carries it.
  static func issue(
    _ owner: Party, for addressee: NodeID, at now: UInt64 = vectorTime, nonce: [UInt8] = Bundle.pushedNonce
  ) throws -> Bundle {
    try Bundle.issue(
      by: owner.identity, to: addressee, nonce: nonce, prekeys: owner.prekeys, pairs: [], at: now,
      crypto: owner.crypto)
  }

  private static func agree(
    _ name: String, _ about: String, _ a: Party, _ b: Party, _ pair: RecordedPair?, _ own: Bundle, _ recorder: Recorder
  ) throws -> VectorCase {
    let bundle = try Bundle.issue(
      by: b.identity, to: a.id, nonce: Bundle.pushedNonce, prekeys: b.prekeys, pairs: pair.map { [$0.pair] } ?? [],
      at: vectorTime, crypto: b.crypto)
    let result = recorder.encapsulate(pair?.pair.kem.publicKey ?? b.prekeys.kem.publicKey)
    var inputs = VectorCase(name, about, op: "agree").part("A", a.vector).part("B", b.vector)
      .part("B's prekeys", b.prekeyVector)
    if let pair { inputs = inputs.part("B's pair", pair.vector) }
    inputs = inputs.hex("B's bundle", bundle.bytes).hex("A's bundle", own.bytes)
      .hex("EK private", a.crypto.randomness.bytes(32)).hex("ct", result.ciphertext).hex("SS", result.sharedSecret.copyBytes())
    return try outputs(of: inputs).reduce(inputs) { $0.hex($1.0, $1.1) }.expect(.ok)
  }

  /// What follows from the private keys: the steps between from primitives, the results from the code under test on both
  /// sides.
  private static func outputs(of vector: VectorCase) throws -> [(String, [UInt8])] {
    let (a, b) = (try Party.identity(vector, "A"), try Party.identity(vector, "B"))
    let prekeys = try Party.ring(try Party.prekeySeeds(try vector.part("B's prekeys"))).current()
    let pair = vector.has("B's pair") ? try RecordedPair(try vector.part("B's pair")).pair : nil
    let (bundleBytes, ownBytes) = (try vector.hex("B's bundle"), try vector.hex("A's bundle"))
    let bundle = try Bundle(parsing: bundleBytes.span)
    try bundle.verify(owner: b.record, addressee: a.id, at: vectorTime)
    let tape = Tape([try vector.hex("EK private")])
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a, peer: b.record, bundle: bundle, own: try Bundle(parsing: ownBytes.span),
      crypto: SessionCrypto(tape: tape, ct1024: try vector.hex("ct"), ss1024: try vector.hex("SS")))
    try tape.finish()
    let answer = try KeyAgreement.respond(identity: b, peer: a.record, head: head, prekeys: prekeys, pair: pair)
    try insist(material(answer) == material(secrets), "the sides do not agree")

    let ek = try X25519.PrivateKey(SecretBytes(copying: try vector.hex("EK private")))
    var shared = [
      try X25519.agree(a.agreement.agree, prekeys.ec.publicKey).copyBytes(),
      try X25519.agree(ek, b.record.agreeKey).copyBytes(), try X25519.agree(ek, prekeys.ec.publicKey).copyBytes(),
    ]
    if let pair { shared.append(try X25519.agree(ek, pair.ec.publicKey).copyBytes()) }
    let input = [UInt8](repeating: 0xFF, count: 32) + shared.flatMap { $0 } + (try vector.hex("SS"))
    let zero = [UInt8](repeating: 0, count: 32)
    let prk = HKDF.extract(salt: zero.span, ikm: input.span)
    var expanded = HKDF.expand(prk: prk, info: Array("PawlSession1_CURVE25519_SHA-256_ML-KEM-1024".utf8), count: 32)
    let sk = expanded.takeBytes(32)
    let transcript = Array(secrets.associatedData[74..<106])
    var roots = HKDF.derive(
      salt: transcript, ikm: SecretBytes(copying: sk), info: Array("pawl/1 session roots".utf8), count: 160)
    try insist(roots.takeBytes(128) == Array(material(secrets)[..<128]), "SK and TH do not lead to the roots")
    let named = shared.enumerated().map { ("DH\($0 + 1)", $1) }
    return named + [
      ("SK", sk), ("INIT0", head.bytes), ("TH", transcript), ("RKe", secrets.roots.ec.bytes.copyBytes()),
      ("RKp", secrets.roots.pq.bytes.copyBytes()), ("HK_A", secrets.initiatorHeaderKey.bytes.copyBytes()),
      ("NHK_B", secrets.responderNextHeaderKey.bytes.copyBytes()), ("sid", secrets.id.bytes), ("AD", secrets.associatedData),
    ]
  }

  private static func material(_ secrets: SessionSecrets) -> [UInt8] {
    secrets.roots.ec.bytes.copyBytes() + secrets.roots.pq.bytes.copyBytes() + secrets.initiatorHeaderKey.bytes.copyBytes()
      + secrets.responderNextHeaderKey.bytes.copyBytes() + secrets.id.bytes + secrets.associatedData
  }

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "agree":
      for (key, bytes) in try outputs(of: vector) { try vector.same(key, bytes) }
      let head = try vector.hex("INIT0")
      var reader = ByteReader(head.span)
      let read = try Initiation.Head(from: &reader)
      try reader.finish()
      try insist(read.bytes == head, "INIT0 is written otherwise than it was read")
    case "start":
      let (head, secrets) = try start(vector)
      try vector.same("INIT0", head.bytes)
      try vector.same("sid", secrets.id.bytes)
    case "init": try InitVectors.receive(vector)
    default: throw try unknownOperation(vector)
    }
  }
}
