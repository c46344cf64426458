import EventLoop
import Glibc
import Testing

/// A machine's addresses come and go.
@Suite struct InterfaceTests {
  private static let isAllowed = geteuid() == 0 && system("unshare -n ip -V > /dev/null 2>&1") == 0

  @Test(.enabled(if: isAllowed, "only root may make network namespaces"), .timeLimit(.minutes(1)))
  func everyChangeOfAnAddressIsSaid() async throws {
    try await withLoop { loop in
      try await loop.run {
        // The loop's thread alone moves to a network of its own. Why so: `unshare` needs _GNU_SOURCE.
        typealias Unshare = @convention(c) (CInt) -> CInt
        let symbol = try #require(dlsym(nil, "unshare"))
        try #require(unsafeBitCast(symbol, to: Unshare.self)(0x4000_0000) == 0)
      }
      var changes = try await NetworkInterfaces.changes(on: loop).makeAsyncIterator()
      for command in ["ip link set lo up", "ip addr add 192.0.2.7/32 dev lo", "ip addr del 192.0.2.7/32 dev lo"] {
        try await loop.run { try #require(system(command) == 0) }
        try #require(await changes.next() != nil)
        // What belongs to the same change.
        try await loop.run {}
      }
      #expect(try await loop.run { NetworkInterfaces.addresses() }.contains { $0.address.host == "127.0.0.1" })
    }
  }

  @Test func theChangesEndWithTheLoop() async throws {
    let loop = EventLoop(name: "test.loop")
    let changes = try await NetworkInterfaces.changes(on: loop)
    let end = Task { for await _ in changes {} }
    await loop.stop()
    await end.value
  }

  @Test func whoNoLongerListensClosesTheWatcher() async throws {
    try await withLoop { loop in
      for _ in 0..<50 {
        let listening = Task { for await _ in try await NetworkInterfaces.changes(on: loop) {} }
        listening.cancel()
        try? await listening.value
      }
    }
  }
}
