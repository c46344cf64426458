/// The envelopes that the peer has not acknowledged, in the order they were sealed.
struct Outbox: Sendable {
  /// An envelope, and what is in it as long as we remember: to be sealed again should its session be given up.
  struct Item: Sendable {
    let entry: OutboxEntry
    /// Never stored: it may hold a grant's secret. Nil after a restart, and for the session's own messages.
    let payload: [UInt8]?
  }

  private(set) var items: [Item] = []
  private(set) var bytes = 0

  /// Appends an envelope.
  mutating func append(_ item: Item) {
    items.append(item)
    bytes += item.entry.envelope.count
  }

  /// Removes the acknowledged envelope, if it is there.
  mutating func remove(_ id: EnvelopeID, of session: SessionID) -> OutboxEntry? {
    guard let index = items.firstIndex(where: { $0.entry.id == id && $0.entry.session == session }) else {
      return nil
    }
    let entry = items.remove(at: index).entry
    bytes -= entry.envelope.count
    return entry
  }

  /// Removes all of a session's envelopes.
  mutating func removeAll(of session: SessionID) -> [Item] {
    let removed = items.filter { $0.entry.session == session }
    items.removeAll { $0.entry.session == session }
    bytes -= removed.reduce(0) { $0 + $1.entry.envelope.count }
    return removed
  }

  /// Whether this envelope still waits for its acknowledgement.
  func contains(_ id: EnvelopeID, of session: SessionID) -> Bool {
    items.contains { $0.entry.id == id && $0.entry.session == session }
  }

  /// Whether a session has any.
  func hasAny(of session: SessionID) -> Bool { items.contains { $0.entry.session == session } }
}

/// Payloads that wait for both sides to be confirmed. In memory only.
struct WaitQueue: Sendable {
  /// Payloads that may wait: a few requests per running command.
  static let maximumCount = 256
  /// Bytes that may wait.
  static let maximumBytes = 4 << 20

  private(set) var payloads: [[UInt8]] = []
  private var bytes = 0

  /// Appends a payload, or returns false if there is no room.
  mutating func append(_ payload: [UInt8]) -> Bool {
    guard payloads.count < Self.maximumCount, bytes + payload.count <= Self.maximumBytes else { return false }
    payloads.append(payload)
    bytes += payload.count
    return true
  }

  /// Puts payloads of a session that was given up in front; they had room once.
  mutating func putBack(_ earlier: [[UInt8]]) {
    payloads.insert(contentsOf: earlier, at: 0)
    bytes += earlier.reduce(0) { $0 + $1.count }
  }

  /// The first one, taken out.
  mutating func popFirst() -> [UInt8]? {
    guard !payloads.isEmpty else { return nil }
    let first = payloads.removeFirst()
    bytes -= first.count
    return first
  }
}
