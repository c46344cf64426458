/// Which envelopes were accepted lately, so that one which comes again is acknowledged again and does nothing else.
///
/// Kept in pages: a full one is never changed again, so that the copies of a ``PeerMachine`` share it and a step copies no more than
/// the newest.
struct Receipts: Sendable {
  /// Remembered per session. A peer has at most ``PeerMachine/maximumUnacknowledged`` envelopes under way, so four times
  /// as many cover every one that can honestly come again.
  static let kept = 4_000
  /// Envelopes of one page: the oldest are dropped by the page, so up to as many more are remembered.
  private static let perPage = 500

  private struct List: Sendable {
    /// Oldest first.
    var full: [Set<EnvelopeID>] = []
    var newest: Set<EnvelopeID> = []

    func contains(_ id: EnvelopeID) -> Bool {
      newest.contains(id) || full.contains { $0.contains(id) }
    }

    /// Returns true if the oldest page was dropped to make room.
    mutating func insert(_ id: EnvelopeID) -> Bool {
      newest.insert(id)
      guard newest.count == perPage else { return false }
      full.append(newest)
      newest = []
      guard full.count * perPage > kept else { return false }
      full.removeFirst()
      return true
    }
  }

  private var lists: [SessionID: List] = [:]

  /// Whether this envelope was accepted.
  func contains(_ id: EnvelopeID, of session: SessionID) -> Bool {
    lists[session]?.contains(id) ?? false
  }

  /// Notes an envelope. Returns true if the oldest were dropped to make room: ``kept`` are left.
  mutating func insert(_ id: EnvelopeID, of session: SessionID) -> Bool {
    lists[session, default: List()].insert(id)
  }

  /// Forgets a session's.
  mutating func remove(_ session: SessionID) { lists[session] = nil }
}
