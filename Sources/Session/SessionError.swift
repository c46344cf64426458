/// What a session, a bundle or an identity record was refused for.
///
/// Equal by code. Says nothing about keys or contents: a failed decryption is ``Code/refused`` and no more.
public struct SessionError: Error, Hashable, Sendable {
  /// The kind of refusal.
  public enum Code: Hashable, Sendable {
    /// Bytes that do not have the shape they should have.
    case malformed
    /// Signed by, or about, another node than expected.
    case wrongOwner
    /// Made for another node than us.
    case wrongAddressee
    /// Past its time, allowing for an hour of clock skew.
    case expired
    /// From the future, allowing for an hour of clock skew.
    case notYetValid
    /// One of the two signatures does not verify.
    case badSignature
    /// Names a prekey that we do not hold, or no longer.
    case unknownPrekey
    /// A batch of one-time pairs that is not newer than the one that is held.
    case outdated
    /// No bundle of the peer's is in hand, or none in time.
    case noBundle
    /// An envelope that does not open.
    case refused
    /// A payload above ``Envelope/maximumPayloadBytes``.
    case tooLarge
    /// Too much is waiting to be acknowledged.
    case outboxFull
    /// Too much is waiting for the session to be confirmed.
    case queueFull
    /// Stored state that does not open or does not parse.
    case corruptState
    /// Stored state that was sealed under another key.
    case wrongStateKey
    /// A version, suite or flag this program does not know.
    case unsupportedVersion
    /// A primitive failed on our own keys.
    case internalFailure
  }

  /// The kind of refusal.
  public let code: Code

  /// A refusal of that kind.
  public init(_ code: Code) {
    self.code = code
  }
}
