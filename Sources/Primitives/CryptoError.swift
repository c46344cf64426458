/// What a cryptographic operation refused. Equal by code; a failed decryption says no more than that it failed.
public struct CryptoError: Error, Hashable, Sendable {
  /// The kind of refusal.
  public enum Code: Hashable, Sendable {
    /// An input has a length the algorithm does not take.
    case badLength
    /// A Diffie-Hellman result was all zero: the other side sent a point of low order.
    case lowOrderPoint
    /// A tag did not verify. Nothing of the plaintext was released.
    case authenticationFailed
    /// A public or private key is not one the algorithm accepts.
    case invalidKey
    /// A signature did not verify.
    case invalidSignature
    /// Bytes are not the one encoding their value has.
    case invalidEncoding
    /// Sealed under another key than the one at hand, by the key's name in front of it.
    case wrongKey
    /// The computation needs more memory than the system gives.
    case outOfMemory
  }

  /// The kind of refusal.
  public let code: Code

  /// An error of this kind.
  public init(_ code: Code) { self.code = code }
}
