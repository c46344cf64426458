internal import Crypto
internal import FoundationEssentials

/// ML-DSA-65 signatures (FIPS 204), with the empty context.
public enum MLDSA65 {
  /// The length of a public key.
  public static let publicKeyBytes = 1_952
  /// The length of a signature.
  public static let signatureBytes = 3_309
  /// The length of ξ, the seed a private key is stored as.
  public static let seedBytes = 32

  /// A verification key.
  public struct PublicKey: Hashable, Sendable {
    /// The 1,952 bytes.
    public let bytes: [UInt8]

    /// Exactly 1,952 bytes, every such string being a key; throws `badLength` otherwise.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
      guard bytes.count == publicKeyBytes else { throw CryptoError(.badLength) }
      self.bytes = bytes
    }
  }

  /// A signing key, kept as its 32-byte seed and expanded for each use. swift-crypto keeps unwiped copies meanwhile.
  public struct PrivateKey: ~Copyable, Sendable {
    /// ξ.
    public let seed: SecretBytes
    /// The public half, computed once.
    public let publicKey: PublicKey

    /// The key of a 32-byte seed; throws `badLength` for any other number.
    public init(seed: consuming SecretBytes) throws(CryptoError) {
      guard seed.count == seedBytes else { throw CryptoError(.badLength) }
      publicKey = try PublicKey(Self.expand(seed.span) { [UInt8]($0.publicKey.rawRepresentation) })
      self.seed = seed
    }

    private init(seed: consuming SecretBytes, publicKey: PublicKey) {
      self.seed = seed
      self.publicKey = publicKey
    }

    /// A new key.
    public static func generate(_ randomness: Randomness) -> PrivateKey {
      guard let key = try? PrivateKey(seed: randomness.secret(seedBytes)) else {
        preconditionFailure("a 32-byte seed is a key")
      }
      return key
    }

    /// A second value of the same key.
    public borrowing func clone() -> PrivateKey { PrivateKey(seed: seed.clone(), publicKey: publicKey) }

    /// The 3,309-byte signature of `message`, another one each time (hedged with the system's randomness).
    public borrowing func sign(_ message: [UInt8]) -> [UInt8] {
      let signature = Self.expand(seed.span) { key in (try? key.signature(for: message)).map { [UInt8]($0) } }
      guard let signature else { preconditionFailure("signing fails only without memory") }
      return signature
    }

    private static func expand<R>(_ seed: Span<UInt8>, _ body: (Crypto.MLDSA65.PrivateKey) -> R) -> R {
      unsafe seed.withUnsafeBytes { seed in
        guard let key = unsafe try? Crypto.MLDSA65.PrivateKey(seedRepresentation: seed, publicKey: nil) else {
          preconditionFailure("a 32-byte seed is a key")
        }
        return body(key)
      }
    }
  }

  /// Whether `signature` is a signature of `message` under `key`.
  public static func verify(signature: [UInt8], message: [UInt8], key: PublicKey) -> Bool {
    guard signature.count == signatureBytes, let key = try? Crypto.MLDSA65.PublicKey(rawRepresentation: key.bytes) else {
      return false
    }
    return key.isValidSignature(signature, for: message)
  }
}
