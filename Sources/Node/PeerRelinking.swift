internal import EventLoop
internal import Session

extension Peer {
  /// Between two times that everything unacknowledged goes out again because a link ended: a peer that opens and closes links in
  /// a loop must not make this node send its outbox as often.
  static let relinkInterval = Duration.seconds(1)

  /// One of several links has ended, and what went out on it may be lost: COUNTERS and everything that is not acknowledged go out
  /// on the newest that is left, as on a new link.
  func relink() {
    guard !isRelinkDue else { return }
    isRelinkDue = true
    let wait = relinked.map { $0 + Self.relinkInterval - MonotonicClock.now } ?? .zero
    guard wait > .zero else { return relinkNow() }
    startTask {
      if (try? await context.loop.sleep(for: wait)) != nil { self.relinkNow() }
    }
  }

  private func relinkNow() {
    isRelinkDue = false
    relinked = MonotonicClock.now
    // The last link may be gone too by now: the next one opens with all of it.
    if !links.isEmpty { post(.linkChanged) }
  }
}
