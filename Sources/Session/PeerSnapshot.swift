/// Everything the store keeps for one peer: what a ``PeerMachine`` is rebuilt from after a restart.
public struct PeerSnapshot: Hashable, Sendable {
  /// The peer's ``IdentityRecord``.
  public var peer: [UInt8]
  /// Session states, sealed.
  public var sessions: [StoredSession]
  /// Envelopes on their way, by session and sequence.
  public var outbox: [OutboxEntry]
  /// Accepted envelopes, oldest first.
  public var received: [StoredReceipt]
  /// One-time pairs, sealed.
  public var pairs: [StoredBlob]
  /// INIT0s that made a session.
  public var replays: [ReplayEntry]
  /// The peer's bookkeeping, if any was written.
  public var state: [UInt8]?
  /// The newest batch of one-time pairs that the peer has handed over, if any.
  public var held: [UInt8]?

  /// A snapshot.
  public init(
    peer: [UInt8], sessions: [StoredSession] = [], outbox: [OutboxEntry] = [], received: [StoredReceipt] = [],
    pairs: [StoredBlob] = [], replays: [ReplayEntry] = [], state: [UInt8]? = nil, held: [UInt8]? = nil
  ) {
    self.peer = peer
    self.sessions = sessions
    self.outbox = outbox
    self.received = received
    self.pairs = pairs
    self.replays = replays
    self.state = state
    self.held = held
  }
}

/// A session's state as it was stored.
public struct StoredSession: Hashable, Sendable {
  /// Which session.
  public let id: SessionID
  /// Sealed by ``StoredSecret/sealed(with:)``.
  public let bytes: [UInt8]

  /// A row.
  public init(id: SessionID, bytes: [UInt8]) {
    self.id = id
    self.bytes = bytes
  }
}

/// An accepted envelope.
public struct StoredReceipt: Hashable, Sendable {
  /// Its session.
  public let session: SessionID
  /// Its name.
  public let envelope: EnvelopeID

  /// A row.
  public init(session: SessionID, envelope: EnvelopeID) {
    self.session = session
    self.envelope = envelope
  }
}
