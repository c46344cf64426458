public import Primitives

/// What the session layer needs from the outside world besides time: random bytes and the two operations whose library
/// takes no seed. Passed in, so that a vector or a simulator decides what they return.
public struct SessionCrypto: Sendable {
  /// Where keys, salts and ids come from.
  public let randomness: Randomness
  /// ML-KEM-768 encapsulation (FIPS 203 §7.2).
  public let encapsulate768: @Sendable (MLKEM768.PublicKey) -> MLKEMEncapsulation
  /// ML-KEM-1024 encapsulation.
  public let encapsulate1024: @Sendable (MLKEM1024.PublicKey) -> MLKEMEncapsulation
  /// ML-DSA-65 signing with an empty context (FIPS 204 §5.2).
  public let sign: @Sendable (borrowing MLDSA65.PrivateKey, [UInt8]) throws(CryptoError) -> [UInt8]
  /// ChaCha20-Poly1305 (RFC 8439 §2.8), by which every header and every letter is sealed.
  public let seal: Seal

  /// Ciphertext ‖ tag of a plaintext, under a key of 32 and a nonce of 12 bytes, with associated data.
  public typealias Seal =
    @Sendable (_ plaintext: Span<UInt8>, _ key: borrowing SecretBytes, _ nonce: Span<UInt8>, _ ad: Span<UInt8>) -> [UInt8]

  /// The library's operations around a source of randomness.
  public init(randomness: Randomness) {
    self.init(
      randomness: randomness,
      encapsulate768: { $0.encapsulate() },
      encapsulate1024: { $0.encapsulate() },
      sign: { (key, message) throws(CryptoError) in key.sign(message) })
  }

  /// Everything given.
  public init(
    randomness: Randomness,
    encapsulate768: @escaping @Sendable (MLKEM768.PublicKey) -> MLKEMEncapsulation,
    encapsulate1024: @escaping @Sendable (MLKEM1024.PublicKey) -> MLKEMEncapsulation,
    sign: @escaping @Sendable (borrowing MLDSA65.PrivateKey, [UInt8]) throws(CryptoError) -> [UInt8],
    seal: @escaping Seal = { ChaChaPoly.seal($0, key: $1, nonce: $2, ad: $3) }
  ) {
    self.randomness = randomness
    self.encapsulate768 = encapsulate768
    self.encapsulate1024 = encapsulate1024
    self.sign = sign
    self.seal = seal
  }

  /// The operating system's randomness.
  public static let system = SessionCrypto(randomness: .system)

  /// A random id above zero; zero means "none" on the wire.
  func randomID() -> UInt32 {
    while true {
      let id = randomness.bytes(4).reduce(0) { $0 << 8 | UInt32($1) }
      if id != 0 { return id }
    }
  }
}
