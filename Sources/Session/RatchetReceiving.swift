internal import Primitives

extension Ratchet {
  /// An opened envelope.
  struct Opened: Sendable {
    /// What was in it.
    let letter: Letter
    /// Whether it was the first of a new chain: the other side has answered our newest one.
    let beganChain: Bool
  }

  /// The responder's ratchet (RatchetInitBobHE), which exists from its first message on: it opens under HK_A, in the
  /// initiator's first chain, or there is no session.
  init(
    responding secrets: SessionSecrets, prekeys: SignedPrekeys, confirmationKey: MLKEM1024.PublicKey, first: Envelope
  ) throws(SessionError) {
    guard let header = first.header(under: secrets.initiatorHeaderKey), header.encapsulation == .none,
      header.previousCount == 0
    else { throw SessionError(.refused) }
    do {
      let step = secrets.roots.advanced(dh: try X25519.agree(prekeys.ec, header.keys.dh), shared: .none)
      roots = step.roots
      nextReceivingHeaderKey = step.nextHeaderKey
      receiving = .chain(
        ReceivingChain(
          headerKey: secrets.initiatorHeaderKey, fingerprint: header.chainFingerprint, chain: step.chain, number: 0,
          skipped: [], known: KnownHeader(header)))
      sending = .turn(
        DueTurn(
          headerKey: secrets.responderNextHeaderKey, remote: header.keys, previousCount: 0,
          confirmationKey: confirmationKey))
    } catch {
      throw SessionError(.refused)
    }
  }

  /// Opens an envelope. Throwing means that nothing has changed.
  ///
  /// Header keys are tried in this order: HKr, NHKr, those of chains left behind, newest first; the first that opens the
  /// header decides. A short one is not tried under NHKr: what is not known yet must be said.
  ///
  /// - Parameter mayBeShort: whether the envelope came on a link and in no INIT.
  mutating func open(
    _ envelope: Envelope, associatedData: [UInt8], prekeys: PrekeyRing, effort: OpeningEffort = .full, at now: UInt64,
    mayBeShort: Bool = true
  ) throws(SessionError) -> Opened {
    guard mayBeShort || !envelope.hasShortHeader else { throw SessionError(.refused) }
    var trial = self
    let opened = try trial.openInPlace(
      envelope, associatedData: associatedData, prekeys: prekeys, effort: effort, at: now)
    self = trial
    return opened
  }

  private mutating func openInPlace(
    _ envelope: Envelope, associatedData: [UInt8], prekeys: PrekeyRing, effort: OpeningEffort, at now: UInt64
  ) throws(SessionError) -> Opened {
    if envelope.hasShortHeader { return try openShort(envelope, associatedData: associatedData, effort: effort, at: now) }
    if case .chain(let current) = receiving,
      let header = envelope.header(under: current.headerKey, knowing: current.known?.header)
    {
      let key = try messageKey(header, in: current, effort: effort, at: now)
      return Opened(letter: try envelope.letter(under: key, associatedData: associatedData), beganChain: false)
    }
    if let header = envelope.header(under: nextReceivingHeaderKey) {
      try beginReceivingChain(header, prekeys: prekeys, effort: effort, at: now)
      guard case .chain(let current) = receiving else { throw SessionError(.refused) }
      let key = try messageKey(header, in: current, effort: effort, at: now)
      return Opened(letter: try envelope.letter(under: key, associatedData: associatedData), beganChain: true)
    }
    guard effort.searchesOldChains else { throw SessionError(.refused) }
    for index in skipped.chains.indices.reversed() {
      guard let header = envelope.header(under: skipped.chains[index].headerKey) else { continue }
      guard header.chainFingerprint == skipped.chains[index].fingerprint,
        let key = skipped.take(header.number, fromChain: index, at: now)
      else { throw SessionError(.refused) }
      return Opened(letter: try envelope.letter(under: key, associatedData: associatedData), beganChain: false)
    }
    throw SessionError(.refused)
  }

  /// The key of a message of the newest chain; everything before it that has not come is skipped.
  private mutating func messageKey(
    _ header: RatchetHeader, in current: ReceivingChain, effort: OpeningEffort, at now: UInt64
  ) throws(SessionError) -> SecretBox {
    guard header.chainFingerprint == current.fingerprint else { throw SessionError(.refused) }
    var chain = current
    if chain.known == nil { chain.known = KnownHeader(header) }
    return try messageKey(header.number, in: chain, effort: effort, at: now)
  }

