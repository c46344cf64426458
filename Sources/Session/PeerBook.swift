internal import Wire

/// The small things a ``PeerMachine`` must remember over a restart beside its sessions.
struct PeerBook: Hashable, Sendable {
  private static let version: UInt8 = 1
  /// Sessions that are gone and still known by name, so that a late envelope of one does not look like a lost session.
  static let maximumRetired = 64

  /// Sessions that are gone, oldest first.
  var retired: [SessionID] = []
  /// When we last asked for another session, Unix seconds; zero: never.
  var resetSent: UInt64 = 0
  /// When we last began to start one, Unix seconds; zero: never.
  var started: UInt64 = 0

  init() {}

  /// Reads ``stored``.
  init(stored bytes: [UInt8]) throws(SessionError) {
    do {
      var reader = ByteReader(bytes.span)
      guard try reader.u8() == Self.version else { throw SessionError(.unsupportedVersion) }
      resetSent = try reader.u64()
      started = try reader.u64()
      let count = Int(try reader.u8())
      for _ in 0..<count { retired.append(try SessionID(from: &reader)) }
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
    return writer.bytes
  }

  /// Adds a session; returns the one that is forgotten in its place, if any.
  mutating func retire(_ id: SessionID) -> SessionID? {
    retired.append(id)
    return retired.count > Self.maximumRetired ? retired.removeFirst() : nil
  }
}
