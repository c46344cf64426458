internal import Crypto
internal import FoundationEssentials

/// The parameter sets of ML-KEM (FIPS 203 §8) in use here.
public protocol MLKEMParameters: Sendable {
  /// k: the number of polynomials in a vector.
  static var rank: Int { get }
  /// The length of an encapsulation key, 384 k + 32.
  static var publicKeyBytes: Int { get }
  /// The length of a ciphertext.
  static var ciphertextBytes: Int { get }
}

/// ML-KEM-768: the ratchet's key encapsulation.
public enum MLKEM768: MLKEMParameters {
  /// k = 3.
  public static let rank = 3
  /// 1,184.
  public static let publicKeyBytes = 1_184
  /// 1,088.
  public static let ciphertextBytes = 1_088
  /// An encapsulation key.
  public typealias PublicKey = MLKEMPublicKey<MLKEM768>
  /// A decapsulation key.
  public typealias PrivateKey = MLKEMPrivateKey<MLKEM768>
}

/// ML-KEM-1024: the prekeys' key encapsulation.
public enum MLKEM1024: MLKEMParameters {
  /// k = 4.
  public static let rank = 4
  /// 1,568.
  public static let publicKeyBytes = 1_568
  /// 1,568.
  public static let ciphertextBytes = 1_568
  /// An encapsulation key.
  public typealias PublicKey = MLKEMPublicKey<MLKEM1024>
  /// A decapsulation key.
  public typealias PrivateKey = MLKEMPrivateKey<MLKEM1024>
}

/// What all parameter sets share.
public enum MLKEM {
  /// d ‖ z of FIPS 203 §7.1: how a decapsulation key is stored.
  public static let seedBytes = 64
  /// The length of a shared secret.
  public static let sharedSecretBytes = 32
}

/// What encapsulation gives: the secret for us and the ciphertext that carries it to the owner of the key.
@frozen public struct MLKEMEncapsulation: ~Copyable, Sendable {
  /// 32 bytes.
  public let sharedSecret: SecretBytes
  /// `ciphertextBytes` of the key's parameter set.
  public let ciphertext: [UInt8]

  init(sharedSecret: consuming SecretBytes, ciphertext: [UInt8]) {
    self.sharedSecret = sharedSecret
    self.ciphertext = ciphertext
  }
}

/// An encapsulation key that passed FIPS 203's checks (§7.2: length and modulus).
public struct MLKEMPublicKey<Parameters: MLKEMParameters>: Hashable, Sendable {
  /// The encoded key.
  public let bytes: [UInt8]

  /// Checks an encoded key; throws `badLength`, or `invalidKey` where a coefficient is not below 3,329.
  public init(_ bytes: [UInt8]) throws(CryptoError) {
    guard bytes.count == Parameters.publicKeyBytes else { throw CryptoError(.badLength) }
    guard Self.isReduced(bytes.span) else { throw CryptoError(.invalidKey) }
    self.bytes = bytes
  }

  init(checked bytes: [UInt8]) { self.bytes = bytes }

  /// A new shared secret and the ciphertext for the key's owner. The randomness is the system's: swift-crypto takes no
  /// other, so whoever needs it repeatable records what this returned.
  public func encapsulate() -> MLKEMEncapsulation { MLKEMBackend.encapsulate(bytes, rank: Parameters.rank) }

  /// FIPS 203 §7.2: every 12-bit coefficient of t̂ is below q = 3329. Two coefficients lie in three bytes.
  private static func isReduced(_ bytes: Span<UInt8>) -> Bool {
    let q: UInt16 = 3_329
    let end = 384 * Parameters.rank
    var offset = 0
    while offset < end {
      let low = UInt16(bytes[offset]) | UInt16(bytes[offset + 1] & 0x0f) << 8
      let high = UInt16(bytes[offset + 1] >> 4) | UInt16(bytes[offset + 2]) << 4
      guard low < q, high < q else { return false }
      offset += 3
    }
    return true
  }
}

/// A decapsulation key, kept as its 64-byte seed and expanded for each use.
public struct MLKEMPrivateKey<Parameters: MLKEMParameters>: ~Copyable, Sendable {
  /// d ‖ z.
  public let seed: SecretBytes
  /// The public half, computed once.
  public let publicKey: MLKEMPublicKey<Parameters>

