/// When to dial a peer, by PROTOCOL.md §4 "Redialing": soon where that can help, and seldom where it has not.
///
/// It belongs to the peer, not to a request: whatever asks for the peer, all share one pause and one rate. Times are readings of
/// a monotonic clock that the caller hands in, and `jitter` is 0…1.
struct Backoff {
  /// The first pause after a failure.
  static let first = Duration.seconds(1)
  /// The longest pause: a peer that comes back is noticed within a minute.
  static let longest = Duration.seconds(60)
  /// The longest pause while a command or a transfer waits for the peer.
  static let longestWhileWanted = Duration.seconds(5)
  /// Between the starts of two attempts, whatever asks for them.
  static let spacing = Duration.seconds(1)
  /// A link that lived so long was useful even if nothing was said on it.
  static let usefulAge = Duration.seconds(10)

  private var failures = 0
  private var lastAttempt: Duration?
  private var paused = Duration.zero
  private var due = Duration.zero

  /// When the next attempt may start; in the past: now. `isWanted` while a command or a transfer waits for the peer.
  func next(isWanted: Bool) -> Duration {
    let end = isWanted ? min(due, paused + Self.longestWhileWanted) : due
    return lastAttempt.map { max(end, $0 + Self.spacing) } ?? end
  }

  /// An attempt starts.
  mutating func attempted(at now: Duration) { lastAttempt = now }

  /// The attempt reached nobody: the next pause is twice as long. Jitter takes up to half of it, so that two nodes that lost each
  /// other at the same instant do not keep colliding.
  mutating func failed(at now: Duration, jitter: Double) {
    let whole = min(Self.longest, Self.first * (1 << min(failures, 6)))
    failures += 1
    paused = now
    due = now + whole * (0.5 + 0.5 * jitter)
  }

  /// A link ended. A useful one starts the rule over. One that this node dialed in vain counts as a failure: a peer that accepts
  /// and hangs up is as good as one that refuses. One that the peer dialed in vain says nothing about dialing it.
  mutating func linkEnded(wasUseful: Bool, wasDialed: Bool, at now: Duration, jitter: Double) {
    if wasUseful {
      failures = 0
      due = now
    } else if wasDialed {
      failed(at: now, jitter: jitter)
    }
  }

  /// A command needs the peer: the next attempt comes as early as the spacing allows. Only the next one.
  mutating func hurry(at now: Duration) { due = min(due, now) }

  /// This machine has other addresses: what failed may succeed now. Within a second, so that not all peers are dialed at once.
  mutating func startOver(at now: Duration, jitter: Double) {
    failures = 0
    due = min(due, now + Self.spacing * jitter)
  }
}
