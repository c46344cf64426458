internal import Wire

/// Names one session between two nodes: sixteen bytes that both derive from its key agreement.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
  /// Bytes of a session id.
  public static let byteCount = 16
  /// Stands for "whatever session you tried to start" in a RESET.
  static let none = SessionID(Bytes16(0, 0))

  private let value: Bytes16

  /// Sixteen bytes.
  public var bytes: [UInt8] { value.bytes }

  /// The id of these sixteen bytes, or nil.
  public init?(_ bytes: [UInt8]) {
    guard let value = Bytes16(bytes.span) else { return nil }
    self.value = value
  }

  private init(_ value: Bytes16) {
    self.value = value
  }

  /// Reads an id off a message.
  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    value = try Bytes16(from: &reader)
  }

  /// Lower-case hexadecimal.
  public var description: String { Hex.encode(bytes) }
}

/// Names one envelope in an ACK: the first sixteen bytes of its commitment, which no other envelope has.
public struct EnvelopeID: Hashable, Sendable {
  /// Bytes of an envelope's name.
  public static let byteCount = 16

  private let value: Bytes16

  /// Sixteen bytes.
  public var bytes: [UInt8] { value.bytes }

  /// The first sixteen bytes of a longer commitment.
  init(commitment: Span<UInt8>) { value = Bytes16(prefix: commitment) }

  /// The name of these sixteen bytes, or nil.
  public init?(_ bytes: [UInt8]) {
    guard let value = Bytes16(bytes.span) else { return nil }
    self.value = value
  }

  /// Reads a name off a message.
  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    value = try Bytes16(from: &reader)
  }
}

/// Sixteen public bytes without a heap allocation: a machine keeps thousands of names, and every step copies some.
private struct Bytes16: Hashable, Sendable {
  /// Big-endian, the first eight and the last.
  private let high: UInt64
  private let low: UInt64

  init(_ high: UInt64, _ low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The first sixteen of at least as many bytes.
  init(prefix bytes: Span<UInt8>) {
    var (high, low): (UInt64, UInt64) = (0, 0)
    for index in 0..<8 {
      high = high << 8 | UInt64(bytes[index])
      low = low << 8 | UInt64(bytes[index + 8])
    }
    self.init(high, low)
  }

  init?(_ bytes: Span<UInt8>) {
    guard bytes.count == 16 else { return nil }
    self.init(prefix: bytes)
  }

  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    self.init(try reader.u64(), try reader.u64())
  }

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 16)
    writer.u64(high)
    writer.u64(low)
    return writer.bytes
  }
}
