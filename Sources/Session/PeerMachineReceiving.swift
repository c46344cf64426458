extension PeerMachine {
  /// Takes a frame from the peer. Throws only if one of our own operations fails.
  ///
  /// - Parameters:
  ///   - link: the number that ``linkUp(_:at:began:peerStarts:)`` gave to the link that brought it.
  ///   - uptime: seconds on a clock that never goes back, which tells what came before the handshake of a link; by default now.
  public mutating func receive(
    _ frame: LinkFrame, on link: UInt64 = 0, at now: UInt64, uptime: UInt64? = nil
  ) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    arrival = link
    switch frame {
    case .envelope(let id, let envelope): try receive(envelope, of: id, mayBeShort: !isCarried, at: now, into: &outcome)
    case .initiation(let initiation): try receive(initiation, at: now, into: &outcome)
    case .ack(let id, let envelope): try acknowledge(envelope, of: id, uptime: uptime ?? now, into: &outcome)
    case .counters(let list): compare(list, at: now, into: &outcome)
    case .bundleRequest(let nonce): try answer(nonce, at: now, into: &outcome)
    case .bundle(let bytes): try receive(bundle: bytes, at: now, into: &outcome)
    case .reset(let id): try reset(id, at: now, into: &outcome)
    case .pairAccepted, .pairRefused, .close: outcome.events.append(.unexpectedFrame(frame.type))
    }
    if outcome.verdict != .opened, outcome.events.contains(where: \.isRefusal) { outcome.verdict = .refused }
    try pump(at: now, into: &outcome)
    return outcome
  }

  /// An envelope outside an INIT, or inside one that is known.
  ///
  /// - Parameter mayBeShort: whether its header may be a short one: only what comes on a link, and not inside an INIT.
  mutating func receive(
    _ bytes: [UInt8], of id: SessionID, mayBeShort: Bool, at now: UInt64, into outcome: inout Outcome
  ) throws(SessionError) {
    let envelope = try? Envelope(parsing: bytes)
    if let envelope, receipts.contains(envelope.id, of: id) {
      outcome.frames.append(.ack(id, envelope.id))
      return
    }
    guard let index = sessions.firstIndex(where: { $0.id == id }) else {
      outcome.verdict = .stale
      if !isCarried { askForReset(id, at: now, into: &outcome) }
      return
    }
    guard sessions[index].standing != .quarantined else { return outcome.verdict = .stale }
    do {
      guard let envelope else { throw SessionError(.refused) }
      let wasConfirmed = sessions[index].isConfirmed
      let effort = isCarried ? carriedOpenings.effort(at: now) : openings.effort(at: now)
      let letter = try sessions[index].open(
        envelope, prekeys: prekeys, effort: effort, at: now, mayBeShort: mayBeShort)
      try accept(
        letter, of: envelope.id, in: index, isNewlyConfirmed: !wasConfirmed && sessions[index].isConfirmed, at: now,
        into: &outcome)
    } catch let error as SessionError where error.code == .internalFailure {
      throw error
    } catch {
      refuse(index, at: now, into: &outcome)
    }
  }

  /// A bad envelope changes nothing and is not answered; the third in a row asks for another session.
  private mutating func refuse(_ index: Int, at now: UInt64, into outcome: inout Outcome) {
    outcome.events.append(.refusedEnvelope(sessions[index].id))
    guard !isCarried else { return carriedOpenings.charge(at: now) }
    openings.charge(at: now)
    sessions[index].failures += 1
    guard sessions[index].failures >= Session.maximumFailures else { return }
    sessions[index].failures = 0
    askForReset(sessions[index].id, at: now, into: &outcome)
  }

  /// A genuine, new letter: what it means for the session, the acknowledgement, and its payload.
  mutating func accept(
    _ letter: Letter, of envelope: EnvelopeID, in index: Int, isNewlyConfirmed: Bool, at now: UInt64,
    into outcome: inout Outcome
  ) throws(SessionError) {
    let id = sessions[index].id
    outcome.verdict = .opened
    guard letter.seen <= sessions[index].committed else {
      quarantine(index, at: now, into: &outcome)
      return
    }
    outcome.frames.append(.ack(id, envelope))
    outcome.commit.append(.putReceived(id, envelope, at: now))
    if receipts.insert(envelope, of: id) { outcome.commit.append(.trimReceived(id, keep: Receipts.kept)) }
    outcome.commit.append(.putSession(id, sessions[index].stored(of: peer.id)))
    let type = deliver(letter, in: index, at: now, into: &outcome)
    if id == currentSession, book.troubles.heal(at: now, butOldStates: true) {
      outcome.commit.append(.putState(book.stored))
    }
    let sealed = sessions[index].committed
    if isNewlyConfirmed { try didConfirm(id, at: now, into: &outcome) }
    // `didConfirm` may have given up other sessions, and indices move.
    guard let index = sessions.firstIndex(where: { $0.id == id }), sessions[index].standing == .good else { return }
    guard sessions[index].committed == sealed, sessions[index].ratchet.isTurnDue else { return }
    if sessions[index].isAnswering {
      try seal(hello, isOwn: true, in: index, into: &outcome)
    } else if (isNewlyConfirmed && sessions[index].isOurs) || type == PayloadType.turn {
      try seal(PayloadType.turnedPayload, isOwn: true, in: index, into: &outcome)
    }
  }

  /// Hands a payload on if it may be acted upon. Returns its type.
  private mutating func deliver(
    _ letter: Letter, in index: Int, at now: UInt64, into outcome: inout Outcome
  ) -> String? {
    let session = sessions[index]
    if session.isConfirmed { releaseHello(of: session.id, into: &outcome) }
    guard let type = PayloadType.read(letter.payload) else {
      outcome.events.append(.malformedPayload(session.id))
      return nil
    }
    switch type {
    case PayloadType.turn, PayloadType.turned: break
    case PayloadType.prekeys where session.isConfirmed: hold(letter.payload, at: now, into: &outcome)
    case PayloadType.hello where !session.isConfirmed: keepHello(letter, of: session.id, into: &outcome)
    case _ where session.isConfirmed:
      outcome.delivered.append(
        Delivered(session: session.id, sequence: letter.sequence, type: type, payload: letter.payload))
    default: outcome.events.append(.prematurePayload(session.id))
    }
    return type
  }

  /// Both sides have answered each other in a session: it is the one to use, and what it replaces is wound up.
  private mutating func didConfirm(_ id: SessionID, at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    outcome.events.append(.confirmed(id))
    startDue = nil
    request = nil
    // Whatever a fresh session was wanted for: here it is. What the peer still has from before the pairing it is still told.
    if let due = resetDue, !book.disowned.contains(due) { resetDue = nil }
    if book.troubles.heal(at: now) { outcome.commit.append(.putState(book.stored)) }
    guard let index = sessions.firstIndex(where: { $0.id == id }) else { return }
    let older = Set(sessions[..<index].map(\.id))
    let isNewest = currentIndex == index
    if !isNewest { markReplaced(index, at: now, into: &outcome) }
    for other in sessions where other.id != id {
      guard let index = sessions.firstIndex(where: { $0.id == other.id }) else { continue }
      let isOver = !other.isConfirmed || other.standing == .abandoned || other.standing == .quarantined
      // Of the newer ones only what has lost its race: another start may be on its way to replace this one.
      if older.contains(other.id) ? isOver : !other.isConfirmed && other.standing == .superseded {
        giveUp(index, at: now, into: &outcome)
        // The peer may take it for a good one still: what it has under way there is to go out in this one.
        let isGone = other.standing == .quarantined || other.standing == .abandoned
        if isGone, other.isConfirmed { outcome.frames.append(.reset(other.id)) }
      } else if older.contains(other.id) {
        markReplaced(index, at: now, into: &outcome)
      }
    }
    try release(into: &outcome)
    try handOverBatch(at: now, into: &outcome)
  }

  private mutating func markReplaced(_ index: Int, at now: UInt64, into outcome: inout Outcome) {
    guard sessions[index].replaced == 0 else { return }
    sessions[index].replaced = now
    outcome.commit.append(.putSession(sessions[index].id, sessions[index].stored(of: peer.id)))
  }

  /// An envelope has arrived: it need not be sent again.
  private mutating func acknowledge(
    _ envelope: EnvelopeID, of id: SessionID, uptime: UInt64, into outcome: inout Outcome
  ) throws(SessionError) {
    guard let entry = outbox.remove(envelope, of: id) else { return }
    outcome.commit.append(.deleteOutbox(id, envelope))
    acknowledged[id, default: AcknowledgedSequence()].note(entry.sequence, at: uptime)
    if let index = sessions.firstIndex(where: { $0.id == id }) {
      sessions[index].wasAcknowledged(entry.sequence)
      if sessions[index].isStarting { links.noteStart(id, acknowledgedOn: arrival) }
    }
    outcome.events.append(.acknowledged(id, sequence: entry.sequence))
    try release(into: &outcome)
  }
}
