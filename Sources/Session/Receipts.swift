/// Which envelopes were accepted lately, so that one which comes again is acknowledged again and does nothing else.
struct Receipts: Sendable {
  /// Remembered per session. A peer has at most ``PeerMachine/maximumUnacknowledged`` envelopes under way, so four times
  /// as many cover every one that can honestly come again.
  static let kept = 4_000
  /// How many more may gather before the oldest are dropped.
  static let slack = 256

  private struct List: Sendable {
    var order: [EnvelopeDigest] = []
    var known: Set<EnvelopeDigest> = []
  }

  private var lists: [SessionID: List] = [:]

  /// Whether this envelope was accepted.
  func contains(_ digest: EnvelopeDigest, of session: SessionID) -> Bool {
    lists[session]?.known.contains(digest) ?? false
  }

  /// Notes an envelope. Returns true if the oldest were dropped to make room.
  mutating func insert(_ digest: EnvelopeDigest, of session: SessionID) -> Bool {
    lists[session, default: List()].order.append(digest)
    lists[session]?.known.insert(digest)
    guard let list = lists[session], list.order.count > Self.kept + Self.slack else { return false }
    trim(session, keep: Self.kept)
    return true
  }

  /// Keeps a session's newest.
  mutating func trim(_ session: SessionID, keep: Int) {
    guard keep > 0, var list = lists[session] else {
      lists[session] = nil
      return
    }
    let excess = max(0, list.order.count - keep)
    for digest in list.order.prefix(excess) { list.known.remove(digest) }
    list.order.removeFirst(excess)
    lists[session] = list
  }
}
