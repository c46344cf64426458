import Primitives
import Wire

@testable import Session

/// `bundle.json`: signed prekeys.
enum BundleVectors: VectorKind {
  static let file = "bundle"
  static let section = "6"
  static let about =
    "Bundles. `issue`: private halves to bundle. `take`: a bundle as it comes, held against its owner's record, the addressee and the time `now`."

  private static let nonce = [UInt8](1...16)

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let alice = try Party(seed: 101, recorder)
    let bob = try Party(seed: 102, recorder)
    let pairs = try (1...3).map { try RecordedPair(id: UInt32($0 * 1_000), bob.crypto) }
    var cases: [VectorCase] = []
    for (count, nonce) in [(0, Bundle.pushedNonce), (1, nonce), (3, Bundle.pushedNonce)] {
      let chosen = Array(pairs.prefix(count))
      let bundle = try issue(bob, alice, nonce, chosen)
      cases.append(
        VectorCase("a bundle with \(count) pairs", "Made, and taken by its addressee.", op: "issue").part("owner", bob.vector)
          .hex("addressee", alice.id.bytes).hex("nonce", nonce).number("issued", bundle.issued).number(
            "expires", bundle.expires
          )
          .part("prekeys", bob.prekeyVector).parts("pairs", chosen.map(\.vector)).hex("bundle", bundle.bytes).expect(.ok))
    }
    return try cases + taken(bob, alice, try issue(bob, alice, nonce, Array(pairs.prefix(1))))
  }

  private static func issue(_ owner: Party, _ addressee: Party, _ nonce: [UInt8], _ pairs: [RecordedPair]) throws -> Bundle {
    try Bundle.issue(
      by: owner.identity, to: addressee.id, nonce: nonce, prekeys: owner.prekeys, pairs: pairs.map(\.pair), at: vectorTime,
      crypto: owner.crypto)
  }

  private static func taken(_ bob: Party, _ alice: Party, _ bundle: Bundle) throws -> [VectorCase] {
    let bytes = bundle.bytes
    let good = VectorCase("a bundle is taken", "The second of those above, at the second it was made.", op: "take")
      .hex("owner record", bob.record.bytes).hex("addressee", alice.id.bytes).number("now", vectorTime).hex("bundle", bytes)
    func at(_ name: String, _ about: String, _ now: UInt64, _ expected: FailureClass) -> VectorCase {
      good.renamed(name, about).number("now", now).expect(expected)
    }
    func bad(_ name: String, _ about: String, _ bytes: [UInt8], _ expected: FailureClass) -> VectorCase {
      good.renamed(name, about).hex("bundle", bytes).expect(expected)
    }
    func signed(_ name: String, _ about: String, _ expected: FailureClass, _ change: (inout [UInt8]) -> Void) throws
      -> VectorCase
    {
      var body = Array(bytes.dropLast(SignatureKind.signatureBytes))
      change(&body)
      let signature = try bob.identity.sign(kind: .bundle, body: body, crypto: bob.crypto)
      return bad(name, about, body + signature, expected)
    }
    func put(_ value: UInt64, _ body: inout [UInt8], at index: Int, bytes count: Int = 8) {
      for offset in 0..<count { body[index + offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - offset))) }
    }
    // owner 0, addressee 32, nonce 64, issued 80, expires 88, SPK id 96, SPK 100, PQSPK id 133, PQSPK 137, n 1706, pair 1708.
    let (hour, end) = (UInt64(3_600), bundle.expires)
    return try [
      good.expect(.ok),
      at("an hour early", "The owner's clock may be an hour ahead.", vectorTime - hour, .ok),
      at("more than an hour early", "By a second.", vectorTime - hour - 1, .time),
      at("within an hour of its end", "The last second.", end + hour - 1, .ok),
      at("an hour after its end", "A second later.", end + hour, .time),
      good.renamed("another owner's bundle", "It is held against another node's record.").hex(
        "owner record", alice.record.bytes
      ).expect(.identity),
      good.renamed("a bundle for another node", "We are not its addressee.").hex("addressee", bob.id.bytes).expect(.identity),
      bad(
        "a bundle with a bad Ed25519 signature", "The ML-DSA-65 half is right.", flipped(bytes, at: bytes.count - 3_373),
        .signature),
      bad("a bundle with a bad ML-DSA-65 signature", "The Ed25519 half is right.", flipped(bytes, at: -1), .signature),
      bad("another signed prekey", "The signatures do not cover it.", flipped(bytes, at: 110), .signature),
      bad("another one-time prekey", "The signatures do not cover it.", flipped(bytes, at: 1_720), .signature),
      bad("a bundle with a byte more", "Bytes left over.", bytes + [0], .malformed),
      bad("a bundle cut short", "A byte is missing.", Array(bytes.dropLast()), .malformed),
      signed("a life of more than 30 days", "30 days and a second, signed.", .malformed) {
        put(vectorTime + 30 * 86_400 + 1, &$0, at: 88)
      },
      signed("an end before its beginning", "Signed.", .malformed) { put(vectorTime - 1, &$0, at: 88) },
      signed("a bundle whose ids differ", "SPK and PQSPK have one id. Signed.", .malformed) { put(7, &$0, at: 133, bytes: 4) },
      signed("an X25519 key typed as ML-KEM", "0A before SPK. Signed.", .malformed) { $0[100] = 0x0A },
      signed("an ML-KEM key typed as X25519", "05 before PQSPK. Signed.", .malformed) { $0[137] = 0x05 },
      signed("a PQSPK that is not reduced", "Its first coefficient is 3,329. Signed.", .malformed) {
        ($0[138], $0[139]) = (0x01, $0[139] & 0xF0 | 0x0D)
      },
      signed("a PQOPK that is not reduced", "Its second coefficient is 3,329. Signed.", .malformed) {
        ($0[1_747], $0[1_748]) = ($0[1_747] & 0x0F | 0x10, 0xD0)
      },
      signed("a pair without an id", "0. Signed.", .malformed) { put(0, &$0, at: 1_708, bytes: 4) },
      signed("two pairs of one id", "Signed.", .malformed) {
        put(2, &$0, at: 1_706, bytes: 2)
        $0 += $0[1_708...]
      },
      bad(
        "seventeen pairs", "n is 17, and seventeen follow. Its form is judged before its signature.", seventeen(bytes),
        .malformed),
    ]
  }

  private static func seventeen(_ bundle: [UInt8]) -> [UInt8] {
    let split = bundle.count - SignatureKind.signatureBytes
    let pair = Array(bundle[1_712..<split])
    let pairs: [UInt8] = (1...17).flatMap { id -> [UInt8] in [0, 0, 0, UInt8(id)] + pair }
    return bundle[..<1_706] + [0, 17] + pairs + bundle[split...]
  }

  static func check(_ vector: VectorCase) throws {
    let bytes = try vector.hex("bundle")
    guard let addressee = NodeID(try vector.hex("addressee")) else { throw Mismatch(description: "a node id has 32 bytes") }
    let bundle = try Bundle(parsing: bytes.span)
    switch try vector.text("op") {
    case "issue":
      let owner = try Party.identity(vector, "owner")
      try bundle.verify(owner: owner.record, addressee: addressee, at: try vector.number("issued"))
      try vector.same("nonce", bundle.nonce)
      try vector.same("expires", bundle.expires)
      let ring = try Party.ring(try Party.prekeySeeds(try vector.part("prekeys")), at: bundle.issued)
      let pairs = try vector.parts("pairs").map { try RecordedPair($0).pair }
      try insist(bundle.pairs == pairs.map(\.publicPair), "other pairs")
      let made = try Bundle.issue(
        by: owner, to: addressee, nonce: bundle.nonce, prekeys: try ring.current(), pairs: pairs, at: bundle.issued,
        crypto: .system)
      let body = bytes.count - SignatureKind.mldsaBytes
      try insist(made.bytes.prefix(body) == bytes.prefix(body), "another body, or another Ed25519 signature")
      try made.verify(owner: owner.record, addressee: addressee, at: bundle.issued)
    case "take":
      let record = try vector.hex("owner record")
      try bundle.verify(owner: try IdentityRecord(parsing: record.span), addressee: addressee, at: try vector.number("now"))
    default: throw try unknownOperation(vector)
    }
  }
}
