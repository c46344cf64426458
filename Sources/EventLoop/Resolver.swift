internal import CUV
internal import Glibc

/// Host names to addresses, on libuv's thread pool, which serves nothing else.
public enum Resolver {
  /// The addresses of `host` in the system's order of preference, without duplicates. A numeric address is not looked
  /// up. Throws ``LoopError/Code/unresolvable`` for a name that has none.
  public static func resolve(
    host: String, port: UInt16, on loop: EventLoop, deadline: Deadline = .never
  ) async throws -> [SocketAddress] {
    if let address = SocketAddress(ip: host, port: port) { return [address] }
    guard !host.isEmpty, !host.utf8.contains(0) else { throw LoopError(.unresolvable, "resolve \(host)") }
    return try await Lookup(host: host, loop: loop).addresses(deadline: deadline).map { $0.withPort(port) }
  }
}

/// One request; lives until libuv has called back, whoever still waits for it.
private actor Lookup {
  private let host: String
  private let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(host: String, loop: EventLoop) {
    self.host = host
    self.loop = loop
  }

  func addresses(deadline: Deadline) async throws -> [SocketAddress] {
    let request = LookupRequest(loop: loop, host: host)
    try request.start()
    return try await request.waiter.value(until: deadline)
  }
}

/// - Note: `@unchecked Sendable`: touched on the loop's thread only.
private final class LookupRequest: LoopResource, @unchecked Sendable {
  private let loop: EventLoop
  private let host: String
  private let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
  let waiter: Waiter<[SocketAddress]>

  init(loop: EventLoop, host: String) {
    self.loop = loop
    self.host = host
    waiter = Waiter(loop: loop)
  }

  deinit { request.deallocate() }

  func start() throws {
    try loop.register(self)
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    let status = uv_getaddrinfo(loop.raw, request, lookupIsDone, host, nil, &hints)
    if status < 0 { loop.deregister(self) }
    try LoopError.check(status, "resolve \(host)")
    waiter.onGivingUp = { [self] in cancel() }
  }

  func close() {
    waiter.fail(LoopError(.closed, "resolve \(host)"))
    cancel()
  }

  /// Works while the request waits for a thread; after that the answer comes and is dropped.
  private func cancel() { uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self)) }

  func done(_ status: CInt, _ list: UnsafeMutablePointer<addrinfo>?) {
    var found: [SocketAddress] = []
    var next = list
    while let entry = next {
      if let address = entry.pointee.ai_addr.flatMap({ SocketAddress($0) }), !found.contains(address) {
        found.append(address)
      }
      next = entry.pointee.ai_next
    }
    if let list { uv_freeaddrinfo(list) }
    if status < 0 {
      waiter.fail(LoopError(status: status, "resolve \(host)"))
    } else if found.isEmpty {
      waiter.fail(LoopError(.unresolvable, "resolve \(host)"))
    } else {
      waiter.succeed(found)
    }
    loop.deregister(self)
  }
}

private func lookupIsDone(
  _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?, _ status: CInt, _ list: UnsafeMutablePointer<addrinfo>?
) {
  guard let context = request?.pointee.data else { return }
  Unmanaged<LookupRequest>.fromOpaque(context).takeUnretainedValue().done(status, list)
}
