/// What one link says of the order of things: frames of one link arrive in the order they were sent, frames of two do not.
///
/// In memory only, and empty for a link that came up just now: without it, repair takes a minute longer and nothing goes wrong.
struct LinkView: Sendable {
  /// The caller's number of the link.
  let number: UInt64
  /// The highest sequence of each session that the peer had acknowledged before the handshake of this link began.
  let acknowledged: [SessionID: UInt64]
  /// What had been committed for sending when the link came up, as long as its first COUNTERS have not come and no other link was up:
  /// nothing that was sealed since can have been seen by then. A state that was put back and says as much as it had forgotten
  /// would otherwise look as if nothing were missing.
  var committed: [SessionID: UInt64]
  /// Sessions that we started and whose INIT was acknowledged on this link: an INIT of the peer's that comes after that on the
  /// same link was sent by a peer that has forgotten ours.
  var acknowledgedStarts: Set<SessionID> = []
}

/// The links that are up, oldest first.
struct LinkViews: Sendable {
  /// Views kept; a peer has no more links than that (PROTOCOL §4).
  private static let maximumCount = 16

  private var list: [LinkView] = []

  /// A link came up.
  mutating func add(_ view: LinkView) {
    list.removeAll { $0.number == view.number }
    list.append(view)
    list.removeFirst(max(0, list.count - Self.maximumCount))
  }

  /// Another link is up: what goes out from now on may be seen before the COUNTERS of any are written.
  mutating func forgetCommitted() {
    for index in list.indices { list[index].committed = [:] }
  }

  /// All links are gone.
  mutating func removeAll() { list = [] }

  /// What had been acknowledged of a session before the handshake of a link began; zero if that is not known.
  func acknowledged(of session: SessionID, before link: UInt64) -> UInt64 {
    list.last { $0.number == link }?.acknowledged[session] ?? 0
  }

  /// The most that the peer can have seen of each session when it wrote the COUNTERS that have just come on a link; empty: whatever
  /// was committed. To be asked once for each COUNTERS.
  mutating func takeCommitted(on link: UInt64) -> [SessionID: UInt64] {
    guard let index = list.lastIndex(where: { $0.number == link }) else { return [:] }
    defer { list[index].committed = [:] }
    return list[index].committed
  }

  /// The INIT of a session that we started was acknowledged on a link.
  mutating func noteStart(_ session: SessionID, acknowledgedOn link: UInt64) {
    guard let index = list.lastIndex(where: { $0.number == link }) else { return }
    list[index].acknowledgedStarts.insert(session)
  }

  /// Whether the INIT of a session that we started was acknowledged on this link.
  func isStart(_ session: SessionID, acknowledgedOn link: UInt64) -> Bool {
    list.last { $0.number == link }?.acknowledgedStarts.contains(session) ?? false
  }
}

/// The highest sequence of one session that the peer has acknowledged, and how that was a short while ago.
///
/// The store has it in the shape of its outbox: the highest number that was committed and is no longer there.
struct AcknowledgedSequence: Sendable {
  /// How far back it must be known: longer than any handshake takes.
  private static let memorySeconds: UInt64 = 60

  /// One entry a second of a clock that never goes back, rising in both, the last minute's and one from before.
  private var entries: [(at: UInt64, sequence: UInt64)] = []

  /// What was acknowledged before this process began to listen.
  init(stored sequence: UInt64 = 0) {
    if sequence > 0 { entries.append((at: 0, sequence: sequence)) }
  }

  /// Notes an acknowledgement.
  mutating func note(_ sequence: UInt64, at now: UInt64) {
    guard sequence > entries.last?.sequence ?? 0 else { return }
    let time = max(now, entries.last?.at ?? 0)
    if let last = entries.last, last.at == time {
      entries[entries.count - 1].sequence = sequence
    } else {
      entries.append((time, sequence))
    }
    while entries.count > 1, entries[1].at + Self.memorySeconds < time { entries.removeFirst() }
  }

  /// The highest sequence that was acknowledged before a time.
  func before(_ time: UInt64) -> UInt64 { entries.last { $0.at < time }?.sequence ?? 0 }
}
