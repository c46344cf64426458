import EventLoop
import Glibc

/// A network of its own for a loop: what its thread opens from now on is there, as on another machine.
struct NetworkNamespace: Sendable {
  let loop: EventLoop
  /// The thread whose network it is, as `ip` and `nsenter` name it.
  private let thread: String

  /// Whether this process may make one; only root may.
  static let isAllowed = geteuid() == 0 && system("unshare -n ip -V > /dev/null 2>&1") == 0

  init(_ name: String) async throws {
    let loop = EventLoop(name: name)
    self.loop = loop
    thread = try await loop.run {
      // Declared under _GNU_SOURCE only, which Swift's Glibc module does not set.
      typealias Unshare = @convention(c) (CInt) -> CInt
      guard let symbol = dlsym(nil, "unshare") else { throw LoopError(.notFound, "unshare") }
      let newNetwork: CInt = 0x4000_0000
      guard unsafeBitCast(symbol, to: Unshare.self)(newNetwork) == 0 else { throw LoopError(.permissionDenied, "unshare") }
      var path = [UInt8](repeating: 0, count: 64)
      let count = readlink("/proc/thread-self", &path, path.count)
      let text = String(decoding: path.prefix(max(0, count)), as: UTF8.self)
      return text.split(separator: "/").last.map(String.init) ?? ""
    }
    try await ip("link set lo up")
  }

  /// Runs `body` on the loop, so that listeners that it opens are in this network too.
  func run<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
    try await Resident(loop: loop).run(body)
  }

  /// A place in this network where every connection ends at once.
  func hangUp(_ host: String) async throws -> HangUp {
    try await HangUp.open(.atOnce, on: try await Resident(loop: loop).listen(host), host: host, loop: loop)
  }

  /// Runs `ip` in this network.
  func ip(_ arguments: String) async throws {
    try await loop.run {
      guard system("ip \(arguments)") == 0 else { throw LoopError(.other(-1), "ip \(arguments)") }
    }
  }

  /// Lays a cable to another network, with these addresses at its ends.
  func connect(_ here: String, to other: NetworkNamespace, _ there: String) async throws {
    try await ip("link add cable type veth peer name cable netns \(other.thread)")
    for (network, address) in [(self, here), (other, there)] {
      try await network.ip("addr add \(address) dev cable")
      try await network.ip("link set cable up")
    }
  }
}

private actor Resident {
  private let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(loop: EventLoop) { self.loop = loop }

  func run<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value { try await body() }

  func listen(_ host: String) async throws -> TCPListener { try await TCPListener.bind(host: host, port: 0, on: loop) }
}
