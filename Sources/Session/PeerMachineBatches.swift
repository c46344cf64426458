internal import Primitives

/// Batches of one-time pairs: handing ours over, and holding the peer's.
///
/// What a hostile peer can make of this: a batch is at most sixteen fresh pairs, one signature and one envelope, and
/// ``batchBudget`` allows four at once and one every ten minutes, whatever the peer does. At most
/// ``OneTimePair/maximumBatched`` unused pairs of about 170 bytes are kept. Of the peer's batches one is held (31 kB); eight
/// at once and one a minute are looked at, each of which costs two verifications and one commit.
extension PeerMachine {
  /// How much of a batch is new.
  private enum Scope { case refill, whole }

  /// Hands a batch over if the current session has carried none, if half of the newest one is used, or if it has become
  /// old. One that is still under way in this session is waited for.
  mutating func handOverBatch(at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard isLinked, hasRoom, let index = currentIndex, let scope = try dueBatch(in: index, at: now),
      batchBudget.spend(at: now)
    else { return }
    let generation = try prekeys.current()
    let issued = nextIssue(at: now)
    var batch: [OneTimePair] = []
    if scope == .refill {
      for id in book.batch?.pairs ?? [] {
        if let pair = pairs.first(where: { $0.id == id }) { batch.append(OneTimePair(again: pair, at: issued)) }
      }
    }
    while batch.count < Bundle.maximumPairs {
      let id = freshPairID(besides: batch)
      batch.append(OneTimePair(id: id, at: issued, isBatched: true, randomness: crypto.randomness))
    }
    pairs.removeAll { pair in batch.contains { $0.id == pair.id } }
    pairs += batch
    for pair in batch { outcome.commit.append(.putPair(pair.id, pair.stored(of: peer.id))) }
    dropExcessPairs(into: &outcome)
    let bundle = try Bundle.issue(
      by: identity, to: peer.id, nonce: Bundle.pushedNonce, prekeys: generation, pairs: batch, at: issued, crypto: crypto)
    let envelope = try seal(PrekeysMessage.payload(bundle), isOwn: true, in: index, into: &outcome)
    book.batch = HandedBatch(
      issued: issued, generation: generation.id, session: sessions[index].id, envelope: envelope, pairs: batch.map(\.id))
    outcome.commit.append(.putState(book.stored))
    outcome.events.append(.batchHandedOver(pairs: batch.count))
  }

  private func dueBatch(in index: Int, at now: UInt64) throws(SessionError) -> Scope? {
    guard let last = book.batch else { return .whole }
    let isElsewhere = last.session != sessions[index].id
    guard isElsewhere || !outbox.contains(last.envelope, of: last.session) else { return nil }
    let isOld = last.issued + SessionTimes.batchLife <= now || last.issued > now + SessionTimes.clockSkew
    let generation = try prekeys.current()
    if isOld || last.generation != generation.id { return .whole }
    let unused = last.pairs.count { id in pairs.contains { $0.id == id } }
    return isElsewhere || unused <= Bundle.maximumPairs / 2 ? .refill : nil
  }

  /// Later than the batch before, also within one second; a clock that was far ahead and was put right starts again.
  private func nextIssue(at now: UInt64) -> UInt64 {
    guard let last = book.batch?.issued, last >= now, last < now + SessionTimes.clockSkew else { return now }
    return last + 1
  }

  private mutating func dropExcessPairs(into outcome: inout Outcome) {
    var excess = pairs.count { $0.isBatched } - OneTimePair.maximumBatched
    while excess > 0, let index = pairs.firstIndex(where: \.isBatched) {
      outcome.commit.append(.deletePair(pairs.remove(at: index).id))
      excess -= 1
    }
  }

  /// An id that no unused pair of this peer's has.
  func freshPairID(besides more: [OneTimePair] = []) -> UInt32 {
    while true {
      let id = crypto.randomID()
      if !pairs.contains(where: { $0.id == id }), !more.contains(where: { $0.id == id }) { return id }
    }
  }

