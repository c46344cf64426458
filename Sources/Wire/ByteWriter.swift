/// Builds a message field by field. All integers are big-endian.
public struct ByteWriter: Sendable {
  /// What was written so far.
  public private(set) var bytes: [UInt8]

  /// An empty message with room for `capacity` bytes.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// One byte.
  public mutating func u8(_ value: UInt8) { bytes.append(value) }

  /// Two bytes, big-endian.
  public mutating func u16(_ value: UInt16) { integer(UInt64(value), width: 2) }

  /// Four bytes, big-endian.
  public mutating func u32(_ value: UInt32) { integer(UInt64(value), width: 4) }

  /// Eight bytes, big-endian.
  public mutating func u64(_ value: UInt64) { integer(value, width: 8) }

  /// The bytes as they are.
  public mutating func append(_ field: [UInt8]) { bytes.append(contentsOf: field) }

  /// The bytes as they are.
  public mutating func append(_ field: Span<UInt8>) {
    unsafe field.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
  }

  /// That many zero bytes.
  public mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

  /// The text's UTF-8 bytes, without a terminator.
  public mutating func text(_ value: String) { bytes.append(contentsOf: value.utf8) }

  /// A `u32` length and the bytes: `lp(x)` of the protocol.
  public mutating func lengthPrefixed(_ field: [UInt8]) {
    u32(UInt32(field.count))
    append(field)
  }

  private mutating func integer(_ value: UInt64, width: Int) {
    for shift in stride(from: (width - 1) * 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }
}
