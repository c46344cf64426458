internal import Primitives
internal import Wire

/// What is inside an envelope: `seq u64‖seen u64‖u32 length‖JSON‖zeros`, padded so that its length says little.
struct Letter: Hashable, Sendable {
  /// Bytes before the payload.
  static let overheadBytes = 20
  private static let smallest = 256
  /// The largest power of two; above it there is one more size.
  private static let largestPower = 32_768
  /// The last size: with the largest INIT around it, an envelope still fits one link frame.
  static let maximumBytes = 49_152

  /// Numbers this direction of this session from 1.
  let sequence: UInt64
  /// The highest number the sender has accepted from the other side.
  let seen: UInt64
  /// JSON
  let payload: [UInt8]

  /// A letter whose payload fits.
  init(sequence: UInt64, seen: UInt64, payload: [UInt8]) throws(SessionError) {
    guard payload.count <= Self.maximumBytes - Self.overheadBytes else { throw SessionError(.tooLarge) }
    self.sequence = sequence
    self.seen = seen
    self.payload = payload
  }

  /// Reads a letter. The padding must be zeros and exactly as long as the rule says.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    var reader = ByteReader(bytes)
    sequence = try reader.u64()
    seen = try reader.u64()
    payload = try reader.lengthPrefixed(atMost: Self.maximumBytes - Self.overheadBytes)
    guard sequence > 0, bytes.count == Self.paddedBytes(payload.count), try reader.span(reader.remaining).isZero else {
      throw .invalid
    }
  }

  /// The padded bytes.
  var encoded: [UInt8] {
    let size = Self.paddedBytes(payload.count)
    var writer = ByteWriter(capacity: size)
    writer.u64(sequence)
    writer.u64(seen)
    writer.lengthPrefixed(payload)
    writer.zeros(size - writer.bytes.count)
    return writer.bytes
  }

  /// The size a payload is padded to, its overhead included.
  static func paddedBytes(_ payloadBytes: Int) -> Int {
    let needed = payloadBytes + overheadBytes
    var size = smallest
    while size < needed, size < largestPower { size *= 2 }
    return size < needed ? maximumBytes : size
  }
}
