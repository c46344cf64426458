internal import CSodium

/// Ed25519 signatures (RFC 8032), accepted in one encoding only.
///
/// Strict: S < L, A and R canonical, neither of small order, and R compared byte for byte (the equation without
/// cofactor). So a signature cannot be altered into another valid one, and two verifiers cannot disagree.
public enum Ed25519 {
  /// The length of a signature, R ‖ S.
  public static let signatureBytes = 64
  /// The length of a public key, A.
  public static let publicKeyBytes = 32
  /// The length of a private key's seed.
  public static let seedBytes = 32

  /// A verification key: a canonically encoded point of the curve that is not of small order.
  public struct PublicKey: Hashable, Sendable {
    let value: Bytes32

    init(_ value: Bytes32) { self.value = value }

    /// Exactly 32 bytes; throws `badLength`, or `invalidKey` where they encode no point, encode it in a second way, or
    /// the point is of small order.
    public init(_ bytes: [UInt8]) throws(CryptoError) { try self.init(bytes.span) }

    /// As ``init(_:)-([UInt8])``.
    public init(_ bytes: Span<UInt8>) throws(CryptoError) {
      value = try Bytes32(bytes)
      guard CurvePoint.isAcceptable(value) else { throw CryptoError(.invalidKey) }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { value.bytes }
  }

  /// A signing key, stored as its 32-byte seed.
  public struct PrivateKey: ~Copyable, Sendable {
    /// The public half, computed once.
    public let publicKey: PublicKey
    // libsodium's form of the key: seed ‖ A.
    let pair: SecretBytes

    /// The key of a 32-byte seed; throws `badLength` for any other number.
    public init(seed: consuming SecretBytes) throws(CryptoError) {
      guard seed.count == Ed25519.seedBytes else { throw CryptoError(.badLength) }
      self.init(fresh: seed)
    }

    private init(fresh seed: consuming SecretBytes) {
      let pair = SecretBytes(zeroes: 64)
      publicKey = PublicKey(
        unsafe Bytes32 { out in _ = unsafe crypto_sign_ed25519_seed_keypair(out, pair.slot.bytes, seed.slot.bytes) })
      self.pair = pair
    }

    private init(cloning key: borrowing PrivateKey) {
      pair = key.pair.clone()
      publicKey = key.publicKey
    }

    /// A new key.
    public static func generate(_ randomness: Randomness) -> PrivateKey {
      PrivateKey(fresh: randomness.secret(Ed25519.seedBytes))
    }

    /// The seed, for storage.
    public borrowing func cloneSeed() -> SecretBytes { SecretBytes(copying: pair.span.extracting(first: Ed25519.seedBytes)) }

    /// A second value of the same key.
    public borrowing func clone() -> PrivateKey { PrivateKey(cloning: self) }

    /// The 64-byte signature of `message`; the same each time.
    public borrowing func sign(_ message: [UInt8]) -> [UInt8] {
      unsafe [UInt8](unsafeUninitializedCapacity: Ed25519.signatureBytes) { buffer, initialised in
        unsafe crypto_sign_ed25519_detached(buffer.baseAddress!, nil, message, UInt64(message.count), pair.slot.bytes)
        initialised = Ed25519.signatureBytes
      }
    }
  }

  /// Whether `signature` is the signature of `message` under `key`.
  public static func verify(signature: [UInt8], message: [UInt8], key: PublicKey) -> Bool {
    guard signature.count == signatureBytes else { return false }
    Sodium.start()
    // libsodium (not built as ED25519_COMPAT) checks S < L, refuses R and A of small order and a non-canonical A, and
    // compares R with the canonical encoding of what it computed. Tests hold it to that.
    return unsafe key.value.withPointer { point in
      unsafe crypto_sign_ed25519_verify_detached(signature, message, UInt64(message.count), point) == 0
    }
  }
}

/// What an encoded point must be before it is used as a key.
private enum CurvePoint {
  /// y-coordinates of the points of order 1, 2, 4 and 8, in their canonical encoding without the sign bit.
  private static let smallOrder: [[UInt8]] = [
    [0] + [UInt8](repeating: 0, count: 31),  // order 4
    [1] + [UInt8](repeating: 0, count: 31),  // order 1: the neutral element
    [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],  // order 2: p − 1
    [
      0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],  // order 8
    [
      0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],  // order 8
  ]
  private static let neutral: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)

  static func isAcceptable(_ point: Bytes32) -> Bool {
    var y = point.bytes
    y[31] &= 0x7f
    return isBelowP(y) && !smallOrder.contains(y) && isOnCurve(point)
  }

  /// y < p = 2^255 − 19, little-endian.
  private static func isBelowP(_ y: [UInt8]) -> Bool {
    guard y[31] == 0x7f, y[1..<31].allSatisfy({ $0 == 0xff }) else { return true }
    return y[0] < 0xed
  }

  /// libsodium adds two encoded points only if both are on the curve.
  private static func isOnCurve(_ point: Bytes32) -> Bool {
    Sodium.start()
    var sum = [UInt8](repeating: 0, count: 32)
    return unsafe point.withPointer { unsafe crypto_core_ed25519_add(&sum, $0, neutral) == 0 }
  }
}
