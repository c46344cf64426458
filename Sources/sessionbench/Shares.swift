/// What an envelope or a start is made of.
enum Primitive: String, CaseIterable {
  case x25519Key = "X25519, key"
  case x25519 = "X25519, agreement"
  case kem768Key = "ML-KEM-768, key"
  case kem768Encapsulation = "ML-KEM-768, encapsulation"
  case kem768Decapsulation = "ML-KEM-768, decapsulation"
  case kem1024Key = "ML-KEM-1024, key"
  case kem1024Encapsulation = "ML-KEM-1024, encapsulation"
  case kem1024Decapsulation = "ML-KEM-1024, decapsulation"
  case dsaSignature = "ML-DSA-65, signature"
  case dsaVerification = "ML-DSA-65, verification"
  /// One signature and one verification.
  case ed25519 = "Ed25519"
  /// One step of both chains, and the keys of one envelope at one end.
  case messageKeys = "HMAC and HKDF, message keys"
  /// One step of both roots.
  case rootKeys = "HKDF, root keys"
  /// Header and letter.
  case sealing = "ChaCha20-Poly1305, sealing"
  case opening = "ChaCha20-Poly1305, opening"
  /// The same where the header is a short one.
  case shortSealing = "ChaCha20-Poly1305, sealing, short header"
  case shortOpening = "ChaCha20-Poly1305, opening, short header"
  /// Of about as much as a full header: what tells a chain's headers from others, or INIT0.
  case digest = "SHA-256"
  case random = "random salt"
}

/// The share of each primitive in each kind of work: what it costs alone, times how often it is done there. What is left is everything
/// else, and what differs between a primitive alone and amid other work.
struct Shares {
  /// How often a primitive is done in one envelope, in one pair of envelopes and in one start; a start's hellos are shorter than the
  /// envelope that is timed, its INIT is longer.
  private static let counts: [String: [Primitive: Double]] = [
    "one-way": [.messageKeys: 2, .shortSealing: 1, .shortOpening: 1, .random: 1],
    "pairs": [
      .x25519Key: 2, .x25519: 4, .kem768Key: 2, .kem768Encapsulation: 2, .kem768Decapsulation: 2, .messageKeys: 4, .rootKeys: 4,
      .sealing: 2, .opening: 2, .digest: 2, .random: 2,
    ],
    "starts": prepared,
    "first-starts": prepared.merging(
      [.x25519Key: 4, .kem1024Key: 1, .dsaSignature: 2, .dsaVerification: 2, .ed25519: 2], uniquingKeysWith: { $1 }),
  ]

  /// INIT: two keys, five agreements, one encapsulation. Opening it: five agreements, one decapsulation. The answer begins a chain and
  /// confirms: one key, one agreement, two encapsulations.
  private static let prepared: [Primitive: Double] = [
    .x25519Key: 3, .x25519: 11, .kem768Key: 2, .kem768Encapsulation: 1, .kem1024Encapsulation: 2, .kem1024Decapsulation: 1,
    .messageKeys: 3, .rootKeys: 5, .sealing: 2, .opening: 1, .digest: 5, .random: 2,
  ]

  /// `WORK|PRIMITIVE|PERCENT`
  let lines: [String]

  init(rates: [(name: String, rate: Double)], seconds: Double) throws {
    let costs = try PrimitiveCosts(seconds)
    lines = rates.flatMap { work in
      var left = 100.0
      var lines: [String] = []
      for primitive in Primitive.allCases {
        let share = (Self.counts[work.name]?[primitive] ?? 0) * costs[primitive] * work.rate * 100
        left -= share
        lines.append("\(work.name)|\(primitive.rawValue)|\(share)")
      }
      return lines + ["\(work.name)|everything else|\(left)"]
    }
  }
}
