/// What a verb answers when it cannot do what it was asked to: what happened, to what, and what to do next.
///
/// Equal by code alone, so that callers and tests decide by it; the texts are for people.
public struct NodeError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failure a caller may tell apart. Each has an exit code of the command.
  public enum Code: String, Sendable {
    /// Something failed that has no code of its own.
    case failed
    /// The request makes no sense.
    case usage
    /// No such peer, artifact, version or file, or none that we may see.
    case notFound = "not_found"
    /// Not paired, blocked, or a ticket that does not open the door.
    case notAllowed = "not_allowed"
    /// A peer's identity key changed, and the user has not decided yet.
    case identityChanged = "identity_changed"
    /// Bytes, a signature or a claim that do not verify.
    case integrity
    /// The peer could not be reached, or stopped answering.
    case unreachable
    /// No room, or a limit reached.
    case noSpace = "no_space"
    /// Something else is already there.
    case conflict
    /// A time limit passed.
    case timeout
    /// Two clocks are too far apart.
    case clock
    /// Some files arrived and others did not.
    case partial
    /// The caller went away.
    case interrupted

    /// The command's exit code.
    public var exitCode: Int32 {
      switch self {
      case .failed, .clock: 1
      case .usage: 2
      case .partial: 3
      case .notFound: 11
      case .notAllowed, .identityChanged: 12
      case .integrity: 13
      case .unreachable: 14
      case .noSpace: 15
      case .conflict: 16
      case .timeout: 17
      case .interrupted: 130
      }
    }
  }

  /// What kind of failure.
  public let code: Code
  /// What happened and to what, in one line. Names from peers in it are as they are: whoever prints it escapes it.
  public let message: String
  /// What to do next, if there is something.
  public let hint: String?

  /// A failure with its texts.
  public init(_ code: Code, _ message: String, hint: String? = nil) {
    self.code = code
    self.message = message
    self.hint = hint
  }

  /// The message and the hint.
  public var description: String { hint.map { "\(message) (\($0))" } ?? message }
}

extension NodeError: Equatable {
  /// Two failures of one kind.
  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
