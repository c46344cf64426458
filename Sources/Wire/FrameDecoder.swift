/// Cuts a byte stream into frames that start with a big-endian length.
///
/// Fed in pieces of any size. A length above the maximum is refused as soon as its last byte is there, before any memory
/// is set aside for it.
public struct FrameDecoder: Sendable {
  /// How many bytes the length field takes.
  public enum LengthWidth: Int, Sendable {
    /// A `u16`, as before each Noise message.
    case two = 2
    /// A `u32`.
    case four = 4
  }

  private let width: LengthWidth
  private let maximum: Int
  private var buffer: [UInt8] = []
  private var start = 0

  /// A decoder for frames of at most `maximum` bytes, their length field not counted.
  public init(lengthWidth: LengthWidth, maximum: Int) {
    width = lengthWidth
    self.maximum = maximum
  }

  /// Bytes that belong to no finished frame yet.
  public var pendingCount: Int { buffer.count - start }

  /// Adds what the stream has brought.
  public mutating func append(_ bytes: [UInt8]) {
    if start == buffer.count {
      buffer = bytes
      start = 0
    } else {
      if start > 0 {
        buffer.removeFirst(start)
        start = 0
      }
      buffer.append(contentsOf: bytes)
    }
  }

  /// The next whole frame without its length, or nil if more bytes are needed.
  public mutating func next() throws(WireError) -> [UInt8]? {
    guard pendingCount >= width.rawValue else { return nil }
    var length = 0
    for offset in 0..<width.rawValue { length = length << 8 | Int(buffer[start + offset]) }
    guard length <= maximum else { throw .oversized }
    let body = start + width.rawValue
    guard buffer.count - body >= length else { return nil }
    start = body + length
    return Array(buffer[body..<body + length])
  }
}
