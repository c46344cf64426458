internal import EventLoop
internal import Session
internal import Store

/// Waiting for a peer that can be talked to.
extension Peer {
  /// Whether payloads can go out now and be acted on.
  var isReady: Bool { isLinked && machine.isConfirmed }

  /// Whether a link is up on which the peer has spoken.
  var isLinked: Bool { links.contains(where: \.isAccepted) }

  /// Waits for a link and a confirmed session, dialling at once if there is neither.
  func ready(by deadline: Deadline) async throws {
    if row.blocked { throw NodeError.identityChanged(row.alias) }
    let before = timesTurnedAway
    await beginWaiting()
    defer { endWaiting() }
    while !isReady, !isStopped {
      try Task.checkCancellation()
      // Once may be a node that is just shutting down. Silence has no reason in it: that of a node that has revoked us, or that
      // has to decide first, is the silence of one that has no room.
      guard timesTurnedAway < before + 2 else {
        if let commitFailure { throw commitFailure }
        throw NodeError(
          .unreachable, "\(row.alias) is there, but hung up before it said anything; why is not known",
          hint:
            "it may be starting, busy, or no longer paired: try again; if it stays so, look there: does `pawl peers` list this node?"
        )
      }
      guard let remaining = deadline.remaining, remaining > .zero else {
        // Not the peer's fault, whatever it looks like.
        if let commitFailure { throw commitFailure }
        throw NodeError(
          .unreachable, links.isEmpty ? "cannot reach \(row.alias)" : "\(row.alias) is there, but the session is not ready",
          hint: "is its node running? `pawl peers` shows when it was last seen")
      }
      let timer = startTask { [context] in
        // One that was cancelled wakes nobody: it would cancel the timers of all others, and they it.
        if (try? await context.loop.sleep(for: min(remaining, .seconds(1)))) != nil { self.wakeReadiness() }
      }
      await withTaskCancellationHandler {
        await withCheckedContinuation { readinessWaiters.append($0) }
      } onCancel: {
        startTask { await self.wakeReadiness() }
      }
      timer.cancel()
    }
    if isStopped { throw stopReason }
  }

  func wakeReadiness() {
    let woken = readinessWaiters
    readinessWaiters = []
    for waiter in woken { waiter.resume() }
  }
}
