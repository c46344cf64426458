/// Nodes that pair again after one of them had forgotten the other.
///
/// Who revoked a peer has nothing left of it, and the peer does not know that. When the two pair again, the peer still has its
/// sessions, and names them on the first link. It is told that they are gone, as of any that is not known here; but that is no sign
/// of a damaged state, and no user is told so.
extension PeerMachine {
  /// Whether this state never had a session that the peer took part in. Any that the peer then names is older than the pairing.
  /// A state that was copied back, or has lost its sessions, still has something of them: names, pairs, a batch, replay notes.
  private var hasNoPast: Bool {
    sessions.allSatisfy(\.isStarting) && replays.isEmpty && held == nil && book.hasNoPast
  }

  /// Remembers what the peer names in the first COUNTERS after a pairing, as far as it is not known here. It is asked to drop the
  /// newest first: what waits in that one then goes out in the session that the pairing starts.
  mutating func disown(_ list: [SessionCounters], into outcome: inout Outcome) {
    guard hasNoPast else { return }
    let unknown = list.map(\.session).filter { id in !sessions.contains { $0.id == id } }
    guard !unknown.isEmpty else { return }
    book.disowned = unknown
    outcome.commit.append(.putState(book.stored))
  }
}
