public import Primitives

/// All that happens between us and one peer above the link: sessions, their start and repair, delivery.
///
/// A value that does no I/O. Take a copy, let it make a step, commit the step's ``Outcome/commit`` durably, and only then
/// keep the copy, send the frames and act on what was delivered; if the commit fails, drop the copy. A peer's nonsense
/// never throws: it changes nothing or becomes a ``SessionEvent``.
public struct PeerMachine: Sendable {
  /// Envelopes under way: no more than a receiver may skip at once (``SkippedKeys/maximumGap``), so that losing all but
  /// the last of them still leaves the last one readable.
  public static let maximumUnacknowledged = 1_000
  /// Bytes of envelopes under way: they are held in memory.
  public static let maximumUnacknowledgedBytes = 8 << 20
  /// Sessions with one peer, the given-up and the racing ones included. Two are ordinary.
  static let maximumSessions = 8
  /// Entries of the replay table. A peer that fills it has started a session every ten minutes for a month.
  public static let maximumReplays = 4_096
  /// Bulk bytes after which the keys must turn.
  static let turnBytes = 64 << 20

  let identity: Identity
  let crypto: SessionCrypto
  /// Who the peer is.
  public let peer: IdentityRecord
  /// Our signed prekeys; to be set anew after every ``PrekeyRing/refresh(at:crypto:)``.
  public var prekeys: PrekeyRing
  /// Our `hello`, the first payload in each direction of each session: a JSON object with `"type":"hello"`.
  public var hello: [UInt8]
  /// Hashes of INIT0s that made sessions with peers that were revoked since: none of them makes another.
  public var spent: Set<Digest> = []
  /// Whether a link to the peer is up.
  public internal(set) var isLinked = false

  /// Oldest first.
  var sessions: [Session] = []
  var outbox = Outbox()
  var waiting = WaitQueue()
  var receipts = Receipts()
  /// Unused one-time pairs minted for this peer, on request and in batches, oldest first.
  var pairs: [OneTimePair] = []
  /// The newest batch that this peer has minted for us.
  var held: HeldBundle?
  var replays: [Digest: ReplayEntry] = [:]
  var book = PeerBook()

  /// What an earlier version stored, until the first tick has deleted it.
  var outdated = OutdatedSessions()
  /// What the last INIT in each direction carried. Not stored.
  var carried = CarriedBundles()
  /// The bundle we have asked for.
  var request: BundleRequest?
  /// From when on a session is to be started, if one is.
  var startDue: UInt64?
  /// The session to send a RESET for as soon as a minute has passed since the last.
  var resetDue: SessionID?
  /// Sessions in which the peer's COUNTERS fell short of what we have accepted. Its state is old if its RESET follows; else
  /// envelopes on another link were faster than that frame.
  var behind: Set<SessionID> = []
  /// Sessions that were there when we paired with this peer again, and that it has not named since. Not stored.
  var former: Set<SessionID> = []
  var bundleBudget = Budget(capacity: 8, refillSeconds: 10)
  var initiationBudget = Budget(capacity: 8, refillSeconds: 10)
  /// The same for INITs that came by another way than a link: who hands forged ones in takes nothing from the peer.
  var carriedBudget = Budget(capacity: 8, refillSeconds: 10)
  var initiationFailures = 0
  /// What envelopes that do not open may cost: those of the peer's links, and those that came by another way.
  var openings = OpeningBudget()
  var carriedOpenings = OpeningBudget()
  /// Batches handed over: each is at most sixteen pairs and a signature.
  var batchBudget = Budget(capacity: 4, refillSeconds: 600)
  /// Batches of the peer's looked at.
  var holdingBudget = Budget(capacity: 8, refillSeconds: 60)
  /// Whether the frame that is being received came by another way than a link.
  var isCarried = false
  /// The link that the frame which is being received came over.
  var arrival: UInt64 = 0
  /// What each link tells of the order of things. Not stored.
  var links = LinkViews()
  /// How far each session was acknowledged. Not stored: the outbox says it.
  var acknowledged: [SessionID: AcknowledgedSequence] = [:]
  /// What had been committed for sending when this process began, until its first link is up: nobody can have seen more of it by then.
  /// (Who hands envelopes over by another way than a link does that before the process ends, or not at all.)
  var committedAtStart: [SessionID: UInt64]?
  /// Starts that COUNTERS may lead to, beside those of a minute's silence.
  var startBudget = Budget(capacity: 4, refillSeconds: 60)
  /// Since when there has been a link without a break, Unix seconds.
  var linkedSince: UInt64 = 0
  /// When we last started a session in this process, Unix seconds; zero: not yet.
  var lastStarted: UInt64 = 0
  /// Sessions that are gone and whose receipts the store still has. Not stored.
  var staleReceipts: Set<SessionID> = []

