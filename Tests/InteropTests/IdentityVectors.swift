import Primitives
import Wire

@testable import Session

/// `identity.json`: records, node ids, signatures, safety numbers.
enum IdentityVectors: VectorKind {
  static let file = "identity"
  static let section = "2"
  static let about =
    "Identities. `identity`: seeds to record. `record`: a record as a peer sends it. `sign` and `verify`: Sig(kind, body). `safety`: the sixty digits."

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let alice = try Party(seed: 101, recorder)
    let bob = try Party(seed: 102, recorder)
    var cases = [
      identity("a node", "Four seeds and what follows from them. Of the signature, the ML-DSA-65 half is recorded.", alice),
      identity("another node", "As above.", bob),
      record("a record", "Its node id, and that it is genuine.", alice.record.bytes).hex("node id", alice.id.bytes).expect(.ok),
    ]
    cases += try badRecords(alice, bob)
    cases += try signatures(alice, bob)
    cases += safetyNumbers(alice, bob)
    return cases
  }

  private static func identity(_ name: String, _ about: String, _ party: Party) -> VectorCase {
    let record = party.record
    return VectorCase(name, about, op: "identity").joining(party.vector).hex("ed25519 public", record.ed25519Key.bytes)
      .hex("ml-dsa-65 public", record.mldsaKey.bytes).hex("link public", record.linkKey.bytes)
      .hex("agreement public", record.agreeKey.bytes).hex("node id", record.id.bytes).expect(.ok)
  }

  private static func record(_ name: String, _ about: String, _ bytes: [UInt8]) -> VectorCase {
    VectorCase(name, about, op: "record").hex("record", bytes)
  }

  private static func badRecords(_ party: Party, _ other: Party) throws -> [VectorCase] {
    let good = party.record.bytes
    let split = IdentityRecord.bodyBytes
    let (body, signature) = (Array(good[..<split]), Array(good[split...]))
    func bad(_ name: String, _ about: String, _ bytes: [UInt8], _ expected: FailureClass) -> VectorCase {
      record(name, about, bytes).expect(expected)
    }
    func replacing(_ range: Range<Int>, _ bytes: [UInt8]) -> [UInt8] {
      good[..<range.lowerBound] + bytes + good[range.upperBound...]
    }
    // The other node's signature over this body: right form, wrong keys.
    let foreign = try other.identity.sign(kind: .identity, body: body, crypto: other.crypto)
    let asBundle = try party.identity.sign(kind: .bundle, body: body, crypto: party.crypto)
    return [
      bad("a record cut short", "One byte is missing.", Array(good.dropLast()), .malformed),
      bad("a record with a byte more", "Bytes left over.", good + [0], .malformed),
      bad("a record without its label", "It begins with other text.", replacing(0..<6, Array("pawl/2".utf8)), .malformed),
      bad(
        "an Ed25519 key of small order", "The neutral element.", replacing(15..<47, [1] + [UInt8](repeating: 0, count: 31)),
        .malformed),
      bad(
        "an Ed25519 key that is not canonical", "y = p + 3, a second encoding.",
        replacing(15..<47, [0xF0] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]), .malformed),
      bad("another link key", "Neither signature covers it.", flipped(good, at: split - 40), .signature),
      bad("another agreement key", "Neither signature covers it.", flipped(good, at: split - 1), .signature),
      bad("a record with a bad Ed25519 signature", "The ML-DSA-65 half is right.", flipped(good, at: split + 5), .signature),
      bad("a record with a bad ML-DSA-65 signature", "The Ed25519 half is right.", flipped(good, at: -100), .signature),
      bad(
        "an S that is not reduced", "S + L instead of S: the same signature in a second form.", body + unreduced(signature),
        .signature),
      bad(
        "an R of small order", "R is the neutral element.", body + [1] + [UInt8](repeating: 0, count: 31) + signature[32...],
        .signature),
      bad("a record signed by another node", "Both halves, under keys that are not in the record.", body + foreign, .signature),
      bad("a record signed as a bundle", "The right keys, another kind.", body + asBundle, .signature),
    ]
  }

  /// The signature with S + L for S.
  private static func unreduced(_ signature: [UInt8]) -> [UInt8] {
    let order: [UInt8] = [
      0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 0, 0, 0x10,
    ]
    var (copy, carry) = (signature, 0)
    for index in 0..<32 {
      carry += Int(copy[32 + index]) + Int(order[index])
      copy[32 + index] = UInt8(carry & 0xFF)
      carry >>= 8
    }
    return copy
  }

  private static func signatures(_ party: Party, _ other: Party) throws -> [VectorCase] {
    var cases: [VectorCase] = []
    let bodies: [(SignatureKind, [UInt8])] = [
      (.manifest, []), (.manifest, Array("{}".utf8)), (.reshare, Array(repeating: 7, count: 300)),
    ]
    for (index, (kind, body)) in bodies.enumerated() {
      let signature = try party.identity.sign(kind: kind, body: body, crypto: party.crypto)
      let message = kind.message(body)
      cases.append(
        VectorCase(
          "signature \(index + 1), of a \(kind.rawValue)", "\(body.count) bytes. The message is what both algorithms sign.",
          op: "sign"
        )
        .hex("ed25519 seed", party.seeds[0]).hex("ml-dsa-65 seed", party.seeds[1]).text("kind", kind.rawValue)
        .hex("body", body).hex("message", message).hex("signature", signature).expect(.ok))
    }
    let (body, kind) = (Array("{}".utf8), SignatureKind.manifest)
    let signature = try party.identity.sign(kind: kind, body: body, crypto: party.crypto)
    let good = VectorCase("a signature that verifies", "Under the record that was pinned.", op: "verify")
      .hex("record", party.record.bytes).text("kind", kind.rawValue).hex("body", body).hex("signature", signature).expect(.ok)
    func bad(_ name: String, _ about: String, _ change: (VectorCase) -> VectorCase) -> VectorCase {
      change(good.renamed(name, about)).expect(.signature)
    }
    cases += [
      good,
      bad("another kind", "The kind is signed with the body.") { $0.text("kind", "bundle") },
      bad("another body", "One bit.") { $0.hex("body", Array("{|".utf8)) },
      bad("another node's record", "The signature is of the first node.") { $0.hex("record", other.record.bytes) },
      bad("the classical half alone", "64 bytes.") { $0.hex("signature", Array(signature.prefix(64))) },
      bad("the halves exchanged", "ML-DSA-65 first.") {
        $0.hex("signature", Array(signature[64...]) + Array(signature[..<64]))
      },
      bad("a bad classical half", "Both must verify.") { $0.hex("signature", flipped(signature, at: 40)) },
      bad("a bad quantum half", "Both must verify.") { $0.hex("signature", flipped(signature, at: 3_000)) },
      bad("a signature and a byte", "Its length is fixed.") { $0.hex("signature", signature + [0]) },
    ]
    return cases
  }

  private static func safetyNumbers(_ alice: Party, _ bob: Party) -> [VectorCase] {
    func number(_ name: String, _ about: String, _ one: NodeID, _ other: NodeID) -> VectorCase {
      VectorCase(name, about, op: "safety").hex("ours", one.bytes).hex("theirs", other.bytes)
        .text("digits", SafetyNumber(one, other).digits).expect(.ok)
    }
    return [
      number("a safety number", "Of the two nodes above.", alice.id, bob.id),
      number("the same from the other side", "The lower half comes first.", bob.id, alice.id),
      number(
        "a safety number of two hashes", "Of H(01) and H(02).", NodeID(SHA256Hash.hash([1])), NodeID(SHA256Hash.hash([2]))),
    ]
  }

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "identity":
      let identity = try Party.identity(try VectorCase(.object([.init("node", vector.value)])), "node")
      let record = identity.record
      try vector.same("record", record.bytes)
      try vector.same("ed25519 public", record.ed25519Key.bytes)
      try vector.same("ml-dsa-65 public", record.mldsaKey.bytes)
      try vector.same("link public", record.linkKey.bytes)
      try vector.same("agreement public", record.agreeKey.bytes)
      try vector.same("node id", record.id.bytes)
    case "record":
      let bytes = try vector.hex("record")
      try vector.same("node id", try IdentityRecord(parsing: bytes.span).id.bytes)
    case "sign":
      let keys = SigningKeys(Tape([try vector.hex("ed25519 seed"), try vector.hex("ml-dsa-65 seed")]).randomness)
      let kind = try kind(vector)
      let (body, recorded) = (try vector.hex("body"), try vector.hex("signature"))
      let message = kind.message(body)
      try vector.same("message", message)
      try insist(Array(recorded.prefix(64)) == keys.ed25519.sign(message), "another Ed25519 signature")
      try insist(
        MLDSA65.verify(signature: Array(recorded.dropFirst(64)), message: message, key: keys.mldsa.publicKey),
        "the ML-DSA-65 signature does not verify")
    case "verify":
      let bytes = try vector.hex("record")
      let record = try IdentityRecord(parsing: bytes.span)
      let kind = try kind(vector)
      try require(
        record.verify(kind: kind, body: try vector.hex("body"), signature: try vector.hex("signature")), else: .signature)
    case "safety":
      guard let ours = NodeID(try vector.hex("ours")), let theirs = NodeID(try vector.hex("theirs")) else {
        throw Mismatch(description: "a node id has 32 bytes")
      }
      try vector.same("digits", SafetyNumber(ours, theirs).digits)
    default: throw try unknownOperation(vector)
    }
  }

  private static func kind(_ vector: VectorCase) throws -> SignatureKind {
    guard let kind = SignatureKind(rawValue: try vector.text("kind")) else { throw Mismatch(description: "an unknown kind") }
    return kind
  }
}