  /// `prekeys` in a confirmed session: the newest valid batch is held, everything else changes nothing.
  mutating func hold(_ payload: [UInt8], at now: UInt64, into outcome: inout Outcome) {
    guard holdingBudget.spend(at: now) else { return outcome.events.append(.refusedBatch(.refused)) }
    do throws(SessionError) {
      let bundle = try PrekeysMessage.read(payload)
      if let held, bundle.issued <= held.bundle.issued { throw SessionError(.outdated) }
      try bundle.verify(owner: peer, addressee: identity.id, at: now)
      let next = HeldBundle(bundle, replacing: held)
      held = next
      outcome.commit.append(.putHeldBundle(next.stored))
      learn(bundle, into: &outcome)
      outcome.events.append(.batchHeld(pairs: bundle.pairs.count))
    } catch {
      outcome.events.append(.refusedBatch(error.code))
    }
  }

  /// What is held is of no use any more: the next start asks.
  mutating func dropHeldBundle(into outcome: inout Outcome) {
    guard held != nil else { return }
    held = nil
    outcome.commit.append(.deleteHeldBundle)
  }
}

/// Starts without asking, also while the peer is away.
extension PeerMachine {
  /// Whether a session can be started while the peer is away: a bundle of its is in hand and in time.
  public func canStartOffline(at now: UInt64) -> Bool { usableHeldBundle(at: now) != nil }

  /// Starts a session while the peer is away, unless there is one or one is on its way.
  ///
  /// Once the outcome is committed, the INIT with our `hello` is among ``undelivered`` until the peer has answered. Without an
  /// unused pair the session starts from signed prekeys alone, which ``SessionEvent/startedWithoutPair(_:byUs:)`` tells.
  /// Throws ``SessionError/Code/noBundle`` if there is nothing to start from.
  public mutating func startOffline(at now: UInt64) throws(SessionError) -> Outcome {
    var outcome = Outcome(peer: peer.id)
    guard !hasSession else { return outcome }
    guard usableHeldBundle(at: now) != nil else { throw SessionError(.noBundle) }
    try startFromHeldBundle(at: now, into: &outcome)
    return outcome
  }

  /// Every envelope that the peer has not acknowledged, oldest first, as the frame that brings it: on a link, or as
  /// ``LinkFrame/encoded`` by any other way. Those whose header is short wait for a link.
  public var undelivered: [LinkFrame] {
    outbox.items.compactMap { item in
      guard let envelope = try? Envelope(parsing: item.entry.envelope), !envelope.hasShortHeader else { return nil }
      return sessions.first { $0.id == item.entry.session && $0.isSent }?.frame(item.entry.envelope)
    }
  }

  /// Takes the bytes of a frame that came by another way than a link, where nobody vouches for who sent it.
  ///
  /// INIT and ENVELOPE prove themselves; anything else throws ``SessionError/Code/malformed``. What does not open leaves no
  /// trace and is not answered: whoever can hand in bytes could otherwise have sessions replaced.
  public mutating func receive(carried bytes: [UInt8], at now: UInt64) throws(SessionError) -> Outcome {
    guard let frame = try? LinkFrame(parsing: bytes.span) else { throw SessionError(.malformed) }
    switch frame {
    case .envelope, .initiation: break
    default: throw SessionError(.malformed)
    }
    isCarried = true
    defer { isCarried = false }
    return try receive(frame, at: now)
  }

  /// The held bundle, if its time is not over and not still to come.
  func usableHeldBundle(at now: UInt64) -> HeldBundle? {
    guard let held, (try? held.bundle.checkTimes(at: now)) != nil else { return nil }
    return held
  }

  /// Starts with the next pair of the held bundle, or without one if all are used. A bundle whose keys agree on nothing is
  /// dropped, and another is asked for.
  mutating func startFromHeldBundle(at now: UInt64, into outcome: inout Outcome) throws(SessionError) {
    guard var held else { throw SessionError(.noBundle) }
    let pair = held.nextPair
    do throws(SessionError) {
      try begin(held.bundle, pair: pair, at: now, into: &outcome)
    } catch {
      guard error.code != .internalFailure else { throw error }
      dropHeldBundle(into: &outcome)
      outcome.events.append(.refusedBatch(error.code))
      startDue = now
      return
    }
    if let pair {
      held.use(pair)
      self.held = held
      outcome.commit.append(.putHeldBundle(held.stored))
    }
  }
}
