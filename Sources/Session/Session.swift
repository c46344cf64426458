internal import Primitives

/// One session with one peer: a ratchet, its counters and how far both sides have got to know each other.
struct Session: Sendable {
  /// Envelopes in a row that do not open before we ask for another session. Two may be a peer's slip.
  static let maximumFailures = 3

  /// Until both sides are confirmed they act on `hello` alone.
  enum Phase: Sendable {
    /// We started it and repeat INIT until the responder's first chain (CONFIRM) opens.
    case starting(Initiation.Head)
    /// The peer started it and is confirmed when it answers our first chain.
    case answering
    /// Both sides have answered each other.
    case confirmed
  }

  /// What became of it beside its phase.
  enum Standing: UInt8, Sendable {
    /// To be used.
    case good = 0
    /// Lost against one that was started at the same time: received from, not answered.
    case superseded = 1
    /// The peer said RESET: received from until a new session is confirmed, nothing more is sent.
    case abandoned = 2
    /// Our state is older than what the peer has seen: neither sent nor received.
    case quarantined = 3
  }

  /// A `turn` that was sent.
  struct TurnRequest: Sendable {
    /// Unix seconds.
    let at: UInt64
    /// What its acknowledgement names.
    let envelope: EnvelopeID
  }

  /// sid
  let id: SessionID
  /// AD of every envelope.
  let associatedData: [UInt8]
  /// Unix seconds.
  let created: UInt64
  /// Our own order of sessions with this peer: a higher one came later.
  var ordinal: UInt64 = 0
  /// Whether we sent the INIT.
  let isOurs: Bool
  /// Whether INIT named no one-time pair: the first envelopes rest on signed prekeys alone.
  var isWithoutPair = false
  /// Keys.
  var ratchet: Ratchet
  /// Who has been heard.
  var phase: Phase
  /// What became of it.
  var standing = Standing.good
  /// The highest sequence number committed for sending.
  var committed: UInt64 = 0
  /// The highest accepted.
  var seen: UInt64 = 0
  /// When the other side last began a chain, Unix seconds: our keys have turned since.
  var turned: UInt64
  /// When a newer session was confirmed, Unix seconds; zero if none was.
  var replaced: UInt64 = 0
  /// Envelopes in a row that did not open. Not stored.
  var failures = 0
  /// The last `turn` that has not been followed by a chain of the other side. Not stored.
  var turnAsked: TurnRequest?
  /// Bulk bytes since our keys turned. Not stored.
  var trafficBytes = 0
  /// What was committed for sending when the newest link came or went. Not stored.
  var committedBeforeLink: UInt64 = 0

  /// A session as it begins.
  init(secrets: SessionSecrets, ratchet: Ratchet, phase: Phase, isOurs: Bool, at now: UInt64) {
    id = secrets.id
    associatedData = secrets.associatedData
    created = now
    turned = now
    self.isOurs = isOurs
    self.ratchet = ratchet
    self.phase = phase
  }

  /// A session as it was stored.
  init(id: SessionID, associatedData: [UInt8], created: UInt64, isOurs: Bool, ratchet: Ratchet, phase: Phase, turned: UInt64) {
    self.id = id
    self.associatedData = associatedData
    self.created = created
    self.isOurs = isOurs
    self.ratchet = ratchet
    self.phase = phase
    self.turned = turned
  }

  /// Whether both sides are confirmed.
  var isConfirmed: Bool {
    if case .confirmed = phase { true } else { false }
  }

  /// Whether we started it and have no answer.
  var isStarting: Bool {
    if case .starting = phase { true } else { false }
  }

  /// Whether the peer started it and has not answered our answer.
  var isAnswering: Bool {
    if case .answering = phase { true } else { false }
  }

  /// Whether its stored envelopes are still worth sending.
  var isSent: Bool { standing == .good || standing == .superseded }

  /// Seals the next payload of this direction.
  mutating func seal(_ payload: [UInt8], isOwn: Bool, crypto: SessionCrypto) throws(SessionError) -> OutboxEntry {
    let letter = try Letter(sequence: committed + 1, seen: seen, payload: payload)
    do {
      let envelope = try ratchet.seal(letter, associatedData: associatedData, crypto: crypto)
      committed += 1
      return OutboxEntry(
        session: id, sequence: committed, id: try Envelope(parsing: envelope).id, envelope: envelope, isOwn: isOwn)
    } catch {
      throw SessionError(.internalFailure)
    }
  }

  /// Opens an envelope and takes note of what it proves. Throwing means that nothing has changed.
  mutating func open(
    _ envelope: Envelope, prekeys: PrekeyRing, effort: OpeningEffort = .full, at now: UInt64, mayBeShort: Bool
  ) throws(SessionError) -> Letter {
    let opened = try ratchet.open(
      envelope, associatedData: associatedData, prekeys: prekeys, effort: effort, at: now, mayBeShort: mayBeShort)
    if opened.beganChain {
      phase = .confirmed
      turned = now
      turnAsked = nil
      trafficBytes = 0
    }
    seen = max(seen, opened.letter.sequence)
    failures = 0
    return opened.letter
  }

  /// The frame that carries one of its envelopes.
  func frame(_ envelope: [UInt8]) -> LinkFrame {
    if case .starting(let head) = phase {
      .initiation(Initiation(head: head, envelope: envelope))
    } else {
      .envelope(id, envelope)
    }
  }
}
