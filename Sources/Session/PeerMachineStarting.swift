internal import Primitives

/// How sessions begin.
extension PeerMachine {
  /// A bundle with a one-time pair for the joiner, as the inviter answers it in the pairing. To be committed together with
  /// the peer and the use of its ticket.
  public mutating func pairingBundle(at now: UInt64) throws(SessionError) -> (bundle: Bundle, commit: SessionCommit) {
    var outcome = Outcome(peer: peer.id)
    former = Set(sessions.map(\.id))
    let bundle = try issueBundle(nonce: Bundle.pushedNonce, at: now, into: &outcome)
    return (bundle, outcome.commit)
  }

  /// Starts a session with a verified bundle of the peer's: PQXDH, and our `hello` in the first envelope. Throws
  /// ``SessionError/Code/refused`` if the peer's keys agree on nothing.
  public mutating func start(with bundle: Bundle, at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    former = Set(sessions.map(\.id))
    try begin(bundle, pair: bundle.pairs.first, at: now, into: &outcome)
    return outcome
  }

  /// Starts a session with one pair of a verified bundle, or with its signed prekeys alone.
  mutating func begin(
    _ bundle: Bundle, pair: Bundle.Pair?, at now: UInt64, into outcome: inout Outcome
  ) throws(SessionError) {
    let own = try carried.own(from: identity, to: peer.id, prekeys: prekeys, at: now, crypto: crypto)
    var session: Session
    do {
      let (head, secrets) = try KeyAgreement.initiate(
        identity: identity, peer: peer, bundle: bundle, pair: pair, own: own, crypto: crypto)
      let ratchet = try Ratchet(
        initiating: secrets, spk: bundle.spk, confirmationPrekey: try prekeys.current().id, crypto: crypto)
      session = Session(secrets: secrets, ratchet: ratchet, phase: .starting(head), isOurs: true, at: now)
    } catch {
      // Only the peer's own keys can spoil an agreement: a point of low order, in its record or in what it signed.
      throw SessionError(error is CryptoError ? .refused : .internalFailure)
    }
    session.isWithoutPair = pair == nil
    startDue = nil
    request = nil
    lastStarted = now
    learn(bundle, into: &outcome)
    if pair == nil { note(.fallback, at: now, into: &outcome) }
    insert(session, at: now, into: &outcome)
    outcome.events.append(.started(session.id, byUs: true))
    if pair == nil { outcome.events.append(.startedWithoutPair(session.id, byUs: true)) }
    try seal(hello, isOwn: true, in: sessions.count - 1, into: &outcome)
  }

  /// A genuine bundle of the peer's has come: older ones say less from now on.
  mutating func learn(_ bundle: Bundle, into outcome: inout Outcome) {
    if book.note(bundle) { outcome.commit.append(.putState(book.stored)) }
  }

  /// Adds a session; if there are too many, the oldest that is not in use goes.
  private mutating func insert(_ session: Session, at now: UInt64, into outcome: inout Outcome) {
    if sessions.count >= Self.maximumSessions {
      let current = currentIndex
      if let oldest = sessions.indices.first(where: { $0 != current }) { giveUp(oldest, at: now, into: &outcome) }
    }
    sessions.append(session)
    sessions[sessions.count - 1].ordinal = (sessions.map(\.ordinal).max() ?? 0) + 1
  }

  /// INIT: a known one brings one more envelope to its session, a new one makes a session if its envelope opens.
  mutating func receive(
    _ initiation: Initiation, at now: UInt64, into outcome: inout Outcome
  ) throws(SessionError) {
    let head = initiation.head
    guard head.initiator == peer.id else { return outcome.events.append(.refusedInitiation(.wrongOwner)) }
    guard head.responder == identity.id else { return outcome.events.append(.refusedInitiation(.wrongAddressee)) }
    if let known = replays[head.replayHash] {
      try receive(initiation.envelope, of: known.session, mayBeShort: false, at: now, into: &outcome)
      if let session = sessions.first(where: { $0.id == known.session && $0.isAnswering && $0.isSent }) {
        resend(session, into: &outcome)
      }
      return
    }
    let isWithinBudget = isCarried ? carriedBudget.spend(at: now) : initiationBudget.spend(at: now)
    guard isWithinBudget, replays.count < Self.maximumReplays else {
      return outcome.events.append(.refusedInitiation(.refused))
    }
    do throws(SessionError) {
      try respond(to: initiation, at: now, into: &outcome)
    } catch {
      guard error.code != .internalFailure else { throw error }
      outcome.events.append(.refusedInitiation(error.code))
      guard !isCarried else { return }
      initiationFailures += 1
      // Prekeys that are gone come back with a fresh bundle; a forged envelope is not worth an answer.
      let isStale = [.unknownPrekey, .expired, .outdated].contains(error.code)
      guard isStale || initiationFailures >= Session.maximumFailures else { return }
      initiationFailures = 0
      askForReset(.none, at: now, into: &outcome)
    }
  }