  /// The same where the header has been judged.
  mutating func messageKey(
    _ number: UInt32, in current: ReceivingChain, effort: OpeningEffort, at now: UInt64
  ) throws(SessionError) -> SecretBox {
    var chain = current
    if number < chain.number {
      guard let position = chain.skipped.firstIndex(where: { $0.number == number }),
        !chain.skipped[position].isExpired(at: now)
      else { throw SessionError(.refused) }
      let key = chain.skipped.remove(at: position).messageKey
      receiving = .chain(chain)
      return key
    }
    guard number < .max else { throw SessionError(.refused) }
    try chain.skip(to: number, allowance: effort.gap, at: now)
    let (key, next) = chain.chain.stepped()
    chain.chain = next
    chain.number = number + 1
    receiving = .chain(chain)
    trimSkipped(at: now)
    return key
  }

  /// The receiving half of DHRatchetHE and of the KEM ratchet: leaves the old chain behind, begins the new one, and notes
  /// that it is our turn.
  private mutating func beginReceivingChain(
    _ header: RatchetHeader, prekeys: PrekeyRing, effort: OpeningEffort, at now: UInt64
  ) throws(SessionError) {
    // Without a chain of ours that it could answer, nobody honest begins one.
    guard case .chain(let ours) = sending else { throw SessionError(.refused) }
    var gap = Int(header.number)
    switch (receiving, header.encapsulation) {
    case (.answerAwaited, .confirm):
      guard header.previousCount == 0 else { throw SessionError(.refused) }
    case (.chain(var old), .answer):
      guard header.previousCount >= old.number else { throw SessionError(.refused) }
      gap += Int(header.previousCount - old.number)
      guard gap <= effort.gap else { throw SessionError(.refused) }
      try old.skip(to: header.previousCount, allowance: effort.gap, at: now)
      skipped.append(SkippedChain(headerKey: old.headerKey, fingerprint: old.fingerprint, keys: old.skipped))
    default:
      throw SessionError(.refused)
    }
    guard gap <= effort.gap else { throw SessionError(.refused) }
    do {
      let dh = try X25519.agree(ours.keys.dh, header.keys.dh)
      let step = roots.advanced(dh: dh, shared: try shared(header.encapsulation, with: ours, prekeys: prekeys))
      roots = step.roots
      receiving = .chain(
        ReceivingChain(
          headerKey: nextReceivingHeaderKey, fingerprint: header.chainFingerprint, chain: step.chain, number: 0,
          skipped: [], known: KnownHeader(header)))
      nextReceivingHeaderKey = step.nextHeaderKey
    } catch {
      throw SessionError(.refused)
    }
    sending = .turn(
      DueTurn(headerKey: ours.nextHeaderKey, remote: header.keys, previousCount: ours.number, confirmationKey: nil))
  }

  /// ss, decapsulated with the keys of the chain of ours that is being answered.
  private func shared(
    _ encapsulation: RatchetHeader.Encapsulation, with ours: SendingChain, prekeys: PrekeyRing
  ) throws(CryptoError) -> KEMSecret {
    switch encapsulation {
    case .none: return .none
    case .answer(let ciphertext): return .one(SecretBox(try ours.keys.kem.decapsulate(ciphertext)))
    case .confirm(let first, let second):
      guard let generation = prekeys.find(ours.confirmationPrekey) else { throw CryptoError(.invalidKey) }
      let secret = SecretBox(try ours.keys.kem.decapsulate(first))
      return .two(secret, SecretBox(try generation.kem.decapsulate(second)))
    }
  }

  /// Keeps the number and the age of skipped keys within their limits.
  mutating func trimSkipped(at now: UInt64) {
    guard case .chain(var chain) = receiving else { return }
    if let oldest = chain.skipped.first, oldest.isExpired(at: now) {
      chain.skipped.removeAll { $0.isExpired(at: now) }
    }
    chain.skipped.removeFirst(max(0, chain.skipped.count - SkippedKeys.maximumKeys))
    skipped.trim(to: SkippedKeys.maximumKeys - chain.skipped.count, at: now)
    receiving = .chain(chain)
  }
}

extension Ratchet.ReceivingChain {
  /// SkipMessageKeysHE: stores the keys from Nr up to `until`.
  mutating func skip(to until: UInt32, allowance: Int, at now: UInt64) throws(SessionError) {
    guard until >= number, Int(until - number) <= allowance else { throw SessionError(.refused) }
    while number < until {
      let (key, next) = chain.stepped()
      skipped.append(SkippedKey(number: number, messageKey: key, since: now))
      chain = next
      number += 1
    }
  }
}
