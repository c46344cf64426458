/// What a step of a ``PeerMachine`` wants done: first commit, then send, deliver and tell.
public struct Outcome: Sendable {
  /// To be written in one durable transaction before anything else here is acted upon.
  public var commit: SessionCommit
  /// To be sent in this order. Without a link they may be dropped: what matters is in the outbox.
  public var frames: [LinkFrame] = []
  /// What the peer said.
  public var delivered: [Delivered] = []
  /// What happened.
  public var events: [SessionEvent] = []
  /// What the frame of this step was worth. Of several steps that were joined it is the first one's.
  public var verdict = FrameVerdict.neutral

  /// Nothing to do.
  public init(peer: NodeID) {
    commit = SessionCommit(peer: peer)
  }

  /// Joins a later step of the same machine to this one, so that both share a commit.
  public mutating func absorb(_ later: Outcome) {
    commit.append(later.commit)
    frames += later.frames
    delivered += later.delivered
    events += later.events
  }
}

/// One payload, delivered once per session, and not before both sides of it are confirmed.
///
/// What was still unacknowledged when a session was given up is sealed again in the next one, so a payload may in that
/// case come a second time: its effect should be idempotent.
public struct Delivered: Hashable, Sendable {
  /// The session it came in; grants are bound to it.
  public let session: SessionID
  /// Its number in that session.
  public let sequence: UInt64
  /// The payload's member `type`.
  public let type: String
  /// A JSON object that passed `StrictJSON`.
  public let payload: [UInt8]
}

/// Something the node may want to log, count or show.
public enum SessionEvent: Hashable, Sendable {
  /// A session exists.
  case started(SessionID, byUs: Bool)
  /// Both sides of it are confirmed.
  case confirmed(SessionID)
  /// The peer has durably accepted our envelope.
  case acknowledged(SessionID, sequence: UInt64)
  /// The peer has seen more than we remember sending: our state was rolled back or cloned. Quarantined; a fresh session
  /// follows.
  case rollback(SessionID)
  /// The peer has forgotten something we have seen: its state was rolled back or cloned.
  case peerRollback(SessionID)
  /// We asked for another session.
  case resetSent(SessionID)
  /// The peer asked for another session.
  case resetReceived(SessionID)
  /// An envelope did not open. Nothing has changed.
  case refusedEnvelope(SessionID)
  /// An INIT made no session.
  case refusedInitiation(SessionError.Code)
  /// A bundle was not usable.
  case refusedBundle(SessionError.Code)
  /// A genuine envelope held no strict JSON object with a `type`. Dropped.
  case malformedPayload(SessionID)
  /// A genuine envelope held something other than `hello` before both sides were confirmed. Dropped.
  case prematurePayload(SessionID)
  /// A session was started without a one-time pair, from signed prekeys alone: by us, or by the peer.
  case startedWithoutPair(SessionID, byUs: Bool)
  /// The peer was given a batch of so many one-time pairs.
  case batchHandedOver(pairs: Int)
  /// A batch of the peer's is held.
  case batchHeld(pairs: Int)
  /// A batch of the peer's was not taken. Nothing has changed.
  case refusedBatch(SessionError.Code)
  /// A frame that has no place here, by its type byte.
  case unexpectedFrame(UInt8)
  /// A session was given up with that many envelopes that nobody can open any more and whose payloads we no longer have. Zeros: the
  /// payloads had waited in memory for the next session when the process ended.
  case undeliverable(SessionID, count: Int)
}

/// How things stand with a peer.
public enum SessionHealth: String, Hashable, Sendable {
  /// No session.
  case none
  /// Ours was started; the answer is awaited.
  case starting
  /// The peer's was started; its second word is awaited.
  case unconfirmed
  /// Confirmed.
  case healthy
  /// Our state was rolled back; a fresh session is needed.
  case quarantined
}