  private mutating func respond(
    to initiation: Initiation, at now: UInt64, into outcome: inout Outcome
  ) throws(SessionError) {
    let head = initiation.head
    guard !spent.contains(head.replayHash) else { throw SessionError(.unknownPrekey) }
    guard head.spkID == head.pqspkID, let generation = prekeys.find(head.spkID), generation.dies > now else {
      throw SessionError(.unknownPrekey)
    }
    let pair = pairs.first { $0.id == head.pairID }
    guard head.pairID == 0 || pair != nil else { throw SessionError(.unknownPrekey) }
    let bundle = try carried.verified(head.bundle, from: peer, to: identity.id, at: now)
    guard !book.isOutdated(bundle, at: now) else { throw SessionError(.outdated) }
    var session: Session
    let letter: Letter
    let envelope: Envelope
    do {
      envelope = try Envelope(parsing: initiation.envelope)
      let secrets = try KeyAgreement.respond(
        identity: identity, peer: peer, head: head, prekeys: generation, pair: pair)
      let ratchet = try Ratchet(
        responding: secrets, prekeys: generation, confirmationKey: bundle.pqspk, first: envelope)
      session = Session(secrets: secrets, ratchet: ratchet, phase: .answering, isOurs: false, at: now)
      session.isWithoutPair = pair == nil
      letter = try session.open(envelope, prekeys: prekeys, at: now, mayBeShort: false)
    } catch {
      throw SessionError(.refused)
    }
    // Nobody has seen anything in a session that only begins.
    guard letter.seen == 0 else { throw SessionError(.refused) }
    initiationFailures = 0
    learn(bundle, into: &outcome)
    settleRace(with: &session, into: &outcome)
    if let pair {
      pairs.removeAll { $0.id == pair.id }
      outcome.commit.append(.deletePair(pair.id))
    }
    let entry = ReplayEntry(hash: head.replayHash, session: session.id, expires: generation.dies)
    replays[entry.hash] = entry
    outcome.commit.append(.putReplay(entry))
    if session.standing == .good {
      startDue = nil
      request = nil
    }
    insert(session, at: now, into: &outcome)
    outcome.events.append(.started(session.id, byUs: false))
    if pair == nil {
      outcome.events.append(.startedWithoutPair(session.id, byUs: false))
      _ = book.troubles.note(.fallback, at: now)
      // It has none left: those it used in starts that we never saw would look unused here until they die.
      book.batch?.spoil()
      outcome.commit.append(.putState(book.stored))
    }
    try accept(
      letter, of: envelope.id, in: sessions.count - 1, isNewlyConfirmed: false, at: now,
      into: &outcome)
  }

  /// Two sessions were started at the same time: both sides use the one the lower node started. The other is still
  /// received from, so that nothing under way in it is lost, and is not answered.
  ///
  /// YIELD: the lower node's start wins only while its INIT is unacknowledged. A peer whose INIT comes after that acknowledgement on
  /// the same link has forgotten ours, and would never answer it.
  private mutating func settleRace(with session: inout Session, into outcome: inout Outcome) {
    let rivals = sessions.indices.filter { sessions[$0].isStarting && sessions[$0].standing == .good }
    guard let newest = rivals.last else { return }
    // Of several starts that nobody answered, the newest speaks for all: whoever had it, had the others.
    let isForgotten = !isCarried && links.isStart(sessions[newest].id, acknowledgedOn: arrival)
    guard !isLower || isForgotten else { return session.standing = .superseded }
    for index in rivals {
      sessions[index].standing = .superseded
      outcome.commit.append(.putSession(sessions[index].id, sessions[index].stored(of: peer.id)))
    }
  }

  /// BUNDLE_REQ: a bundle with a one-time pair. Asking is bounded in time by the budget and in space by the pairs.
  mutating func answer(_ nonce: [UInt8], at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard nonce.count == Bundle.nonceBytes, nonce != Bundle.pushedNonce, bundleBudget.spend(at: now) else {
      return outcome.events.append(.unexpectedFrame(0x05))
    }
    outcome.frames.append(.bundle(try issueBundle(nonce: nonce, at: now, into: &outcome).bytes))
  }

  private mutating func issueBundle(
    nonce: [UInt8], at now: UInt64, into outcome: inout Outcome
  ) throws(SessionError) -> Bundle {
    let pair: OneTimePair
    let requested = pairs.indices.filter { !pairs[$0].isBatched }
    if requested.count >= OneTimePair.maximumUnused, let oldest = requested.first {
      pair = OneTimePair(again: pairs.remove(at: oldest), at: now)
    } else {
      pair = OneTimePair(id: freshPairID(), at: now, randomness: crypto.randomness)
    }
    pairs.append(pair)
    outcome.commit.append(.putPair(pair.id, pair.stored(of: peer.id)))
    return try Bundle.issue(
      by: identity, to: peer.id, nonce: nonce, prekeys: try prekeys.current(), pairs: [pair], at: now, crypto: crypto)
  }

  /// BUNDLE: the one we asked for starts a session.
  mutating func receive(bundle bytes: [UInt8], at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard let request else { return outcome.events.append(.unexpectedFrame(0x06)) }
    do throws(SessionError) {
      let bundle = try Bundle(parsing: bytes.span)
      guard bundle.nonce == request.nonce else { throw SessionError(.refused) }
      try bundle.verify(owner: peer, addressee: identity.id, at: now)
      try begin(bundle, pair: bundle.pairs.first, at: now, into: &outcome)
    } catch {
      guard error.code != .internalFailure else { throw error }
      outcome.events.append(.refusedBundle(error.code))
    }
  }
}
