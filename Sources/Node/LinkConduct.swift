internal import Session

/// Counts what one link brings that is worth nothing, and says when it has been enough.
///
/// Every frame costs its decryption, and an envelope that does not open more than that. An honest peer has no use for a row of
/// them; what it may honestly send again, of sessions that are gone here, has an allowance of its own.
struct LinkConduct: Sendable {
  /// Frames in a row that are refused.
  static let maximumRefused = 32
  /// Envelopes of sessions that are unknown, retired or quarantined, until a session is confirmed: all that a peer may have
  /// unacknowledged.
  static let maximumStale = 1_000

  private var refused = 0
  private var stale = 0

  /// Takes note of a frame. Returns whether the link may go on.
  mutating func note(_ verdict: FrameVerdict, confirmsSession: Bool = false) -> Bool {
    if confirmsSession { stale = 0 }
    switch verdict {
    case .neutral: break
    case .opened: refused = 0
    case .refused: refused += 1
    case .stale: stale += 1
    }
    return refused < Self.maximumRefused && stale <= Self.maximumStale
  }
}

/// How a peer behaves on all its links, and whether it may have another one.
///
/// A link that was closed for its conduct is followed by a pause, in which links of that peer are closed as they come: without it,
/// closing a link would cost the peer one handshake, and us more than the frames.
struct PeerConduct: Sendable {
  /// The first pause. Each that follows is twice as long.
  static let firstPause = Duration.seconds(1)
  /// The longest pause.
  static let longestPause = Duration.seconds(60)
  /// Pauses begin at the first again when nothing happened for so long.
  static let forgiveness = Duration.seconds(600)

  private var links: [UInt64: LinkConduct] = [:]
  private var pause = Duration.zero
  /// Until when the peer has no link, on the monotonic clock.
  private(set) var pausedUntil = Duration.zero

  /// Whether the peer may have a link now.
  func mayLink(at now: Duration) -> Bool { now >= pausedUntil }

  /// Takes note of a frame that came on a link. Returns whether that link may go on; if not, a pause has begun.
  mutating func note(_ verdict: FrameVerdict, confirmsSession: Bool, on link: UInt64, at now: Duration) -> Bool {
    guard !links[link, default: LinkConduct()].note(verdict, confirmsSession: confirmsSession) else { return true }
    links[link] = nil
    let isFirst = pause == .zero || now >= pausedUntil + Self.forgiveness
    pause = isFirst ? Self.firstPause : min(Self.longestPause, pause * 2)
    pausedUntil = now + pause
    return false
  }

  /// A link has ended.
  mutating func forget(_ link: UInt64) { links[link] = nil }
}