  /// A bundle under way.
  struct BundleRequest: Sendable {
    let nonce: [UInt8]
    let since: UInt64
  }

  /// The machine of a peer that we are pairing with.
  public init(identity: Identity, peer: IdentityRecord, prekeys: PrekeyRing, hello: [UInt8], crypto: SessionCrypto) {
    self.identity = identity
    self.peer = peer
    self.prekeys = prekeys
    self.hello = hello
    self.crypto = crypto
  }

  /// The machine as it was when the snapshot's last commit was made, opened with the key that the store sealed it under.
  /// Throws ``SessionError/Code/corruptState`` or ``SessionError/Code/wrongStateKey``.
  public init(
    identity: Identity, snapshot: PeerSnapshot, prekeys: PrekeyRing, hello: [UInt8], crypto: SessionCrypto, key: StateKey
  ) throws(SessionError) {
    let peer = try IdentityRecord(stored: snapshot.peer.span)
    self.init(identity: identity, peer: peer, prekeys: prekeys, hello: hello, crypto: crypto)
    for stored in snapshot.sessions {
      let opened = try SecretPlace.session(stored.id, of: peer.id).open(stored.bytes, with: key)
      if Session.isOutdated(stored: opened.span) {
        outdated.add(stored.id)
        continue
      }
      let session = try Session(stored: opened.span)
      guard session.id == stored.id else { throw SessionError(.corruptState) }
      sessions.append(session)
    }
    sessions.sort { $0.ordinal < $1.ordinal }
    committedAtStart = Dictionary(uniqueKeysWithValues: sessions.map { ($0.id, $0.committed) })
    for entry in snapshot.outbox.sorted(by: { $0.sequence < $1.sequence }) where !outdated.claims(entry) {
      outbox.append(Outbox.Item(entry: entry, payload: nil))
    }
    let known = Set(sessions.map(\.id))
    for receipt in snapshot.received {
      guard known.contains(receipt.session) else {
        staleReceipts.insert(receipt.session)
        continue
      }
      _ = receipts.insert(receipt.envelope, of: receipt.session)
    }
    for session in sessions {
      let open = Set(snapshot.outbox.filter { $0.session == session.id }.map(\.sequence))
      var highest = session.committed
      while highest > 0, open.contains(highest) { highest -= 1 }
      acknowledged[session.id] = AcknowledgedSequence(stored: highest)
    }
    for stored in snapshot.pairs { pairs.append(try OneTimePair(stored, of: peer.id, key: key)) }
    pairs.sort { $0.issued < $1.issued }
    for entry in snapshot.replays { replays[entry.hash] = entry }
    if let state = snapshot.state { book = try PeerBook(stored: state) }
    if let bytes = snapshot.held { held = try HeldBundle(stored: bytes) }
  }

  /// Whether both sides are confirmed, so that payloads go out at once.
  public var isConfirmed: Bool { currentIndex != nil }

  /// The session payloads go out in.
  public var currentSession: SessionID? { currentIndex.map { sessions[$0].id } }

  /// Envelopes the peer has not acknowledged.
  public var unacknowledged: Int { outbox.items.count }

