public import Primitives

/// What must be written in one durable transaction before anything of an ``Outcome`` is acted upon.
public struct SessionCommit: Hashable, Sendable {
  /// Whose rows.
  public let peer: NodeID
  /// In this order.
  public private(set) var changes: [SessionChange] = []

  /// No change yet.
  public init(peer: NodeID) {
    self.peer = peer
  }

  /// Whether there is nothing to write.
  public var isEmpty: Bool { changes.isEmpty }

  /// Whether it only drops acknowledged envelopes. Losing that in a crash costs a resend, so it may wait for the next commit.
  public var canWait: Bool {
    changes.allSatisfy { if case .deleteOutbox = $0 { true } else { false } }
  }

  /// Appends a change. A session's older state in the same commit is dropped: only the last one counts.
  mutating func append(_ change: SessionChange) {
    if case .putSession(let id, _) = change {
      changes.removeAll { if case .putSession(id, _) = $0 { true } else { false } }
    }
    changes.append(change)
  }

  /// Appends the changes of a later step.
  public mutating func append(_ later: SessionCommit) {
    for change in later.changes { append(change) }
  }
}

/// One change to what the store keeps for a peer. Blobs are opaque; secrets the store asks for sealed.
public enum SessionChange: Hashable, Sendable {
  /// Inserts or replaces a session's state.
  case putSession(SessionID, StoredSecret)
  /// Deletes a session's state. Its outbox and receipts have changes of their own.
  case deleteSession(SessionID)
  /// Inserts an envelope that must be sent until it is acknowledged.
  case putOutbox(OutboxEntry)
  /// The envelope was acknowledged.
  case deleteOutbox(SessionID, EnvelopeID)
  /// Deletes all of a session's envelopes.
  case deleteOutboxes(SessionID)
  /// Notes an accepted envelope, so that a repeated one is acknowledged again and does nothing else. Order matters.
  case putReceived(SessionID, EnvelopeID, at: UInt64)
  /// Keeps only that many of a session's accepted envelopes, the newest.
  case trimReceived(SessionID, keep: Int)
  /// Inserts or replaces a one-time pair minted for this peer.
  case putPair(UInt32, StoredSecret)
  /// Deletes a pair that was used or has expired, so that its bytes are overwritten.
  case deletePair(UInt32)
  /// Notes an INIT0 that made a session.
  case putReplay(ReplayEntry)
  /// Deletes the entries that expired by then.
  case deleteReplays(expiredAt: UInt64)
  /// Inserts or replaces the peer's batch of one-time pairs that is held, with what of it was used. Not secret.
  case putHeldBundle([UInt8])
  /// Deletes it.
  case deleteHeldBundle
  /// Inserts or replaces the peer's bookkeeping.
  case putState([UInt8])
}

/// An envelope on its way: ciphertext, resent byte for byte until it is acknowledged.
public struct OutboxEntry: Hashable, Sendable {
  /// Its session.
  public let session: SessionID
  /// Its number in that session, from 1.
  public let sequence: UInt64
  /// What the acknowledgement will name; unique within the session.
  public let id: EnvelopeID
  /// The bytes.
  public let envelope: [UInt8]
  /// Whether it carries a message of the session's own: losing it with its session loses nothing.
  public let isOwn: Bool

  /// A row.
  public init(session: SessionID, sequence: UInt64, id: EnvelopeID, envelope: [UInt8], isOwn: Bool = false) {
    self.session = session
    self.sequence = sequence
    self.id = id
    self.envelope = envelope
    self.isOwn = isOwn
  }
}

/// An INIT0 that made a session and cannot make a second one.
public struct ReplayEntry: Hashable, Sendable {
  /// H(EK_A‖ct)
  public let hash: Digest
  /// The session it made.
  public let session: SessionID
  /// When the prekeys it was made with are dead, Unix seconds.
  public let expires: UInt64

  /// A row.
  public init(hash: Digest, session: SessionID, expires: UInt64) {
    self.hash = hash
    self.session = session
    self.expires = expires
  }
}
