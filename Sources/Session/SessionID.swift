internal import Primitives
internal import Wire

/// Names one session between two nodes: sixteen bytes that both derive from its key agreement.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
  /// Bytes of a session id.
  public static let byteCount = 16
  /// Stands for "whatever session you tried to start" in a RESET.
  static let none = SessionID(checked: [UInt8](repeating: 0, count: byteCount))

  /// Sixteen bytes.
  public let bytes: [UInt8]

  /// The id of these sixteen bytes, or nil.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  private init(checked bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Reads an id off a message.
  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    bytes = try reader.bytes(Self.byteCount)
  }

  /// Lower-case hexadecimal.
  public var description: String { Hex.encode(bytes) }
}

/// Names one envelope in an ACK: the first sixteen bytes of its SHA-256.
public struct EnvelopeDigest: Hashable, Sendable {
  /// Bytes of a digest.
  public static let byteCount = 16

  /// Sixteen bytes.
  public let bytes: [UInt8]

  /// The digest of an envelope.
  public init(of envelope: [UInt8]) {
    bytes = Array(SHA256Hash.hash(envelope).bytes.prefix(Self.byteCount))
  }

  /// The digest of these sixteen bytes, or nil.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  /// Reads a digest off a message.
  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    bytes = try reader.bytes(Self.byteCount)
  }
}
