public import Primitives

/// The two ciphers of a finished handshake: one way each, messages in order, none lost.
///
/// Any failure ends both ways: a transport over TCP has no reason to see a bad message but an attack or a fault.
public struct NoiseTransport: ~Copyable, Sendable {
  /// The longest plaintext of one message: 65,535 less the tag.
  public static let maximumPlaintextBytes = 65_519

  /// The static key the other side proved to hold.
  public let remoteStatic: X25519.PublicKey
  /// h at the end of the handshake: the same on both sides and unique to this connection (§11.2, channel binding).
  public let handshakeHash: Digest

  private var sending: CipherState
  private var receiving: CipherState
  private var isDead = false

  init(
    _ ciphers: consuming SymmetricState.Split, isInitiator: Bool, remoteStatic: X25519.PublicKey, handshakeHash: Digest
  ) {
    self.remoteStatic = remoteStatic
    self.handshakeHash = handshakeHash
    if isInitiator {
      sending = ciphers.first
      receiving = ciphers.second
    } else {
      sending = ciphers.second
      receiving = ciphers.first
    }
  }

  /// The next message out: ciphertext ‖ tag.
  ///
  /// Throws `tooLong` and stays as it was, or `exhausted` (a new handshake is needed), or `outOfTurn` where it is dead.
  public mutating func encrypt(_ plaintext: [UInt8]) throws(NoiseError) -> [UInt8] {
    guard !isDead else { throw NoiseError(.outOfTurn) }
    guard plaintext.count <= Self.maximumPlaintextBytes else { throw NoiseError(.tooLong) }
    let none: [UInt8] = []
    return try sending.encrypt(plaintext.span, ad: none.span)
  }

  /// The plaintext of the next message in. Throws `failed`, `tooLong` or `exhausted`, and is dead; or `outOfTurn`
  /// where it was already.
  public mutating func decrypt(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
    guard !isDead else { throw NoiseError(.outOfTurn) }
    isDead = true
    guard message.count <= NoiseHandshake.maximumMessageBytes else { throw NoiseError(.tooLong) }
    let none: [UInt8] = []
    let plaintext = try receiving.decrypt(message.span, ad: none.span)
    isDead = false
    return plaintext
  }
}
