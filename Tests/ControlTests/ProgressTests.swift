import API
import Control
import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5))) struct ProgressTests {
  @Test func aMillionStepsMakeFewLinesAndTheResultComesLast() async throws {
    let node = FakeNode { request, replies in
      for step in 0..<1_000_000 as Range<UInt64> {
        replies.progress(Progress(phase: .fetching, bytes: step, bytesTotal: 1_000_000))
      }
      return FakeNode.pulled(request.artifact)
    }
    try await Running.with(node) { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.pull(PullRequest(artifact: "a/b", directory: "/")))
      var steps: [UInt64] = []
      while case .progress(let progress) = try await next(client) { steps.append(progress.bytes) }
      #expect(steps == steps.sorted())
      #expect(steps.count < 1_000)
      // The result came; the connection is ready for the next request.
      try await client.send(.id)
      guard case .result = try await client.reply(IdentityResult.self) else {
        Issue.record("a line came behind the result")
        return
      }
      await client.stream.close()
    }
  }

  /// With an hour between two lines of progress, a result that waited for it would not come.
  @Test(.timeLimit(.minutes(1))) func aResultGoesOutWhenItIsKnownAndTheNewestProgressBeforeIt() async throws {
    let (firstSeen, firstIsSeen) = AsyncStream.makeStream(of: Void.self)
    let node = FakeNode { request, replies in
      replies.progress(Progress(phase: .fetching, bytes: 1, bytesTotal: 3))
      for await _ in firstSeen { break }
      for step in [2, 3] as [UInt64] { replies.progress(Progress(phase: .fetching, bytes: step, bytesTotal: 3)) }
      return FakeNode.pulled(request.artifact)
    }
    try await Running.with(node, progressInterval: .seconds(3_600)) { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.pull(PullRequest(artifact: "a/b", directory: "/")))
      var steps: [UInt64] = []
      while case .progress(let progress) = try await next(client) {
        steps.append(progress.bytes)
        firstIsSeen.yield()
      }
      // The line that was not a progress was the result: the next request has its answer.
      #expect(steps == [1, 3])
      try await client.send(.id)
      guard case .result = try await client.reply(IdentityResult.self) else {
        Issue.record("no result")
        return
      }
      await client.stream.close()
    }
  }

  @Test func eventsAreNeverDropped() async throws {
    let node = FakeNode { request, replies in
      for number in 0..<500 { await replies.event(.notice("\(number)")) }
      return FakeNode.pulled(request.artifact)
    }
    try await Running.with(node) { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.pull(PullRequest(artifact: "a/b", directory: "/")))
      for number in 0..<500 { #expect(try await next(client) == .event(.notice("\(number)"))) }
      guard case .result = try await next(client) else {
        Issue.record("no result")
        return
      }
      await client.stream.close()
    }
  }

  @Test func aConflictCarriesWhatWasPlaced() async throws {
    let node = FakeNode { request, _ in
      throw Failure(.conflict, "1 file was left alone", placed: FakeNode.pulled(request.artifact, bytes: 7))
    }
    try await Running.with(node) { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.pull(PullRequest(artifact: "a/b", directory: "/")))
      let failure = try await client.failure()
      #expect(failure.exit == 16)
      #expect(failure.placed?.bytes == 7)
      await client.stream.close()
    }
  }

  private func next(_ client: TestClient) async throws -> Reply<PullResult> { try await client.reply(PullResult.self) }
}
