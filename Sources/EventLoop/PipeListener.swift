internal import CSys
internal import Glibc

/// Accepts connections on a Unix socket that only the owner can open. Dropping the last reference stops listening and
/// leaves the file, which the next ``bind(path:backlog:on:)`` recognises as stale.
public actor PipeListener {
  private nonisolated let socket: ListeningSocket
  /// Where it listens.
  public nonisolated let path: String
  private let identity: FileIdentity?

  /// Pinned to the loop that it was made on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { socket.loop.asUnownedSerialExecutor() }

  private init(socket: ListeningSocket, path: String) {
    self.socket = socket
    self.path = path
    identity = FileIdentity(path)
  }

  deinit { socket.loop.post { [socket] in socket.close() } }

  /// Listens at `path` with mode 0600 from the first moment that anybody can connect. The file of a process that is
  /// gone is replaced.
  ///
  /// Throws ``LoopError/Code/addressInUse`` if somebody answers there, ``LoopError/Code/notASocket`` if something else
  /// lies there, ``LoopError/Code/pathTooLong``, ``LoopError/Code/notFound`` without the folder,
  /// ``LoopError/Code/permissionDenied``.
  public static func bind(path: String, backlog: Int32 = 128, on loop: EventLoop) async throws -> PipeListener {
    try UnixPath.check(path)
    let descriptor = try await UnixPath.withFolderLocked(of: path, on: loop) { () throws(LoopError) in
      try UnixPath.removeIfStale(path)
      return try listen(at: path, backlog: backlog)
    }
    let socket = ListeningSocket(descriptor, loop: loop, name: path)
    let listener = PipeListener(socket: socket, path: path)
    try await listener.open()
    return listener
  }

  private static func listen(at path: String, backlog: CInt) throws(LoopError) -> CInt {
    let name = "listen \(path)"
    let socket = try NewSocket(family: AF_UNIX, name: name)
    let descriptor = socket.descriptor
    try socket.check(UnixPath.withSockaddr(path) { Glibc.bind(descriptor, $0, $1) }, name)
    // Before `listen` nobody can connect, so nobody slips in under the mode that the umask gave.
    try socket.check(chmod(path, S_IRUSR | S_IWUSR), name)
    try socket.check(Glibc.listen(descriptor, backlog), name)
    return socket.release()
  }

  private func open() throws { try socket.open() }

  /// The next connection. Any number of tasks may wait; ``LoopError/Code/closed`` once the listener is closed.
  public func accept() async throws -> PipeStream {
    let descriptor = try await socket.accept()
    let core = StreamCore(.pipe, loop: socket.loop, name: path)
    try core.adopt(descriptor)
    return PipeStream(core: core)
  }

  /// Stops listening and removes the file, unless another has taken its place. Any number of times.
  public func close() async {
    if let identity, identity == FileIdentity(path) { unlink(path) }
    await socket.closeAndWait()
  }
}

/// Which file lies at a path, whatever its name.
private struct FileIdentity: Equatable {
  private let device: dev_t
  private let inode: ino_t

  init?(_ path: String) {
    var info = stat()
    guard lstat(path, &info) == 0 else { return nil }
    device = info.st_dev
    inode = info.st_ino
  }
}

/// What is particular about the paths of Unix sockets.
enum UnixPath {
  /// `sun_path` is 108 bytes on Linux, the last one zero. libuv cuts longer paths without a word.
  static let maximumBytes = 107
  /// How often the folder's lock is tried again while another process binds a socket in it.
  private static let lockInterval = Duration.milliseconds(10)
  /// Longer than anybody binds a socket.
  private static let lockTimeout = Duration.seconds(5)

  static func check(_ path: String) throws(LoopError) {
    if path.utf8.count > maximumBytes { throw LoopError(.pathTooLong, path) }
    if path.isEmpty || path.utf8.contains(0) { throw LoopError(.notFound, "socket path \"\(path)\"") }
  }

  static func withSockaddr<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// Two processes that both find a stale socket must not remove each other's new one.
  static func withFolderLocked<Result>(
    of path: String, on loop: EventLoop, _ body: () throws(LoopError) -> Result
  ) async throws -> Result {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor < 0 { throw LoopError(status: -errno, "open \(folder)") }
    defer { Glibc.close(descriptor) }
    let deadline = Deadline.after(lockTimeout)
    while true {
      let status = sys_flock(descriptor, 1)
      if status >= 0 {
        // Explicitly: a process that is just being started shares the open folder until it runs its program.
        defer { _ = sys_unlock(descriptor) }
        return try body()
      }
      guard status == -EWOULDBLOCK else { throw LoopError(status: status, "lock \(folder)") }
      if deadline.isPast { throw LoopError(.addressInUse, "lock \(folder)") }
      try await loop.sleep(for: lockInterval)
    }
  }

  /// Removes a socket that nobody listens on; throws if somebody does, or if it is no socket.
  static func removeIfStale(_ path: String) throws(LoopError) {
    let name = "listen \(path)"
    var info = stat()
    if lstat(path, &info) != 0 {
      if errno == ENOENT { return }
      throw LoopError(status: -errno, name)
    }
    guard info.st_mode & S_IFMT == S_IFSOCK else { throw LoopError(.notASocket, name) }
    let probe = try NewSocket(family: AF_UNIX, name: name)
    let descriptor = probe.descriptor
    let result = withSockaddr(path) { Glibc.connect(descriptor, $0, $1) }
    let reason = result < 0 ? errno : 0
    switch reason {
    case ECONNREFUSED: try probe.check(unlink(path), name)
    // A full queue (EAGAIN) is somebody's too.
    case 0, EAGAIN, EINPROGRESS: throw LoopError(.addressInUse, name)
    case ENOENT: return
    default: throw LoopError(status: -reason, name)
    }
  }
}
