import API
@testable import Control
import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5))) struct HostileClientTests {
  private static let garbage = [
    "garbage", "{}", "[]", "null", #"{"verb":"fly"}"#, #"{"verb":"status","verb":"id"}"#, "\u{0}\u{1}\u{2}", "GET / HTTP/1.1",
    #"{"verb":"pull","artifact":"a/b","directory":"/","only":"x"}"#,
  ]

  @Test(arguments: garbage) func garbageGetsAnErrorLineAndTheConnectionLivesOn(_ text: String) async throws {
    try await Self.expectError(for: text)
  }

  @Test(arguments: ["[", #"{"verb":"#]) func deepNestingGetsAnErrorLine(_ opening: String) async throws {
    try await Self.expectError(for: String(repeating: opening, count: 100_000))
  }

  private static func expectError(for text: String) async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(text: text + "\n")
      let failure = try await client.failure()
      #expect(failure.code == .usage)
      try await client.send(.id)
      guard case .result = try await client.reply(IdentityResult.self) else {
        Issue.record("the connection is dead")
        return
      }
      await client.stream.close()
    }
  }

  @Test func bytesThatAreNotUTF8GetAnErrorLine() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.stream.write([0xFF, 0xFE, 0x00, 0xC3, 0x0A])
      #expect(try await client.failure().code == .usage)
      await client.stream.close()
    }
  }

  @Test func aLineThatIsTooLongGetsAnErrorAndTheEnd() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      let part = [UInt8](repeating: UInt8(ascii: "x"), count: LineDecoder.maximumRequestBytes + 1)
      try? await client.stream.write(part)
      #expect(try await client.failure().message.contains("longer than"))
      #expect(try await client.line() == nil)
      await client.stream.close()
    }
  }

  @Test func halfALineAndThenNothingIsNoRequest() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(text: #"{"verb":"status""#)
      try await client.stream.shutdownWrite()
      #expect(try await client.line() == nil)
      await client.stream.close()
    }
  }

  @Test func aFloodBehindALongRequestEndsIt() async throws {
    try await Running.with { node, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.invite(InviteRequest()))
      _ = try await client.reply(InviteResult.self)
      let flood = [UInt8](repeating: UInt8(ascii: "\n"), count: LineDecoder.maximumRequestBytes + 64 * 1024)
      try? await client.stream.write(flood)
      await node.waitForCancellation(of: "invite")
      await client.stream.close()
    }
  }

  @Test func aHundredConnectionsThatSayNothingDoNotKeepOthersOut() async throws {
    try await Running.with { _, path, loop in
      var silent: [TestClient] = []
      for _ in 0..<100 { silent.append(try await TestClient(path, on: loop)) }
      let client = try await TestClient(path, on: loop)
      try await client.send(.id)
      guard case .result = try await client.reply(IdentityResult.self) else {
        Issue.record("no result")
        return
      }
      for client in silent + [client] { await client.stream.close() }
    }
  }

  @Test func whoSaysNothingMakesRoomForACommand() async throws {
    try await Running.with(patience: .zero) { _, path, loop in
      var silent: [TestClient] = []
      for _ in 0..<ControlServer.capacity { silent.append(try await TestClient(path, on: loop)) }
      let client = try await TestClient(path, on: loop)
      try await client.send(.id)
      guard case .result = try await client.reply(IdentityResult.self) else {
        Issue.record("no result")
        return
      }
      #expect(try await silent[0].line() == nil, "the one that was silent longest is closed")
      // Who was heard last is not.
      try await silent[1].send(.id)
      _ = try await silent[1].reply(IdentityResult.self)
      for client in silent + [client] { await client.stream.close() }
    }
  }

  @Test func aClientThatReadsNothingHoldsTheEndUpForOneLineAtMost() async throws {
    let loop = EventLoop()
    let (client, stream) = try await PipeStream.pair(on: loop)
    // Their answers are more than a socket holds.
    try await client.write(Array(String(repeating: "{}\n", count: 10_000).utf8))
    let serving = Task {
      await ControlConnection(stream, on: loop, backend: FakeNode(), logger: quietLogger).serve()
    }
    serving.cancel()
    await serving.value
    await client.close()
    await loop.stop()
  }

  @Test func aClientThatTakesNoAnswerGivesItsPlaceUp() async throws {
    let loop = EventLoop()
    let (client, stream) = try await PipeStream.pair(on: loop)
    try await client.write(try Lines.request(.show(ShowRequest(artifact: "a/b"))))
    await ControlConnection(
      stream, on: loop, backend: FakeNode(), logger: quietLogger, lineTimeout: .zero
    ).serve()
    await client.close()
    await loop.stop()
  }

  @Test func aPullWhoseProgressNobodyReadsEndsAllTheSame() async throws {
    let loop = EventLoop()
    let (client, stream) = try await PipeStream.pair(on: loop)
    let node = FakeNode { request, replies in
      let file = String(repeating: "x", count: 1_000_000)
      for _ in 0..<100 {
        replies.progress(Progress(phase: .fetching, file: file, bytes: 1, bytesTotal: 2))
        await Task.yield()
      }
      return FakeNode.pulled(request.artifact)
    }
    let pull = PullRequest(artifact: "a/b", directory: "/p")
    try await client.write(try Lines.request(.pull(pull)))
    await ControlConnection(
      stream, on: loop, backend: node, logger: quietLogger, progressInterval: .zero, lineTimeout: .zero
    ).serve()
    await client.close()
    await loop.stop()
  }

  @Test func whereAllAreBusyANewClientIsToldSo() async throws {
    try await Running.with(patience: .zero) { node, path, loop in
      var busy: [TestClient] = []
      for _ in 0..<ControlServer.capacity {
        let client = try await TestClient(path, on: loop)
        try await client.send(.invite(InviteRequest()))
        _ = try await client.reply(InviteResult.self)
        busy.append(client)
      }
      let client = try await TestClient(path, on: loop)
      let failure = try await client.failure()
      #expect(failure.code == .noSpace && failure.message.contains("clients are connected to the node already"))
      #expect(try await client.line() == nil)
      // As the command itself sees it, which writes before it reads.
      let told = await #expect(throws: Failure.self) {
        try await onAThread {
          var client = try Client(path: path)
          try client.send(.id)
          guard case .failure(let failure) = try Lines.readReply(try client.nextLine(), as: IdentityResult.self) else { return }
          throw failure
        }
      }
      #expect(told?.code == .noSpace)
      // One that ends makes room.
      await busy[0].stream.close()
      await node.waitForCancellation(of: "invite")
      for client in busy { await client.stream.close() }
    }
  }
}