  /// The key of a 64-byte seed; throws `badLength` for any other number.
  public init(seed: consuming SecretBytes) throws(CryptoError) {
    guard seed.count == MLKEM.seedBytes else { throw CryptoError(.badLength) }
    self.init(fresh: seed)
  }

  private init(fresh seed: consuming SecretBytes) {
    publicKey = MLKEMPublicKey(checked: MLKEMBackend.publicKey(seed: seed.span, rank: Parameters.rank))
    self.seed = seed
  }

  private init(cloning key: borrowing MLKEMPrivateKey) {
    seed = key.seed.clone()
    publicKey = key.publicKey
  }

  /// A new key.
  public static func generate(_ randomness: Randomness) -> MLKEMPrivateKey {
    MLKEMPrivateKey(fresh: randomness.secret(MLKEM.seedBytes))
  }

  /// A second value of the same key.
  public borrowing func clone() -> MLKEMPrivateKey { MLKEMPrivateKey(cloning: self) }

  /// The 32-byte shared secret of a ciphertext.
  ///
  /// Throws `badLength` for a ciphertext of another length. A ciphertext that was altered gives another secret, not an
  /// error (implicit rejection, FIPS 203 §6.3): what is encrypted under it then fails to open.
  public borrowing func decapsulate(_ ciphertext: [UInt8]) throws(CryptoError) -> SecretBytes {
    guard ciphertext.count == Parameters.ciphertextBytes else { throw CryptoError(.badLength) }
    return MLKEMBackend.decapsulate(ciphertext, seed: seed.span, rank: Parameters.rank)
  }
}

/// The calls into swift-crypto. It keeps unwiped copies of seeds and shared secrets during a call.
///
/// Nothing here can fail: lengths and moduli were checked before, and those are all that swift-crypto refuses.
private enum MLKEMBackend {
  static func publicKey(seed: Span<UInt8>, rank: Int) -> [UInt8] {
    unsafe seed.withUnsafeBytes { seed in
      let bytes =
        if rank == 3 {
          unsafe (try? Crypto.MLKEM768.PrivateKey(seedRepresentation: seed, publicKey: nil))?.publicKey.rawRepresentation
        } else {
          unsafe (try? Crypto.MLKEM1024.PrivateKey(seedRepresentation: seed, publicKey: nil))?.publicKey.rawRepresentation
        }
      guard let bytes else { preconditionFailure("a 64-byte seed is a key") }
      return [UInt8](bytes)
    }
  }

  static func encapsulate(_ key: [UInt8], rank: Int) -> MLKEMEncapsulation {
    let result =
      if rank == 3 {
        try? Crypto.MLKEM768.PublicKey(rawRepresentation: key).encapsulate()
      } else {
        try? Crypto.MLKEM1024.PublicKey(rawRepresentation: key).encapsulate()
      }
    guard let result else { preconditionFailure("a checked key encapsulates") }
    return MLKEMEncapsulation(
      sharedSecret: SecretBytes(copying: result.sharedSecret), ciphertext: [UInt8](result.encapsulated))
  }

  static func decapsulate(_ ciphertext: [UInt8], seed: Span<UInt8>, rank: Int) -> SecretBytes {
    let secret = unsafe seed.withUnsafeBytes { seed in
      if rank == 3 {
        unsafe try? Crypto.MLKEM768.PrivateKey(seedRepresentation: seed, publicKey: nil).decapsulate(ciphertext)
      } else {
        unsafe try? Crypto.MLKEM1024.PrivateKey(seedRepresentation: seed, publicKey: nil).decapsulate(ciphertext)
      }
    }
    guard let secret else { preconditionFailure("a ciphertext of the right length decapsulates") }
    return SecretBytes(copying: secret)
  }
}

extension SecretBytes {
  fileprivate init(copying key: SymmetricKey) {
    let slot = SecretBytes(zeroes: key.bitCount / 8)
    unsafe key.withUnsafeBytes { unsafe slot.slot.pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    self = slot
  }
}
