/// Sessions that an earlier version stored: their envelopes go by other names, so nothing in them could be acknowledged. A fresh session
/// takes their place, as if both sides had wound them up.
struct OutdatedSessions: Sendable {
  /// Each with the envelopes that were under way, whose payloads nobody has any more.
  private(set) var envelopes: [SessionID: Int] = [:]

  /// Notes a session.
  mutating func add(_ id: SessionID) { envelopes[id] = 0 }

  /// Whether a row of the store belongs to one; if so it is counted.
  mutating func claims(_ entry: OutboxEntry) -> Bool {
    guard let count = envelopes[entry.session] else { return false }
    if !entry.isOwn { envelopes[entry.session] = count + 1 }
    return true
  }
}

extension PeerMachine {
  /// Deletes what is stored of them. They stay known by name, so that the peer's word of one does not look like a lost session.
  mutating func dropOutdated(at now: UInt64, into outcome: inout Outcome) {
    guard !outdated.envelopes.isEmpty else { return }
    for (id, lost) in outdated.envelopes {
      outcome.commit.append(.deleteOutboxes(id))
      outcome.commit.append(.deleteSession(id))
      outcome.commit.append(.trimReceived(id, keep: 0))
      receipts.remove(id)
      if lost > 0 {
        book.lost.note(lost, at: now)
        outcome.events.append(.undeliverable(id, count: lost))
      }
      book.retire(id)
    }
    outdated = OutdatedSessions()
    outcome.commit.append(.putState(book.stored))
  }
}
