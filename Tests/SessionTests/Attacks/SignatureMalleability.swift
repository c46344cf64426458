import Primitives
import Testing

@testable import Session

/// Second encodings of a signature that is right, and signatures of which one half is right. (What only the scalar field can make, R of small
/// order or in a second spelling, is in `Tests/PrimitivesTests`.)
extension KnownAttacks {
  @Test func nonCanonicalSignaturesOfABundleAreRefused() throws {
    let (a, b) = try Party.pair(seed: 760)
    let bundle = try b.bundle(for: a.id, pairs: 0).bundle
    let body = Array(bundle.bytes.dropLast(SignatureKind.signatureBytes))
    let signature = Array(bundle.bytes.suffix(SignatureKind.signatureBytes))
    func isTaken(_ signature: [UInt8]) -> Bool {
      guard let bundle = try? Bundle(reading: body + signature) else { return false }
      return (try? bundle.verify(owner: b.record, addressee: a.id, at: epoch)) != nil
    }
    #expect(isTaken(signature))
    // S + L is S to whoever reduces it.
    var added = signature
    var carry = 0
    for (index, byte) in Self.groupOrder.enumerated() {
      carry += Int(added[32 + index]) + Int(byte)
      added[32 + index] = UInt8(truncatingIfNeeded: carry)
      carry >>= 8
    }
    #expect(carry == 0 && !isTaken(added))
    // ML-DSA's hint is a list of places: in another order, with one twice, or with something behind the last, it is the same list to a
    // reader who does not look closely.
    let hints = Array(signature.suffix(61))
    let used = Int(hints[60])
    var variants: [[UInt8]] = []
    if used < 55 {
      variants.append(hints[..<used] + [1] + hints[(used + 1)...])
      variants.append(hints[..<54] + [255] + hints[55...])
    }
    var start = 0
    for end in hints[55...].map(Int.init) {
      if end - start >= 2 {
        var swapped = hints
        swapped.swapAt(start, start + 1)
        variants.append(swapped)
      }
      if end > start, used < 55 {
        // The place is named twice, and everything behind moves by one.
        var doubled = hints[..<start] + [hints[start]] + hints[start..<54]
        for row in 55..<61 { doubled.append(Int(hints[row]) >= end ? hints[row] + 1 : hints[row]) }
        variants.append(Array(doubled))
      }
      start = end
    }
    #expect(variants.count >= 3)
    for variant in variants {
      #expect(variant.count == 61 && variant != hints && Self.places(variant) == Self.places(hints))
      #expect(!isTaken(signature.dropLast(61) + variant))
    }
  }

  /// The places that a hint names, read by somebody who does not mind their order.
  private static func places(_ hints: [UInt8]) -> [Set<UInt8>] {
    var start = 0
    return hints[55...].map { end in
      defer { start = Int(end) }
      return Set(hints[start..<Int(end)])
    }
  }

  /// L, little-endian (RFC 8032 §5.1).
  private static let groupOrder: [UInt8] =
    [0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14]
    + [UInt8](repeating: 0, count: 15) + [0x10]

  @Test func oneBrokenSignatureAlgorithmForgesNothing() throws {
    let (a, b) = try Party.pair(seed: 761)
    // Whoever has broken Ed25519, or ML-DSA, signs with it like the owner. The other half is their own.
    let body = Array(try b.bundle(for: a.id, pairs: 0).bundle.bytes.dropLast(SignatureKind.signatureBytes))
    let owners = try b.identity.sign(kind: .bundle, body: body, crypto: b.crypto)
    let forgers = try a.identity.sign(kind: .bundle, body: body, crypto: a.crypto)
    #expect(b.record.verify(kind: .bundle, body: body, signature: owners))
    #expect(!b.record.verify(kind: .bundle, body: body, signature: owners.prefix(64) + forgers.suffix(3_309)))
    #expect(!b.record.verify(kind: .bundle, body: body, signature: forgers.prefix(64) + owners.suffix(3_309)))
    #expect(!b.record.verify(kind: .bundle, body: body, signature: owners.suffix(3_309) + owners.prefix(64)))
  }

  @Test func aRecordWithANonCanonicalOrSmallSigningKeyIsNoRecord() throws {
    let record = try Party(seed: 7_620).record
    func field(_ low: UInt8) -> [UInt8] { [low] + [UInt8](repeating: 0xff, count: 30) + [0x7f] }
    let zero = [UInt8](repeating: 0, count: 32)
    // y = 0, 1, p − 1: small order. p, p + 1, and 2^255 − 1: second spellings.
    for key in [zero, [1] + zero.dropFirst(), field(0xec), field(0xed), field(0xee), field(0xff)] {
      for sign: UInt8 in [0, 0x80] {
        let point = key.dropLast() + [key[31] | sign]
        let bytes = Array(record.bytes[..<15]) + point + record.bytes[47...]
        #expect(throws: SessionError(.malformed)) { try IdentityRecord(stored: bytes.span) }
      }
    }
  }
}
