internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// How a peer's session reaches the store.
extension Peer {
  /// How long an acknowledgement may wait for another commit to go with.
  static let commitPatience = Duration.milliseconds(20)

  /// Writes a step's changes. Returning means that they are on the disk, or that they wait for the next commit because losing them
  /// would only cost a resend. Not to be called twice at the same time. True: the store was written.
  @discardableResult
  func commit(_ commit: SessionCommit) async throws -> Bool {
    let wasEmpty = deferred.isEmpty
    var next = deferred
    let due = next.add(commit, isDue: isFlushDue)
    if let due { try await context.database.apply([due]) }
    deferred = next
    isFlushDue = false
    guard wasEmpty, !deferred.isEmpty else { return due != nil }
    startTask {
      try? await context.loop.sleep(for: Self.commitPatience)
      isFlushDue = !deferred.isEmpty
      if isFlushDue { flush() }
    }
    return due != nil
  }

  /// Writes what waits, when nothing else is being written any more.
  func commitDeferred() async {
    isFlushDue = true
    do { try await commit(SessionCommit(peer: id)) } catch {
      // It costs a resend, and nothing at all where the peer was forgotten meanwhile.
      context.logger.info("acknowledgements were not stored", metadata: ["peer": "\(row.alias)", "error": "\(error)"])
    }
  }
}
