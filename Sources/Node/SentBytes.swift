internal import Primitives

/// The bytes that went out on one data connection.
struct SentBytes {
  /// The artifact that was served last.
  private(set) var digest: Digest
  /// Bytes of contents, of all artifacts.
  private(set) var bytes: UInt64 = 0
  /// Bytes per second.
  private(set) var meter = Meter()

  /// A connection on which an artifact is about to be served.
  init(_ digest: Digest) {
    self.digest = digest
    meter.begin(resumed: 0)
  }

  /// Counts a frame.
  mutating func add(_ count: Int, of digest: Digest) {
    self.digest = digest
    bytes += UInt64(count)
    meter.add(count)
  }
}
