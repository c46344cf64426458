internal import EventLoop
internal import Session

extension Peer {
  /// A frame, the link that it came on, and what it turned out to be.
  struct Judged {
    let link: UInt64
    let verdict: FrameVerdict
    let confirmsSession: Bool

    init(_ outcome: Outcome, on link: UInt64) {
      self.link = link
      verdict = outcome.verdict
      confirmsSession = outcome.events.contains { if case .confirmed = $0 { true } else { false } }
    }
  }

  /// Closes the links that have brought too much that is worth nothing. The peer gets a pause, whoever dials.
  func judge(_ frames: [Judged]) async {
    for frame in frames {
      guard let link = links.first(where: { $0.number == frame.link }) else { continue }
      let mayGoOn = conduct.note(
        frame.verdict, confirmsSession: frame.confirmsSession, on: frame.link, at: MonotonicClock.now)
      guard !mayGoOn else { continue }
      await detach(link, because: "it brought too many frames that are of no use", isForConduct: true)
    }
  }

  /// Whether links with this peer are closed as they come, because of what the last one brought.
  var isPaused: Bool { !conduct.mayLink(at: MonotonicClock.now) }
}
