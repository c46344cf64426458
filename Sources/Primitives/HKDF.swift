internal import CSodium

/// HKDF with SHA-256 (RFC 5869).
public enum HKDF {
  /// The longest output of one call. The protocol's longest is 160; all of it lies in one slot of locked memory.
  public static let maximumOutputBytes = 256

  /// RFC 5869 §2.2: a 32-byte pseudorandom key. An empty salt is 32 zero bytes.
  public static func extract(salt: Span<UInt8>, ikm: Span<UInt8>) -> SecretBytes {
    HMACSHA256.authenticate(key: salt, message: ikm)
  }

  /// RFC 5869 §2.2 with secret keying material.
  public static func extract(salt: Span<UInt8>, ikm: borrowing SecretBytes) -> SecretBytes {
    extract(salt: salt, ikm: ikm.span)
  }

  /// RFC 5869 §2.2 with secret keying material.
  public static func extract(salt: [UInt8], ikm: borrowing SecretBytes) -> SecretBytes {
    extract(salt: salt.span, ikm: ikm.span)
  }

  /// RFC 5869 §2.2 where the salt is a secret too.
  public static func extract(salt: borrowing SecretBytes, ikm: borrowing SecretBytes) -> SecretBytes {
    extract(salt: salt.span, ikm: ikm.span)
  }

  /// RFC 5869 §2.3: `count` bytes, 1 to 256, to be taken piece by piece.
  public static func expand(prk: borrowing SecretBytes, info: Span<UInt8>, count: Int) -> KeyMaterial {
    let output = KeyMaterial(count: count)
    // T(i) = HMAC(prk, T(i−1) ‖ info ‖ i). The keyed state is made once and copied for each block.
    var keyed = crypto_auth_hmacsha256_state()
    var working = crypto_auth_hmacsha256_state()
    unsafe withUnsafeMutablePointer(to: &keyed) { keyed in
      unsafe withUnsafeMutablePointer(to: &working) { working in
        unsafe HMACState.start(keyed, key: prk.span)
        var made = 0
        var index: UInt8 = 0
        while made < count {
          index += 1
          unsafe working.update(from: keyed, count: 1)
          if made > 0 {
            unsafe crypto_auth_hmacsha256_update(
              working, output.slot.bytes + made - HMACSHA256.byteCount, UInt64(HMACSHA256.byteCount))
          }
          unsafe HMACState.update(working, info)
          unsafe crypto_auth_hmacsha256_update(working, &index, 1)
          // The slot has room for eight whole blocks.
          unsafe crypto_auth_hmacsha256_final(working, output.slot.bytes + made)
          made += HMACSHA256.byteCount
        }
        unsafe sodium_memzero(working, MemoryLayout<crypto_auth_hmacsha256_state>.size)
        unsafe sodium_memzero(keyed, MemoryLayout<crypto_auth_hmacsha256_state>.size)
      }
    }
    return output
  }

  /// RFC 5869 §2.3: `count` bytes, 1 to 256, to be taken piece by piece.
  public static func expand(prk: borrowing SecretBytes, info: [UInt8], count: Int) -> KeyMaterial {
    expand(prk: prk, info: info.span, count: count)
  }

  /// HKDF(salt, ikm, info, count): extract, then expand.
  public static func derive(salt: Span<UInt8>, ikm: Span<UInt8>, info: Span<UInt8>, count: Int) -> KeyMaterial {
    expand(prk: extract(salt: salt, ikm: ikm), info: info, count: count)
  }

  /// HKDF(salt, ikm, info, count): extract, then expand.
  public static func derive(salt: [UInt8], ikm: borrowing SecretBytes, info: [UInt8], count: Int) -> KeyMaterial {
    derive(salt: salt.span, ikm: ikm.span, info: info.span, count: count)
  }

  /// HKDF(salt, ikm, info, count) where the salt is a secret too.
  public static func derive(
    salt: borrowing SecretBytes, ikm: borrowing SecretBytes, info: [UInt8], count: Int
  ) -> KeyMaterial {
    derive(salt: salt.span, ikm: ikm.span, info: info.span, count: count)
  }

  /// Extract over several pieces of keying material, without a concatenation in unwiped memory.
  public struct Extractor: ~Copyable, Sendable {
    private var authenticator: HMACSHA256.Authenticator

    /// No material yet, under `salt`.
    public init(salt: Span<UInt8>) { authenticator = HMACSHA256.Authenticator(key: salt) }

    /// No material yet, under `salt`.
    public init(salt: [UInt8]) { self.init(salt: salt.span) }

    /// Appends keying material.
    public mutating func update(_ bytes: Span<UInt8>) { authenticator.update(bytes) }

    /// Appends keying material.
    public mutating func update(_ bytes: [UInt8]) { authenticator.update(bytes) }

    /// Appends keying material.
    public mutating func update(_ secret: borrowing SecretBytes) { authenticator.update(secret) }

    /// The 32-byte pseudorandom key.
    public consuming func finalize() -> SecretBytes { authenticator.finalize() }
  }
}

/// The output of one HKDF call, in locked memory: taken from the front piece by piece, wiped at the end.
public struct KeyMaterial: ~Copyable, Sendable {
  let slot: SecretSlot
  private let count: Int
  private var taken = 0

  init(count: Int) {
    precondition(count > 0 && count <= HKDF.maximumOutputBytes, "one HKDF call gives 1 to 256 bytes")
    self.count = count
    // Whole blocks of 32: the last one may be longer than what was asked for.
    slot = SecretSlot(HKDF.maximumOutputBytes)
  }

  /// How many bytes have not been taken.
  public var remaining: Int { count - taken }

  /// The next `count` bytes (1 to 64) as a secret. Asking for more than remain is a programming error.
  public mutating func take(_ count: Int) -> SecretBytes { SecretBytes(copying: advance(count)) }

  /// The next `count` bytes as public bytes: nonces, commitments, identifiers.
  public mutating func takeBytes(_ count: Int) -> [UInt8] { [UInt8](copying: advance(count)) }

  @_lifetime(&self)
  private mutating func advance(_ count: Int) -> Span<UInt8> {
    precondition(count > 0 && count <= remaining, "no more key material than was asked for")
    let start = taken
    taken += count
    let span = unsafe Span(_unsafeStart: UnsafePointer(slot.bytes + start), count: count)
    return unsafe _overrideLifetime(span, mutating: &self)
  }
}
