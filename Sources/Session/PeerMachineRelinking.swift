extension PeerMachine {
  /// To be called when one of several links has ended and others remain, with the frames for the newest of them: COUNTERS, then
  /// everything that is not acknowledged, as on a new link. What was on the link that ended may never have arrived. Without a
  /// link it does nothing.
  public mutating func linkChanged(at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    guard isLinked else { return outcome }
    let known = sessions.filter { !$0.isStarting && $0.isSent }
    outcome.frames.append(
      .counters(known.map { SessionCounters(session: $0.id, committed: $0.committed, seen: $0.seen) }))
    for session in sessions where session.isSent { resend(session, into: &outcome) }
    try pump(at: now, into: &outcome)
    return outcome
  }
}
