/// Why a handshake or a transport refused. Equal by code; a failed message says no more than that it failed.
public struct NoiseError: Error, Hashable, Sendable {
  /// The kind of refusal.
  public enum Code: Hashable, Sendable {
    /// A message was not what the other side should have sent: too short, a bad tag, a point of low order. Which of
    /// them is not told. The state is dead afterwards.
    case failed
    /// The call does not belong here: the other side's turn, the handshake is not finished, or it is dead.
    case outOfTurn
    /// A message would be, or is, longer than 65,535 bytes.
    case tooLong
    /// The pattern mixes a pre-shared key and none was given in time.
    case missingPSK
    /// 2^64 − 1 messages went one way: the nonce is used up.
    case exhausted
  }

  /// The kind of refusal.
  public let code: Code

  /// An error of this kind.
  public init(_ code: Code) { self.code = code }
}
