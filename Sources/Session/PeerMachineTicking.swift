internal import Primitives

/// Timers.
extension PeerMachine {
  /// To be called every ten seconds or so, and at start-up before anything else: what has had its time while the node was
  /// off is deleted by the first tick.
  public mutating func tick(at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    dropOutdated(at: now, into: &outcome)
    expire(at: now, into: &outcome)
    if isLinked, let index = currentIndex {
      let session = sessions[index]
      let life = SessionTimes.sessionLife + (isLower ? 0 : SessionTimes.sessionLifeGrace)
      let isUnderWay = sessions[index...].contains { !$0.isConfirmed && $0.standing == .good }
      // What began while the clock was ahead is as good as old.
      let isOld = session.created + life <= now || session.created > now + life
      if isOld, !isUnderWay, request == nil, startDue == nil { startDue = now }
      let isIdle = session.turned + SessionTimes.idleTurnInterval <= now || session.turned > now + SessionTimes.clockSkew
      if isIdle { try askForTurn(index, at: now, into: &outcome) }
    }
    startIfOverdue(at: now)
    try handOverBatch(at: now, into: &outcome)
    if let id = resetDue { askForReset(id, at: now, into: &outcome) }
    if let request, request.since + SessionTimes.bundlePatience <= now || request.since > now {
      self.request = nil
      startDue = now
    }
    try pump(at: now, into: &outcome)
    return outcome
  }

  /// To be called as bulk bytes go or come, so that the keys under them turn: every 64 MiB and every 30 seconds.
  public mutating func noteTraffic(bytes: Int, at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    guard let index = currentIndex else { return outcome }
    sessions[index].trafficBytes += max(0, bytes)
    let isDue =
      sessions[index].trafficBytes >= Self.turnBytes || sessions[index].turned + SessionTimes.turnInterval <= now
    if isDue { try askForTurn(index, at: now, into: &outcome) }
    return outcome
  }

  /// Asks for a new chain, and again where none has come of it: a peer can lose the obligation with its state.
  private mutating func askForTurn(_ index: Int, at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard hasRoom else { return }
    if let asked = sessions[index].turnAsked {
      // As long as it is not acknowledged, it is repeated anyway.
      let isFresh = now >= asked.at && now < asked.at + SessionTimes.turnInterval
      if isFresh || outbox.contains(asked.envelope, of: sessions[index].id) { return }
    }
    let envelope = try seal(PayloadType.turnPayload, isOwn: true, in: index, into: &outcome)
    sessions[index].turnAsked = Session.TurnRequest(at: now, envelope: envelope)
  }

  /// Deletes expired sessions, prekeys and replay entries.
  private mutating func expire(at now: UInt64, into outcome: inout Outcome) {
    for session in sessions {
      guard let index = sessions.firstIndex(where: { $0.id == session.id }) else { continue }
      guard let current = currentIndex else {
        // Its INIT carries a bundle of ours that has expired: nobody would take it.
        let isHopeless = session.isStarting && session.created + SessionTimes.bundleLife <= now
        if isHopeless { giveUp(index, at: now, into: &outcome) }
        continue
      }
      guard current != index else { continue }
      let isOver = session.replaced != 0 && session.replaced + SessionTimes.replacedSessionLife <= now
      let isStale = !session.isConfirmed && session.created + SessionTimes.replacedSessionLife <= now
      if isOver || isStale { giveUp(index, at: now, into: &outcome) }
    }
    if let held, held.bundle.expires + SessionTimes.clockSkew <= now { dropHeldBundle(into: &outcome) }
    settleLostPayloads(at: now, into: &outcome)
    if book.troubles.expire(at: now) { outcome.commit.append(.putState(book.stored)) }
    for pair in pairs where pair.dies <= now { outcome.commit.append(.deletePair(pair.id)) }
    pairs.removeAll { $0.dies <= now }
    for id in staleReceipts { outcome.commit.append(.trimReceived(id, keep: 0)) }
    staleReceipts = []
    if replays.values.contains(where: { $0.expires <= now }) {
      replays = replays.filter { $0.value.expires > now }
      outcome.commit.append(.deleteReplays(expiredAt: now))
    }
  }

  /// If a session is to be started and it is time: starts it with a one-time pair that is in hand, or asks for a bundle.
  ///
  /// What replaces a session that works is always asked for: it is to owe nothing to keys that lay about.
  mutating func pump(at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard isLinked, request == nil, let due = startDue, due <= now else { return }
    startDue = nil
    // A start of ours that nobody answers may rest on a pair that is gone: the next one asks.
    let isFirst = !sessions.contains { $0.isStarting }
    if currentIndex == nil, isFirst, usableHeldBundle(at: now)?.nextPair != nil {
      try startFromHeldBundle(at: now, into: &outcome)
      if startDue == nil { return }
      startDue = nil
    }
    let nonce = crypto.randomness.bytes(Bundle.nonceBytes)
    request = BundleRequest(nonce: nonce, since: now)
    outcome.frames.append(.bundleRequest(nonce))
  }
}
