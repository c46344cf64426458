internal import Artifact
internal import EventLoop
internal import Store
internal import Transfer

extension Peer {
  /// How long a user waits for a peer that is not linked yet.
  static let readyTime = Duration.seconds(15)
  /// How long an answer may take, once the peer is there.
  static let answerTime = Duration.seconds(15)
  /// Pages of a listing that are taken before the other side is taken for endless.
  static let maximumPages = 1_000

  /// Everything the peer shares with us, page by page.
  func listing(_ take: ([CatalogEntry]) async -> Void) async throws {
    var after: String?
    for _ in 0..<Self.maximumPages {
      let cursor = after
      let answer = try await ask { .catalogRequest(CatalogRequest(request: $0, after: cursor)) }
      guard case .catalog(let page) = answer else { throw unexpectedAnswer() }
      await take(page.entries)
      guard let next = page.next, next != after else { return }
      after = next
    }
    throw NodeError(.integrity, "\(row.alias) sends a listing without an end")
  }

  /// The artifact behind a name, or nil: there is none, or none for us.
  func resolve(_ name: ArtifactName, version: ArtifactVersion?) async throws -> CatalogEntry? {
    let answer = try await ask { .resolve(Resolve(request: $0, name: name, version: version)) }
    guard case .resolved(let resolved) = answer else { throw unexpectedAnswer() }
    guard let entry = resolved.entry else { return nil }
    guard entry.name == name, version == nil || entry.version == version else { throw unexpectedAnswer() }
    return entry
  }

  /// Sends a request and waits for the answer with its number.
  private func ask(_ message: (RequestNumber) -> ControlMessage) async throws -> ControlMessage {
    try await ready(by: .after(Self.readyTime))
    guard !replies.isFull else {
      throw NodeError(.noSpace, "too many requests to \(row.alias) are waiting", hint: "try again in a moment")
    }
    let number = replies.number()
    let payload = message(number).payload
    let alias = row.alias
    let timer = startTask { [context] in
      try await context.loop.sleep(for: Self.answerTime)
      self.answer(
        number, with: .failure(self.commitFailure ?? NodeError(.unreachable, "\(alias) did not answer", hint: "try again")))
    }
    defer { timer.cancel() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        replies.wait(for: number, continuation)
        send(payload) { error in startTask { await self.answer(number, with: .failure(error)) } }
      }
    } onCancel: {
      startTask { await self.answer(number, with: .failure(CancellationError())) }
    }
  }

  /// An answer has come, or will not.
  func answer(_ number: RequestNumber, with result: Result<ControlMessage, any Error>) {
    replies.resolve(number, with: result)
  }

  private func unexpectedAnswer() -> NodeError {
    NodeError(.integrity, "\(row.alias) answered with something else than what was asked for")
  }
}
