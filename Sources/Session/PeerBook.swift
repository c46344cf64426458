internal import Wire

/// The small things a ``PeerMachine`` must remember over a restart beside its sessions.
struct PeerBook: Hashable, Sendable {
  /// Version 1 ends after the sessions that are gone, version 2 after the troubles.
  private static let version: UInt8 = 3
  /// Sessions that are gone and still known by name, so that a late envelope of one does not look like a lost session.
  static let maximumRetired = 64

  /// Sessions that are gone, oldest first.
  var retired: [SessionID] = []
  /// When we last asked for another session, Unix seconds; zero: never.
  var resetSent: UInt64 = 0
  /// When a RESET last made us start one, or will, Unix seconds; zero: never.
  var started: UInt64 = 0
  /// The newest batch of one-time pairs that the peer was given.
  var batch: HandedBatch?
  /// What went wrong lately.
  var troubles = PeerTroubles()
  /// When the newest bundle that we know of the peer was issued, on its clock; zero: none.
  var newestBundle: UInt64 = 0
  /// What could not be delivered.
  var lost = LostPayloads()
  /// What the peer said of itself in a session that is not confirmed yet.
  var hello: PendingHello?
  /// Sessions that the peer still had when it was paired, and that we had forgotten with it.
  var disowned: [SessionID] = []

  init() {}

  /// Reads ``stored``, or what an earlier version stored.
  init(stored bytes: [UInt8]) throws(SessionError) {
    do {
      var reader = ByteReader(bytes.span)
      let version = try reader.u8()
      guard (1...Self.version).contains(version) else { throw SessionError(.unsupportedVersion) }
      resetSent = try reader.u64()
      started = try reader.u64()
      let count = Int(try reader.u8())
      for _ in 0..<count { retired.append(try SessionID(from: &reader)) }
      if version >= 2 {
        switch try reader.u8() {
        case 0: batch = nil
        case 1: batch = try HandedBatch(from: &reader)
        default: throw SessionError(.corruptState)
        }
        troubles = try PeerTroubles(from: &reader)
      }
      if version >= 3 {
        newestBundle = try reader.u64()
        lost = try LostPayloads(from: &reader)
        switch try reader.u8() {
        case 0: hello = nil
        case 1: hello = try PendingHello(from: &reader)
        default: throw SessionError(.corruptState)
        }
        for _ in 0..<(try reader.u8()) { disowned.append(try SessionID(from: &reader)) }
      }
      try reader.finish()
    } catch {
      throw SessionError(.corruptState)
    }
  }

  /// For the store.
  var stored: [UInt8] {
    var writer = ByteWriter()
    writer.u8(Self.version)
    writer.u64(resetSent)
    writer.u64(started)
    writer.u8(UInt8(retired.count))
    for id in retired { writer.append(id.bytes) }
    writer.u8(batch == nil ? 0 : 1)
    batch?.write(to: &writer)
    troubles.write(to: &writer)
    writer.u64(newestBundle)
    lost.write(to: &writer)
    writer.u8(hello == nil ? 0 : 1)
    hello?.write(to: &writer)
    writer.u8(UInt8(disowned.count))
    for id in disowned { writer.append(id.bytes) }
    return writer.bytes
  }

  /// Takes note of a genuine bundle of the peer's. Returns whether it is the newest so far.
  mutating func note(_ bundle: Bundle) -> Bool {
    guard bundle.issued > newestBundle else { return false }
    newestBundle = bundle.issued
    return true
  }

  /// Whether a bundle is so much older than the newest one that nobody honest starts a session with it: its signed prekeys were replaced
  /// long ago, and may have been stolen since. What our clock took for new when it was ahead does not count.
  func isOutdated(_ bundle: Bundle, at now: UInt64) -> Bool {
    newestBundle <= now + SessionTimes.clockSkew && bundle.issued + SessionTimes.bundleLag < newestBundle
  }

  /// Whether it tells of no session that the peer took part in.
  var hasNoPast: Bool {
    retired.isEmpty && disowned.isEmpty && batch == nil && resetSent == 0 && started == 0
  }

  /// Adds a session, in the place of the oldest if there are too many.
  mutating func retire(_ id: SessionID) {
    if hello?.session == id { hello = nil }
    retired.append(id)
    retired.removeFirst(max(0, retired.count - Self.maximumRetired))
  }
}

/// A batch of one-time pairs as its owner remembers it. The pairs themselves are rows of their own.
struct HandedBatch: Hashable, Sendable {
  /// Unix seconds; each batch is later than the one before.
  let issued: UInt64
  /// The signed prekeys it names; zero, which none has, if its pairs are not to be listed again.
  private(set) var generation: UInt32
  /// The session that carries it…
  let session: SessionID
  /// …and the envelope.
  let envelope: EnvelopeID
  /// Ids of its pairs, in its order.
  let pairs: [UInt32]

  init(issued: UInt64, generation: UInt32, session: SessionID, envelope: EnvelopeID, pairs: [UInt32]) {
    self.issued = issued
    self.generation = generation
    self.session = session
    self.envelope = envelope
    self.pairs = pairs
  }

  /// What is unused of it is of no use any more: the next batch is a whole new one.
  mutating func spoil() { generation = 0 }

  @_lifetime(reader: copy reader)
  fileprivate init(from reader: inout ByteReader) throws(WireError) {
    issued = try reader.u64()
    generation = try reader.u32()
    session = try SessionID(from: &reader)
    envelope = try EnvelopeID(from: &reader)
    var pairs: [UInt32] = []
    for _ in 0..<(try reader.u8()) { pairs.append(try reader.u32()) }
    self.pairs = pairs
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.u64(issued)
    writer.u32(generation)
    writer.append(session.bytes)
    writer.append(envelope.bytes)
    writer.u8(UInt8(pairs.count))
    for id in pairs { writer.u32(id) }
  }
}
