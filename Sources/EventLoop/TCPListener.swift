internal import CUV
internal import Glibc

/// Accepts TCP connections at one address. Dropping the last reference closes it.
public actor TCPListener {
  private nonisolated let socket: ListeningSocket
  /// Where it listens, with the real port.
  public nonisolated let localAddress: SocketAddress

  /// Pinned to the loop that it was made on.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { socket.loop.asUnownedSerialExecutor() }

  private init(socket: ListeningSocket, localAddress: SocketAddress) {
    self.socket = socket
    self.localAddress = localAddress
  }

  deinit { socket.loop.post { [socket] in socket.close() } }

  /// Listens at a numeric address or at the first address of a name; port 0 takes a free one. `::` takes IPv4 as well,
  /// and stands for `0.0.0.0` where the system has no IPv6. A port that a connection of ours used a moment ago is free
  /// (SO_REUSEADDR).
  ///
  /// Throws ``LoopError/Code/addressInUse``, ``LoopError/Code/addressNotAvailable``, ``LoopError/Code/permissionDenied``,
  /// ``LoopError/Code/unresolvable``.
  public static func bind(
    host: String, port: UInt16, backlog: Int32 = 128, on loop: EventLoop
  ) async throws -> TCPListener {
    guard let address = try await Resolver.resolve(host: host, port: port, on: loop).first else {
      throw LoopError(.unresolvable, "listen \(host)")
    }
    let (descriptor, localAddress) = try Self.listen(at: address, backlog: backlog)
    let socket = ListeningSocket(descriptor, loop: loop, name: "\(localAddress)")
    let listener = TCPListener(socket: socket, localAddress: localAddress)
    try await listener.open()
    return listener
  }

  private static func listen(at address: SocketAddress, backlog: CInt) throws(LoopError) -> (CInt, SocketAddress) {
    do {
      return try listen(atExactly: address, backlog: backlog)
    } catch {
      let hasNoIPv6 = error.code == .addressNotAvailable || error.code == .other(UV_EAFNOSUPPORT.rawValue)
      guard address.isIPv6, address.isWildcard, hasNoIPv6 else { throw error }
      guard let everyIPv4 = SocketAddress(ip: "0.0.0.0", port: address.port) else { throw error }
      return try listen(atExactly: everyIPv4, backlog: backlog)
    }
  }

  private static func listen(
    atExactly address: SocketAddress, backlog: CInt
  ) throws(LoopError) -> (CInt, SocketAddress) {
    let name = "listen \(address)"
    let socket = try NewSocket(family: address.isIPv6 ? AF_INET6 : AF_INET, name: name)
    try socket.set(SO_REUSEADDR, level: SOL_SOCKET, to: 1, name: name)
    if address.isIPv6 { try socket.set(IPV6_V6ONLY, level: CInt(IPPROTO_IPV6), to: 0, name: name) }
    let descriptor = socket.descriptor
    try socket.check(address.withSockaddr { Glibc.bind(descriptor, $0, $1) }, name)
    try socket.check(Glibc.listen(descriptor, backlog), name)
    let bound = SocketAddress.read { pointer, length in
      var room = socklen_t(length.pointee)
      return getsockname(descriptor, pointer, &room)
    }
    guard let bound else { throw LoopError(.addressNotAvailable, name) }
    return (socket.release(), bound)
  }

  private func open() throws { try socket.open() }

  /// The next connection. Any number of tasks may wait; ``LoopError/Code/closed`` once the listener is closed. Any
  /// other error is not the end: see ``AcceptRetry``.
  public func accept() async throws -> TCPStream {
    while true {
      let descriptor = try await socket.accept()
      let remote = SocketAddress.read { pointer, length in
        var room = socklen_t(length.pointee)
        return getpeername(descriptor, pointer, &room)
      }
      guard let remote else {
        // Gone again already.
        Glibc.close(descriptor)
        continue
      }
      let core = StreamCore(.tcp, loop: socket.loop, name: "\(remote)")
      try core.adopt(descriptor)
      return TCPStream(core: core, remoteAddress: remote)
    }
  }

  /// Stops listening; waits until the port is free. Connections accepted before live on. Any number of times.
  public func close() async { await socket.closeAndWait() }
}
