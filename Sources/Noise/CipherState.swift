internal import Primitives

/// CipherState (Noise §5.1) with a key: k and the counter n. Without a key there is no CipherState here.
struct CipherState: ~Copyable, Sendable {
  /// 2^64 − 1 is reserved (§5.1): the counter stops before it.
  static let reservedNonce = UInt64.max

  private let key: SecretBytes
  private var counter: UInt64

  init(key: consuming SecretBytes, counter: UInt64 = 0) {
    self.key = key
    self.counter = counter
  }

  /// EncryptWithAd: ciphertext ‖ tag.
  mutating func encrypt(_ plaintext: Span<UInt8>, ad: Span<UInt8>) throws(NoiseError) -> [UInt8] {
    let nonce = try nextNonce()
    return ChaChaPoly.seal(plaintext, key: key, nonce: nonce.span, ad: ad)
  }

  /// DecryptWithAd. The caller gives the state up after a failure, so a counter that moved does no harm.
  mutating func decrypt(_ sealed: Span<UInt8>, ad: Span<UInt8>) throws(NoiseError) -> [UInt8] {
    let nonce = try nextNonce()
    do { return try ChaChaPoly.open(sealed, key: key, nonce: nonce.span, ad: ad) } catch { throw NoiseError(.failed) }
  }

  /// §12.3: 32 zero bits, then n little-endian.
  private mutating func nextNonce() throws(NoiseError) -> [12 of UInt8] {
    guard counter != Self.reservedNonce else { throw NoiseError(.exhausted) }
    let value = counter
    counter += 1
    return InlineArray { index in index < 4 ? 0 : UInt8(truncatingIfNeeded: value >> (8 * (index - 4))) }
  }
}
