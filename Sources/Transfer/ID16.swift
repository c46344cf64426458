public import Primitives
internal import Wire

/// A 16-byte identifier of the bulk protocol. The tag keeps a grant's from passing for a connection's.
public struct ID16<Tag>: Hashable, Sendable, CustomStringConvertible {
  private let high: UInt64
  private let low: UInt64

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Exactly 16 bytes; nil otherwise.
  public init?(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes.span)
    guard bytes.count == TransferLimits.idBytes, let high = try? reader.u64(), let low = try? reader.u64() else { return nil }
    self.init(high: high, low: low)
  }

  /// 32 lower-case digits; nil otherwise.
  public init?(hex: String) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// Reads 16 bytes off the front. Throws ``WireError/truncated``.
  init(from reader: inout ByteReader) throws(WireError) {
    high = try reader.u64()
    low = try reader.u64()
  }

  /// A new one.
  public static func random(_ randomness: Randomness) -> Self {
    var bytes = randomness.bytes(TransferLimits.idBytes).makeIterator()
    func half() -> UInt64 { (0..<8).reduce(0) { value, _ in value << 8 | UInt64(bytes.next() ?? 0) } }
    let high = half()
    return Self(high: high, low: half())
  }

  /// The 16 bytes.
  public var bytes: [UInt8] {
    var writer = ByteWriter(capacity: TransferLimits.idBytes)
    writer.u64(high)
    writer.u64(low)
    return writer.bytes
  }

  /// 32 lower-case digits.
  public var hex: String { Hex.encode(bytes) }

  /// The digits: none of these is a secret.
  public var description: String { hex }

  func write(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
    unsafe bytes.storeBytes(of: high.bigEndian, toByteOffset: offset, as: UInt64.self)
    unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
  }
}

/// Names ``GrantID``.
public enum GrantTag {}
/// Names ``TransferID``.
public enum TransferTag {}
/// Names ``ConnectionID``.
public enum ConnectionTag {}
/// Names ``SegmentSession``.
public enum SegmentSessionTag {}

/// Names a grant: `gid` of the protocol. Minted by the server.
public typealias GrantID = ID16<GrantTag>
/// Names a pull, also across restarts. Minted by the puller.
public typealias TransferID = ID16<TransferTag>
/// Names a data connection: `cid` of the protocol. Minted by the puller.
public typealias ConnectionID = ID16<ConnectionTag>
/// The session that carried a grant: `sid` of the protocol.
public typealias SegmentSession = ID16<SegmentSessionTag>

/// Numbers a request so that its answer finds it: counted by whoever asks, echoed by whoever answers.
public typealias RequestNumber = UInt64
