import API
import Control
import EventLoop
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct ControlServerTests {
  @Test func aRequestGetsItsResult() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.status)
      guard case .result(let status) = try await client.reply(StatusResult.self) else {
        Issue.record("no result")
        return
      }
      #expect(status.name == "studio")
      await client.stream.close()
    }
  }

  @Test func requestsOnOneConnectionAreAnsweredInTheirOrder() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      // Sent together: the second waits its turn.
      let lines = try Lines.request(.share(ShareRequest(path: "/one"))) + Lines.request(.share(ShareRequest(path: "/two")))
      try await client.stream.write(lines)
      for path in ["/one", "/two"] {
        guard case .result(let result) = try await client.reply(ShareResult.self) else {
          Issue.record("no result")
          return
        }
        #expect(result.artifact == path)
      }
      await client.stream.close()
    }
  }

  @Test func severalClientsAreServedAtOnce() async throws {
    try await Running.with { node, path, loop in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<20 {
          group.addTask {
            let client = try await TestClient(path, on: loop)
            for _ in 0..<5 {
              try await client.send(.peers)
              guard case .result = try await client.reply(PeersResult.self) else { throw Failure(.failed, "no result") }
            }
            await client.stream.close()
          }
        }
        try await group.waitForAll()
      }
      #expect(node.mostRunning > 1)
    }
  }

  @Test func oneClientsLongRequestDoesNotHoldUpAnother() async throws {
    try await Running.with { _, path, loop in
      let waiting = try await TestClient(path, on: loop)
      try await waiting.send(.invite(InviteRequest()))
      guard case .event(.ticket(let ticket)) = try await waiting.reply(InviteResult.self) else {
        Issue.record("no ticket")
        return
      }
      #expect(ticket.ticket == "pawl1test")
      let other = try await TestClient(path, on: loop)
      try await other.send(.id)
      guard case .result = try await other.reply(IdentityResult.self) else {
        Issue.record("no result")
        return
      }
      await other.stream.close()
      await waiting.stream.close()
    }
  }

  @Test func aClientThatDisconnectsCancelsItsInvite() async throws {
    try await Running.with { node, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.invite(InviteRequest()))
      _ = try await client.reply(InviteResult.self)
      await client.stream.close()
      await node.waitForCancellation(of: "invite")
    }
  }

  @Test func aClientThatEndsItsSideIsToldThatItsRequestWasCancelled() async throws {
    try await Running.with { node, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.invite(InviteRequest()))
      _ = try await client.reply(InviteResult.self)
      try await client.stream.shutdownWrite()
      let failure = try await client.failure()
      #expect(failure.code == .interrupted)
      #expect(failure.exit == 130)
      #expect(failure.message.contains("ticket is withdrawn"))
      await node.waitForCancellation(of: "invite")
      #expect(try await client.line() == nil)
      await client.stream.close()
    }
  }

  @Test func aBriefRequestThroughAPipeThatClosesAtOnceIsAnswered() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.peers)
      try await client.stream.shutdownWrite()
      guard case .result = try await client.reply(PeersResult.self) else {
        Issue.record("no result")
        return
      }
      #expect(try await client.line() == nil)
      await client.stream.close()
    }
  }

  @Test func aResultOfMegabytesArrivesWhole() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.show(ShowRequest(artifact: "a")))
      guard case .result(let result) = try await client.reply(ShowResult.self) else {
        Issue.record("no result")
        return
      }
      #expect(result.files.count == 20_000)
      await client.stream.close()
    }
  }

  @Test func aFailureKeepsItsCodeAndAStrangeErrorItsSecret() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.revoke(RevokeRequest(peer: "nobody")))
      #expect(try await client.failure().code == .notFound)
      try await client.send(.unshare(UnshareRequest(artifact: "x")))
      let failure = try await client.failure()
      #expect(failure.code == .failed)
      #expect(!failure.description.contains("secret"))
      await client.stream.close()
    }
  }

  @Test func theSocketIsForItsOwnerAndGoneAtTheEnd() async throws {
    let loop = EventLoop()
    let folder = try temporaryFolder()
    let path = folder + "/control.sock"
    let server = try await ControlServer.bind(path: path, backend: FakeNode(), loop: loop, logger: quietLogger)
    var facts = stat()
    #expect(stat(path, &facts) == 0)
    #expect(facts.st_mode & 0o777 == 0o600)
    let running = Task { await server.run() }
    running.cancel()
    await running.value
    #expect(access(path, F_OK) != 0)
    await loop.stop()
    rmdir(folder)
  }

  @Test func theEndOfTheServerCancelsRequestsUnderWay() async throws {
    let loop = EventLoop()
    let folder = try temporaryFolder()
    let path = folder + "/control.sock"
    let node = FakeNode()
    let server = try await ControlServer.bind(path: path, backend: node, loop: loop, logger: quietLogger)
    let running = Task { await server.run() }
    let client = try await TestClient(path, on: loop)
    try await client.send(.invite(InviteRequest()))
    _ = try await client.reply(InviteResult.self)
    running.cancel()
    await running.value
    await node.waitForCancellation(of: "invite")
    #expect(try await client.failure().code == .interrupted)
    await client.stream.close()
    await loop.stop()
    rmdir(folder)
  }

  @Test func aSocketLeftOverFromACrashIsReplacedAndALiveOneIsNot() async throws {
    let loop = EventLoop()
    let folder = try temporaryFolder()
    let path = folder + "/control.sock"
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
      }
    }
    close(left)
    let first = try await ControlServer.bind(path: path, backend: FakeNode(), loop: loop, logger: quietLogger)
    await #expect(throws: LoopError.self) {
      _ = try await ControlServer.bind(path: path, backend: FakeNode(), loop: loop, logger: quietLogger)
    }
    let running = Task { await first.run() }
    running.cancel()
    await running.value
    await loop.stop()
    rmdir(folder)
  }

  @Test func theBlockingClientSpeaksWithTheServer() async throws {
    try await Running.with { _, path, loop in
      let lines = try await onAThread {
        var client = try Client(path: path)
        try client.send(.status)
        let status = try Lines.readReply(try client.nextLine(), as: StatusResult.self)
        try client.send(.invite(InviteRequest()))
        let ticket = try Lines.readReply(try client.nextLine(), as: InviteResult.self)
        client.stopWriting()
        let end = try Lines.readReply(try client.nextLine(), as: InviteResult.self)
        let lost = #expect(throws: Failure.self) { try client.nextLine() }
        return (status, ticket, end, lost?.code)
      }
      guard case .result = lines.0, case .event(.ticket) = lines.1, case .failure(let failure) = lines.2 else {
        Issue.record("other lines than expected")
        return
      }
      #expect(failure.code == .interrupted)
      #expect(lines.3 == .noNode)
    }
  }
}

/// Runs what blocks where nobody else waits for a thread.
func onAThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  let pool = WorkerPool(threads: 1, name: "blocking")
  let outcome: Result<Value, any Error>
  do { outcome = .success(try await pool.run(body)) } catch { outcome = .failure(error) }
  await pool.stop()
  return try outcome.get()
}
