/// Why a request was not done: what happened, to what, and what to do next. An `error` line of the local API.
///
/// The message may carry names from peers as they are; whoever prints it escapes it.
public struct Failure: Error, Hashable, Sendable {
  /// What kind of failure, as a word that scripts may rely on. Codes of newer nodes are kept as they come.
  public struct Code: RawRepresentable, Hashable, Sendable {
    /// The word.
    public let rawValue: String

    /// A code by its word.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Something failed that has no code of its own.
    public static let failed = Code(rawValue: "failed")
    /// The command line or the request makes no sense.
    public static let usage = Code(rawValue: "usage")
    /// Some of it was done.
    public static let partial = Code(rawValue: "partial")
    /// No node is running.
    public static let noNode = Code(rawValue: "no_node")
    /// No such peer, artifact, version or file, or none that we may see.
    public static let notFound = Code(rawValue: "not_found")
    /// Not paired, or not allowed.
    public static let notAllowed = Code(rawValue: "not_allowed")
    /// A peer's identity key changed, and the user has to decide first.
    public static let identityChanged = Code(rawValue: "identity_changed")
    /// Bytes, a signature or a claim did not verify.
    public static let integrity = Code(rawValue: "integrity")
    /// The peer could not be reached.
    public static let unreachable = Code(rawValue: "unreachable")
    /// No space or over a limit.
    public static let noSpace = Code(rawValue: "no_space")
    /// Something different is there already; it was left alone.
    public static let conflict = Code(rawValue: "conflict")
    /// A time limit passed.
    public static let timeout = Code(rawValue: "timeout")
    /// This machine's clock and another node's are too far apart.
    public static let clock = Code(rawValue: "clock")
    /// The caller went away or asked to stop.
    public static let interrupted = Code(rawValue: "interrupted")

    /// The exit code that goes with it; ``ExitCode/error`` for a code that this program does not know.
    public var exit: ExitCode {
      switch self {
      case .usage: .usage
      case .partial: .partial
      case .noNode: .noNode
      case .notFound: .notFound
      case .notAllowed, .identityChanged: .notAllowed
      case .integrity: .integrity
      case .unreachable: .unreachable
      case .noSpace: .noSpace
      case .conflict: .conflict
      case .timeout: .timedOut
      case .interrupted: .interrupted
      default: .error
      }
    }
  }

  /// What kind of failure.
  public var code: Code
  /// The command's exit code.
  public var exit: Int32
  /// What happened and to what, in a line.
  public var message: String
  /// What to do next, if there is something.
  public var hint: String?
  /// For a `pull` that placed some files and not others: what was placed.
  public var placed: PullResult?
  /// For a `check` that found something wrong: all that was looked at.
  public var checked: CheckResult?
  /// For a `pull` that ended early: what is kept of it, and where.
  public var kept: KeptTransfer?

  /// A failure with its texts; the exit code follows from the code.
  public init(
    _ code: Code, _ message: String, hint: String? = nil, placed: PullResult? = nil, checked: CheckResult? = nil,
    kept: KeptTransfer? = nil
  ) {
    self.code = code
    exit = code.exit.rawValue
    self.message = message
    self.hint = hint
    self.placed = placed
    self.checked = checked
    self.kept = kept
  }

  /// No node listens on the control socket.
  public static func noNode(_ detail: String) -> Failure {
    Failure(.noNode, detail, hint: "start one with: pawl up")
  }
}

extension Failure: Codable {
  private enum CodingKeys: String, CodingKey { case code, exit, message, hint, placed, checked, kept }

  /// Reads the fields of an `error` line.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    code = Code(rawValue: try fields.decode(String.self, forKey: .code))
    exit = try fields.decode(Int32.self, forKey: .exit)
    message = try fields.decode(String.self, forKey: .message)
    hint = try fields.decodeIfPresent(String.self, forKey: .hint)
    placed = try fields.decodeIfPresent(PullResult.self, forKey: .placed)
    checked = try fields.decodeIfPresent(CheckResult.self, forKey: .checked)
    kept = try fields.decodeIfPresent(KeptTransfer.self, forKey: .kept)
  }

  /// Writes the fields of an `error` line.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(code.rawValue, forKey: .code)
    try fields.encode(exit, forKey: .exit)
    try fields.encode(message, forKey: .message)
    try fields.encodeIfPresent(hint, forKey: .hint)
    try fields.encodeIfPresent(placed, forKey: .placed)
    try fields.encodeIfPresent(checked, forKey: .checked)
    try fields.encodeIfPresent(kept, forKey: .kept)
  }
}

extension Failure: CustomStringConvertible {
  /// The message and the hint, as they are.
  public var description: String { hint.map { "\(message) (\($0))" } ?? message }
}
