internal import CUV

/// What went wrong with a socket, a pipe or the loop. Equal by ``code``; ``context`` is for people.
public struct LoopError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of failure that callers tell apart.
  public enum Code: Hashable, Sendable {
    /// Somebody listens on this address or path already.
    case addressInUse
    /// The address is none of this machine's.
    case addressNotAvailable
    /// Nobody listens there.
    case refused
    /// No way there, or no answer.
    case unreachable
    /// The other side cut the connection, or is gone.
    case reset
    /// Closed by this side, or the loop has been stopped.
    case closed
    /// The stream ended inside something that was to be read whole.
    case truncated
    /// The name or path does not exist.
    case notFound
    /// The system does not allow it.
    case permissionDenied
    /// Longer than a socket's path can be.
    case pathTooLong
    /// Something else than a socket lies at the path.
    case notASocket
    /// The process or the system has no descriptor left.
    case tooManyFiles
    /// The system has no memory left.
    case noMemory
    /// The host name has no address.
    case unresolvable
    /// A header announced more bytes than the frame has room for.
    case frameTooLong
    /// Any other error, with the system's (negative) code.
    case other(Int32)
  }

  /// Which kind of failure it is.
  public let code: Code
  /// What was being done, and to what.
  public let context: String

  /// An error of a known kind.
  public init(_ code: Code, _ context: String) {
    self.code = code
    self.context = context
  }

  /// Turns libuv's code, a negative errno, into an error.
  init(status: CInt, _ context: String) {
    self.init(Code(status: status), context)
  }

  /// Throws for a negative result of libuv or of CSys.
  static func check(_ result: CInt, _ context: @autoclosure () -> String) throws(LoopError) {
    if result < 0 { throw LoopError(status: result, context()) }
  }

  /// Two errors of one kind are equal whatever they happened to.
  public static func == (left: LoopError, right: LoopError) -> Bool { left.code == right.code }

  /// Hashes what equality looks at.
  public func hash(into hasher: inout Hasher) { hasher.combine(code) }

  /// `connect 10.0.0.1:7411: nobody listens there`.
  public var description: String { "\(context): \(code.words)" }
}

extension LoopError.Code {
  init(status: CInt) {
    self =
      switch uv_errno_t(rawValue: status) {
      case UV_EADDRINUSE: .addressInUse
      case UV_EADDRNOTAVAIL: .addressNotAvailable
      case UV_ECONNREFUSED: .refused
      case UV_ENETUNREACH, UV_EHOSTUNREACH, UV_ENETDOWN, UV_EHOSTDOWN, UV_ETIMEDOUT: .unreachable
      case UV_ECONNRESET, UV_EPIPE, UV_ECONNABORTED, UV_ENOTCONN: .reset
      case UV_ECANCELED: .closed
      case UV_ENOENT, UV_ENOTDIR: .notFound
      case UV_EACCES, UV_EPERM: .permissionDenied
      case UV_ENAMETOOLONG: .pathTooLong
      case UV_ENOTSOCK: .notASocket
      case UV_EMFILE, UV_ENFILE: .tooManyFiles
      case UV_ENOMEM: .noMemory
      case UV_EAI_AGAIN, UV_EAI_FAIL, UV_EAI_NODATA, UV_EAI_NONAME, UV_EAI_ADDRFAMILY, UV_EAI_FAMILY, UV_EAI_SERVICE:
        .unresolvable
      default: .other(status)
      }
  }

  fileprivate var words: String {
    switch self {
    case .addressInUse: "already in use"
    case .addressNotAvailable: "not an address of this machine"
    case .refused: "nobody listens there"
    case .unreachable: "unreachable"
    case .reset: "cut by the other side"
    case .closed: "closed"
    case .truncated: "ended too early"
    case .notFound: "not found"
    case .permissionDenied: "permission denied"
    case .pathTooLong: "the path is too long for a socket (at most \(UnixPath.maximumBytes) bytes)"
    case .notASocket: "not a socket"
    case .tooManyFiles: "too many open files"
    case .noMemory: "no memory left"
    case .unresolvable: "the name has no address"
    case .frameTooLong: "longer than a frame may be"
    case .other(let status): String(cString: uv_strerror(status))
    }
  }
}

/// A deadline passed before the operation was done.
public struct TimeoutError: Error, Hashable, Sendable, CustomStringConvertible {
  /// All timeouts are alike.
  public init() {}

  /// `timed out`.
  public var description: String { "timed out" }
}
