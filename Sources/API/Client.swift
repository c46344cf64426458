internal import Glibc

/// A connection to the node's control socket: blocking, for a program that does one thing at a time.
///
/// No event loop and no threads: a command is done in a few milliseconds. Closed when it goes away.
public struct Client: ~Copyable {
  /// What one `read` takes.
  private static let readBytes = 64 * 1024

  /// The socket, for a signal handler that ends the writing side.
  public let descriptor: Int32
  private var lines = LineDecoder(maximumBytes: LineDecoder.maximumReplyBytes)
  private var scratch = [UInt8](repeating: 0, count: readBytes)

  /// Connects. Throws a ``Failure``: `no_node` if nobody listens there, also where a node that died left its socket.
  public init(path: String) throws(Failure) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(.failed, "no socket could be made: \(Self.reason(errno))") }
    let error = Self.connect(descriptor, to: path)
    guard error == 0 else {
      close(descriptor)
      throw Self.failure(error, path)
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Sends a request. Throws a ``Failure``.
  public mutating func send(_ request: Request) throws(Failure) {
    let line: [UInt8]
    do { line = try Lines.request(request) } catch {
      throw Failure(.usage, "the request cannot be written as JSON")
    }
    guard line.count <= LineDecoder.maximumRequestBytes else {
      throw Failure(.usage, "the request is too long: \(line.count) bytes, and \(LineDecoder.maximumRequestBytes) are allowed")
    }
    var sent = 0
    while sent < line.count {
      let count = line[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0, errno == EINTR { continue }
      // Whoever refuses a client says why and hangs up: the line can still be read.
      if count < 0, errno == EPIPE { return }
      guard count > 0 else { throw Self.lost }
      sent += count
    }
  }

  /// The node's next line, without its newline. Throws a ``Failure`` with code `no_node` if the node went away.
  public mutating func nextLine() throws(Failure) -> [UInt8] {
    while true {
      do throws(LineDecoder.TooLong) {
        if let line = try lines.next() { return line }
      } catch {
        throw Failure(.failed, "the node's answer is longer than \(error.maximumBytes) bytes")
      }
      let count = scratch.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.lost }
      lines.append(Array(scratch[..<count]))
    }
  }

  /// Tells the node that nobody waits any longer: an `invite`, `join`, `share`, `pull` or `check` under way ends with
  /// `interrupted`, which can still be read.
  public func stopWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  private static let lost = Failure(
    .noNode, "the node went away before it answered", hint: "its log says why; start it again with: pawl up")

  private static func connect(_ descriptor: Int32, to path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count <= SocketLocation.maximumPathBytes else { return ENAMETOOLONG }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        while Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) != 0 {
          guard errno == EINTR else { return errno }
        }
        return 0
      }
    }
  }

  private static func failure(_ error: Int32, _ path: String) -> Failure {
    switch error {
    case ENOENT, ENOTDIR: .noNode("no node is running (nobody listens on \(path))")
    case ECONNREFUSED: .noNode("no node is running (\(path) was left over by one that ended)")
    case EACCES, EPERM:
      Failure(.notAllowed, "no permission to use \(path)", hint: "the node of another user? PAWL_HOME says which node is meant")
    case EAGAIN:
      Failure(.failed, "the node does not answer on \(path)", hint: "it has too many clients, or it hangs; see its log")
    default: Failure(.failed, "\(path) cannot be connected to: \(reason(error))")
    }
  }

  private static func reason(_ error: Int32) -> String { String(cString: strerror(error)) }
}
