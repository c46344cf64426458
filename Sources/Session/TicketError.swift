/// Why a line is no ticket that we can use. Each code has its own sentence for the user.
public struct TicketError: Error, Hashable, Sendable {
  /// The kind of fault.
  public enum Code: Hashable, Sendable {
    /// Does not begin with `pawl1`.
    case notATicket
    /// All there, but a character is wrong: the checksum does not match.
    case mistyped
    /// The end is missing.
    case truncated
    /// From a newer program.
    case unsupportedVersion
    /// Nowhere to reach the inviter.
    case noAddress
    /// More than eight addresses.
    case tooManyAddresses
    /// A host or port that cannot be.
    case badAddress
  }

  /// The kind of fault.
  public let code: Code

  /// A fault of that kind.
  public init(_ code: Code) {
    self.code = code
  }
}
