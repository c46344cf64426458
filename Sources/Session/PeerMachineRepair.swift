/// What goes wrong between two sides that mean well: lost, restored and cloned states.
extension PeerMachine {
  /// Compares where sessions stand, at the start of a link.
  mutating func compare(_ list: [SessionCounters], at now: UInt64, into outcome: inout Outcome) {
    disown(list, into: &outcome)
    former.subtract(list.map(\.session))
    let committed = links.takeCommitted(on: arrival)
    for entry in book.disowned.isEmpty ? list : list.reversed() {
      guard let index = sessions.firstIndex(where: { $0.id == entry.session }) else {
        if !book.retired.contains(entry.session) { askForReset(entry.session, at: now, into: &outcome) }
        continue
      }
      guard sessions[index].standing != .quarantined else { continue }
      if entry.seen > committed[entry.session] ?? sessions[index].committed {
        quarantine(index, at: now, into: &outcome)
      } else if entry.seen < links.acknowledged(of: entry.session, before: arrival) {
        peerForgot(index, at: now, into: &outcome)
      } else if entry.committed < sessions[index].seen {
        behind.insert(entry.session)
        if sessions[index].standing == .abandoned { reportOldPeer(entry.session, at: now, into: &outcome) }
      } else {
        behind.remove(entry.session)
      }
    }
    // A peer that makes us give one session up after the other waits for the minute like everybody.
    if !hasSession, isLower, startDue == nil, startBudget.spend(at: now) { startDue = now }
  }

  /// The peer has seen what we do not remember sending: this state is a copy of an older one. Nothing is sealed or opened
  /// with it again; the peer is asked for a fresh session. Of one-time pairs, ours and the peer's, nobody knows any more
  /// which were used: they go.
  mutating func quarantine(_ index: Int, at now: UInt64, into outcome: inout Outcome) {
    sessions[index].standing = .quarantined
    outcome.commit.append(.putSession(sessions[index].id, sessions[index].stored(of: peer.id)))
    outcome.events.append(.rollback(sessions[index].id))
    for pair in pairs { outcome.commit.append(.deletePair(pair.id)) }
    pairs = []
    book.batch?.spoil()
    _ = book.troubles.note(.rollback, at: now)
    outcome.commit.append(.putState(book.stored))
    dropHeldBundle(into: &outcome)
    askForReset(sessions[index].id, at: now, into: &outcome)
  }

  /// The peer has acknowledged what it does not remember receiving, and did so before the handshake of this link: its state is an
  /// older one, and would take recorded envelopes a second time. Its own counters cannot tell it so.
  private mutating func peerForgot(_ index: Int, at now: UInt64, into outcome: inout Outcome) {
    let id = sessions[index].id
    if sessions[index].isSent {
      behind.insert(id)
      reportOldPeer(id, at: now, into: &outcome)
      abandon(index, into: &outcome)
    }
    askForReset(id, at: now, into: &outcome)
  }

  /// The peer's state is an old one, if it was behind in this session: it has found out from our COUNTERS, or will.
  private mutating func reportOldPeer(_ id: SessionID, at now: UInt64, into outcome: inout Outcome) {
    guard behind.remove(id) != nil else { return }
    outcome.events.append(.peerRollback(id))
    note(.peerRollback, at: now, into: &outcome)
    // It has forgotten the private halves of what it handed over since.
    dropHeldBundle(into: &outcome)
  }

  /// Sends RESET, at most once a minute; sooner, it is sent when the minute is over.
  mutating func askForReset(_ id: SessionID, at now: UInt64, into outcome: inout Outcome) {
    guard isLinked, book.resetSent == 0 || now >= book.resetSent + SessionTimes.resetInterval || now < book.resetSent else {
      if resetDue == nil || !book.retired.contains(id) { resetDue = id }
      return
    }
    resetDue = nil
    book.resetSent = now
    // One that was wound up here is no lost one: what is left of it at the peer goes out in the newer one.
    let isTrouble = !book.disowned.contains(id) && !book.retired.contains(id)
    if isTrouble { _ = book.troubles.note(.lost, at: now) }
    outcome.commit.append(.putState(book.stored))
    outcome.frames.append(.reset(id))
    if isTrouble { outcome.events.append(.resetSent(id)) }
  }

