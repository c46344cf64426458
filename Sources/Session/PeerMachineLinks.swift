/// Links that come and go under a session.
extension PeerMachine {
  /// To be called first on every new link to the peer, with the frames that open it: COUNTERS, then everything that is not
  /// acknowledged, byte for byte as it was.
  ///
  /// - Parameters:
  ///   - link: the caller's number of the link, which ``receive(_:on:at:uptime:)`` names again.
  ///   - began: when its handshake began, on the clock of ``receive(_:on:at:uptime:)``; by default now.
  ///   - peerStarts: on the inviter's side of a pairing, where the joiner starts the session.
  public mutating func linkUp(
    _ link: UInt64 = 0, at now: UInt64, began: UInt64? = nil, peerStarts: Bool = false
  ) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    repeatRequest()
    for index in sessions.indices { sessions[index].forgetWhatIsKnown() }
    let isOnly = !isLinked
    if isOnly {
      isLinked = true
      linkedSince = now
      links.removeAll()
    }
    let committed = committedAtStart ?? Dictionary(uniqueKeysWithValues: sessions.map { ($0.id, $0.committed) })
    committedAtStart = nil
    if !isOnly { links.forgetCommitted() }
    links.add(
      LinkView(
        number: link, acknowledged: acknowledged.mapValues { $0.before(began ?? now) }, committed: isOnly ? committed : [:]))
    open(into: &outcome)
    if peerStarts, !hasSession { startDue = now + SessionTimes.joinerPatience }
    try pump(at: now, into: &outcome)
    return outcome
  }

  /// One of several links has ended, and what was on it may not have arrived: all of it goes out on the newest that is left, as on
  /// a new link.
  public mutating func linkChanged(at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    guard isLinked else { return outcome }
    repeatRequest()
    for index in sessions.indices { sessions[index].forgetWhatIsKnown() }
    open(into: &outcome)
    try pump(at: now, into: &outcome)
    return outcome
  }

  /// The last link to the peer is gone.
  public mutating func linkDown() {
    isLinked = false
    links.removeAll()
    for index in sessions.indices { sessions[index].forgetWhatIsKnown() }
    repeatRequest()
  }

  /// COUNTERS, and everything that is not acknowledged.
  private func open(into outcome: inout Outcome) {
    let known = sessions.filter { !$0.isStarting && $0.isSent }
    outcome.frames.append(
      .counters(known.map { SessionCounters(session: $0.id, committed: $0.committed, seen: $0.seen) }))
    // A start that has lost its race stays as it is: said again, it could look like one that the peer made since.
    for session in sessions where session.isSent && !(session.isStarting && session.standing == .superseded) {
      resend(session, into: &outcome)
    }
  }

  /// A BUNDLE_REQ may be lost with its link: it is due again.
  private mutating func repeatRequest() {
    if let request { startDue = request.since }
    request = nil
  }

  /// Appends the frames of all a session has not had acknowledged.
  func resend(_ session: Session, into outcome: inout Outcome) {
    for item in outbox.items where item.entry.session == session.id {
      outcome.frames.append(session.frame(item.entry.envelope))
    }
  }

  /// START: a node that has had a link for a minute, counted from the link or from its own last start, and has no session that is
  /// confirmed and good, starts one. Nothing that the peer does puts it off, and nothing but such a session ends it: whatever
  /// repair was lost, with a frame or with a process, this one follows from what is stored.
  mutating func startIfOverdue(at now: UInt64) {
    guard isLinked, currentIndex == nil else { return }
    // A clock that was put back must not put it off.
    linkedSince = min(linkedSince, now)
    lastStarted = min(lastStarted, now)
    guard now - max(linkedSince, lastStarted) >= SessionTimes.startPatience, request == nil else { return }
    startDue = now
  }
}
