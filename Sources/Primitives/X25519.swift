internal import CSodium

/// Diffie-Hellman over Curve25519 (RFC 7748).
public enum X25519 {
  /// The length of public keys, private keys and shared secrets.
  public static let byteCount = 32

  /// The other side's key, or our own half that goes out: a u-coordinate of 32 bytes.
  ///
  /// Every 32-byte string is one; a point of low order shows in ``X25519/agree(_:_:)``, which refuses it.
  public struct PublicKey: Hashable, Sendable {
    let value: Bytes32

    init(_ value: Bytes32) { self.value = value }

    /// Exactly 32 bytes; throws `badLength` otherwise.
    public init(_ bytes: [UInt8]) throws(CryptoError) { value = try Bytes32(bytes.span) }

    /// Exactly 32 bytes; throws `badLength` otherwise.
    public init(_ bytes: Span<UInt8>) throws(CryptoError) { value = try Bytes32(bytes) }

    /// The 32 bytes.
    public var bytes: [UInt8] { value.bytes }

    /// The 32 bytes, without a copy.
    public var span: Span<UInt8> {
      @_lifetime(borrow self)
      borrowing get {
        let span = value.storage.span
        return unsafe _overrideLifetime(span, borrowing: self)
      }
    }
  }

  /// Our half: 32 secret bytes, clamped when used.
  public struct PrivateKey: ~Copyable, Sendable {
    /// The 32 bytes as they were given, not clamped.
    public let secret: SecretBytes
    /// The public half, computed once.
    public let publicKey: PublicKey

    /// Takes 32 random or stored bytes over; throws `badLength` for any other number.
    public init(_ secret: consuming SecretBytes) throws(CryptoError) {
      guard secret.count == X25519.byteCount else { throw CryptoError(.badLength) }
      publicKey = PublicKey(unsafe Bytes32 { out in _ = unsafe crypto_scalarmult_curve25519_base(out, secret.slot.bytes) })
      self.secret = secret
    }

    private init(cloning key: borrowing PrivateKey) {
      secret = key.secret.clone()
      publicKey = key.publicKey
    }

    /// A new key.
    public static func generate(_ randomness: Randomness) -> PrivateKey {
      PrivateKey(fresh: randomness.secret(X25519.byteCount))
    }

    private init(fresh secret: consuming SecretBytes) {
      publicKey = PublicKey(unsafe Bytes32 { out in _ = unsafe crypto_scalarmult_curve25519_base(out, secret.slot.bytes) })
      self.secret = secret
    }

    /// A second value of the same key.
    public borrowing func clone() -> PrivateKey { PrivateKey(cloning: self) }
  }

  /// The 32-byte shared secret of RFC 7748 §6.1.
  ///
  /// Throws `lowOrderPoint` where the result is all zero: the other side sent a point of low order and would know it.
  public static func agree(
    _ privateKey: borrowing PrivateKey, _ publicKey: PublicKey
  ) throws(CryptoError) -> SecretBytes {
    let shared = SecretBytes(zeroes: byteCount)
    let status = unsafe publicKey.value.withPointer { point in
      unsafe crypto_scalarmult_curve25519(shared.slot.bytes, privateKey.secret.slot.bytes, point)
    }
    // libsodium tells low order from the point and from the result; the second look costs nothing and depends on neither.
    guard status == 0, unsafe sodium_is_zero(shared.slot.bytes, byteCount) == 0 else {
      throw CryptoError(.lowOrderPoint)
    }
    return shared
  }
}