  /// The peer cannot use a session. All it achieves is a fresh one, at most once a minute.
  mutating func reset(_ id: SessionID, at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    outcome.events.append(.resetReceived(id))
    reportOldPeer(id, at: now, into: &outcome)
    if id == .none {
      dropHeldBundle(into: &outcome)
      for index in sessions.indices where sessions[index].isStarting { abandon(index, into: &outcome) }
      if try answerSuperseded(into: &outcome) { return }
    } else if let index = sessions.firstIndex(where: { $0.id == id }) {
      if let current = currentIndex, current > index {
        // Something newer is in use: what was left in the old one goes out there.
        giveUp(index, at: now, into: &outcome)
        try release(into: &outcome)
        return
      }
      abandon(index, into: &outcome)
    }
    guard !hasSession else { return }
    dropHeldBundle(into: &outcome)
    // After a pairing again, a session that the peer has not named is one that it had revoked.
    if !former.contains(id) { note(.reset, at: now, into: &outcome) }
    guard startDue == nil, request == nil else { return }
    let due = nextStart(at: now)
    startDue = due
    book.started = due
    outcome.commit.append(.putState(book.stored))
  }

  /// When a RESET may make us start a session: a minute after the last one did. Of a clock that jumped back it is kept at most
  /// a minute.
  private func nextStart(at now: UInt64) -> UInt64 {
    let last = book.started
    if last == 0 || last > now + SessionTimes.resetInterval { return now }
    return last > now ? last : max(now, last + SessionTimes.resetInterval)
  }

  /// Remembers a trouble for the user.
  mutating func note(_ kind: PeerTrouble.Kind, at now: UInt64, into outcome: inout Outcome) {
    if book.troubles.note(kind, at: now) { outcome.commit.append(.putState(book.stored)) }
  }

  private mutating func abandon(_ index: Int, into outcome: inout Outcome) {
    guard sessions[index].isSent else { return }
    sessions[index].standing = .abandoned
    outcome.commit.append(.putSession(sessions[index].id, sessions[index].stored(of: peer.id)))
  }

  /// Our own start came to nothing; if the peer's, which it had beaten, is still there, that one is answered.
  private mutating func answerSuperseded(into outcome: inout Outcome) throws(SessionError) -> Bool {
    guard let index = sessions.lastIndex(where: { $0.isAnswering && $0.standing == .superseded }) else { return false }
    sessions[index].standing = .good
    try seal(hello, isOwn: true, in: index, into: &outcome)
    return true
  }

  /// Deletes a session. What the peer has not acknowledged of it waits for the next one, as far as it is remembered.
  mutating func giveUp(_ index: Int, at now: UInt64, into outcome: inout Outcome) {
    let session = sessions.remove(at: index)
    let id = session.id
    behind.remove(id)
    let left = outbox.removeAll(of: id)
    // An earlier `hello` must not come after that of the session which takes its place.
    let payloads = left.compactMap(\.payload).filter { PayloadType.read($0) != PayloadType.hello }
    waiting.putBack(payloads)
    book.lost.noteRequeued(payloads.count)
    let lost = session.isConfirmed ? left.count { $0.payload == nil && !$0.entry.isOwn } : 0
    if lost > 0 {
      book.lost.note(lost, at: now)
      outcome.events.append(.undeliverable(id, count: lost))
    }
    if !left.isEmpty { outcome.commit.append(.deleteOutboxes(id)) }
    outcome.commit.append(.deleteSession(id))
    book.retire(id)
    // Nothing of it is accepted any more, so nothing need be known again.
    receipts.remove(id)
    acknowledged[id] = nil
    outcome.commit.append(.trimReceived(id, keep: 0))
    outcome.commit.append(.putState(book.stored))
  }
}