  /// Payloads that wait for a confirmed session.
  public var waitingCount: Int { waiting.payloads.count }

  /// What went wrong lately, oldest first: all that has not healed, and for a week what has.
  public func troubles(at now: UInt64) -> [PeerTrouble] { book.troubles.list.filter { !$0.isOver(at: now) } }

  /// Whether the session payloads go out in was started from signed prekeys alone.
  public var isWithoutPair: Bool { currentIndex.map { sessions[$0].isWithoutPair } ?? false }

  /// How things stand.
  public var health: SessionHealth {
    if isConfirmed { return .healthy }
    if sessions.contains(where: { $0.standing == .quarantined }) { return .quarantined }
    if sessions.contains(where: { $0.isStarting }) { return .starting }
    return sessions.contains(where: { $0.isAnswering }) ? .unconfirmed : .none
  }

  /// The newest session that both sides are confirmed in and that neither has given up.
  var currentIndex: Int? { sessions.lastIndex { $0.isConfirmed && $0.standing == .good } }

  /// Whether the lower node id is ours: it starts sessions when both could.
  var isLower: Bool { identity.id < peer.id }

  /// Whether there is a session, or one on its way.
  var hasSession: Bool { sessions.contains { $0.standing == .good } }
}

extension PeerMachine {
  /// Sends a payload: a JSON object with a `type`, at most ``Envelope/maximumPayloadBytes``.
  ///
  /// Returning means that it is in the outbox, or, before both sides are confirmed, that it waits in memory. From the outbox it
  /// arrives exactly once as long as its session lasts; what comes after that is said at ``lostPayloads(at:)``. Throws
  /// ``SessionError/Code/tooLarge``, ``SessionError/Code/outboxFull`` or ``SessionError/Code/queueFull``.
  public mutating func send(_ payload: [UInt8], at now: UInt64) throws(SessionError) -> Outcome {
    guard payload.count <= Envelope.maximumPayloadBytes else { throw SessionError(.tooLarge) }
    var outcome = Outcome(peer: peer.id)
    if let index = currentIndex, waiting.payloads.isEmpty {
      guard hasRoom else { throw SessionError(.outboxFull) }
      try seal(payload, isOwn: false, in: index, into: &outcome)
    } else {
      guard waiting.append(payload) else { throw SessionError(.queueFull) }
      if !hasSession, !isLinked, usableHeldBundle(at: now) != nil {
        try startFromHeldBundle(at: now, into: &outcome)
      } else if !hasSession, isLower, startDue == nil {
        startDue = now
      }
    }
    try pump(at: now, into: &outcome)
    return outcome
  }

  /// Whether one more envelope may be under way.
  public var hasRoom: Bool {
    unacknowledged < Self.maximumUnacknowledged && outbox.bytes < Self.maximumUnacknowledgedBytes
  }

  /// Seals a payload in a session, into the outbox and the commit. Returns what its acknowledgement will name.
  @discardableResult
  mutating func seal(
    _ payload: [UInt8], isOwn: Bool, in index: Int, into outcome: inout Outcome
  ) throws(SessionError) -> EnvelopeID {
    let entry = try sessions[index].seal(payload, isOwn: isOwn, crypto: crypto)
    outbox.append(Outbox.Item(entry: entry, payload: isOwn ? nil : payload))
    outcome.commit.append(.putOutbox(entry))
    outcome.commit.append(.putSession(sessions[index].id, sessions[index].stored(of: peer.id)))
    if isLinked { outcome.frames.append(sessions[index].frame(entry.envelope)) }
    return entry.id
  }

  /// Sends what has waited, as far as there is room.
  mutating func release(into outcome: inout Outcome) throws(SessionError) {
    guard let index = currentIndex else { return }
    let afloat = book.lost.afloat
    while hasRoom, let payload = waiting.popFirst() {
      try seal(payload, isOwn: false, in: index, into: &outcome)
      book.lost.noteResealed()
    }
    if book.lost.afloat != afloat { outcome.commit.append(.putState(book.stored)) }
  }
}
