internal import CSodium

/// The key that a node's stored secrets are sealed under.
///
/// A sealed value is `02‖key id 8‖nonce 24‖XChaCha20-Poly1305(plaintext)`; the additional data is the first 33 bytes and
/// a context that names the place the value belongs to, so that one row is never taken for another. The first byte
/// tells it from anything that was stored unsealed (version 01).
public final class StateKey: Sendable {
  /// The length of the key.
  public static let byteCount = 32
  /// The length of a key's id.
  public static let idBytes = 8
  /// What a sealed value is longer than its plaintext.
  public static let overheadBytes = headerBytes + 16

  private static let magic: UInt8 = 2
  private static let nonceBytes = 24
  private static let headerBytes = 1 + idBytes + nonceBytes
  private static let label = Array("pawl/1 state key".utf8)

  /// The 32 bytes, for whoever keeps the key.
  public let secret: SecretBytes
  /// Names the key without telling it: `Expand(key, "pawl/1 state key", 40)` is `sealing key 32‖id 8`.
  public let id: [UInt8]
  private let sealing: SecretBytes

  /// Takes 32 random or derived bytes over. Another number is a programming error.
  public init(_ key: consuming SecretBytes) {
    precondition(key.count == Self.byteCount, "a 32-byte key")
    var material = HKDF.expand(prk: key, info: Self.label, count: Self.byteCount + Self.idBytes)
    sealing = material.take(Self.byteCount)
    id = material.takeBytes(Self.idBytes)
    secret = key
  }

  /// A new key.
  public static func random(_ randomness: Randomness) -> StateKey { StateKey(randomness.secret(byteCount)) }

  /// What every value that it sealed begins with: 9 bytes.
  public var prefix: [UInt8] { [Self.magic] + id }

  /// Whether stored bytes are sealed, going by their first byte.
  public static func isSealed(_ stored: [UInt8]) -> Bool { stored.first == magic }

  /// The id of the key that sealed these bytes; nil if nothing sealed them.
  public static func keyID(of sealed: [UInt8]) -> [UInt8]? {
    guard isSealed(sealed), sealed.count >= overheadBytes else { return nil }
    return Array(sealed[1..<1 + idBytes])
  }

  /// Seals a plaintext of any length for the place that `context` names.
  public func seal(_ plaintext: Span<UInt8>, context: [UInt8], randomness: Randomness = .system) -> [UInt8] {
    let nonce = randomness.bytes(Self.nonceBytes)
    let size = Self.overheadBytes + plaintext.count
    let header = prefix + nonce
    let ad = header + context
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { out, initialised in
      unsafe out.baseAddress!.update(from: header, count: Self.headerBytes)
      unsafe plaintext.withUnsafeBufferPointer { plaintext in
        _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
          out.baseAddress! + Self.headerBytes, nil, plaintext.baseAddress, UInt64(plaintext.count), ad, UInt64(ad.count), nil,
          nonce, sealing.slot.bytes)
      }
      initialised = size
    }
  }

  /// Opens what ``seal(_:context:randomness:)`` made for the same context.
  ///
  /// Throws `invalidEncoding` for what nothing sealed, `wrongKey` for what another key sealed, and
  /// `authenticationFailed` for what was damaged or belongs to another place.
  public func open(_ sealed: [UInt8], context: [UInt8]) throws(CryptoError) -> SecretBuffer {
    guard let name = Self.keyID(of: sealed) else { throw CryptoError(.invalidEncoding) }
    guard name == id else { throw CryptoError(.wrongKey) }
    let header = Array(sealed[..<Self.headerBytes])
    let nonce = Array(header[(1 + Self.idBytes)...])
    let ad = header + context
    let plaintext = SecretBuffer(zeroes: sealed.count - Self.overheadBytes)
    let status = unsafe sealed.withUnsafeBufferPointer { sealed in
      unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
        plaintext.pointer, nil, nil, sealed.baseAddress! + Self.headerBytes, UInt64(sealed.count - Self.headerBytes), ad,
        UInt64(ad.count), nonce, sealing.slot.bytes)
    }
    guard status == 0 else { throw CryptoError(.authenticationFailed) }
    return plaintext
  }
}
