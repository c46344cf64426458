public import Wire

/// The open part of a frame on a data connection (annex A8): u32 length of the rest ‖ gid 16 ‖ file u32 ‖ chunk u64.
///
/// All of it is associated data of the seal behind it, and its last twelve bytes are the nonce. Until the tag has verified it
/// is only a claim, good for finding the grant and for checking lengths.
public struct SegmentHeader: Hashable, Sendable {
  /// The bytes of a header.
  public static let byteCount = 32
  /// Where the nonce, file ‖ chunk, begins.
  static let nonceOffset = 20
  /// What the tag adds to a plaintext.
  static let tagBytes = 16
  /// What `length` counts beside the sealed bytes.
  private static let countedBytes = byteCount - 4

  /// The bytes behind the length field: the rest of the header, ciphertext and tag.
  public let length: UInt32
  /// The grant under whose key the frame is sealed.
  public let grant: GrantID
  /// The file's place in the manifest; 0 for a manifest's pieces.
  public let file: UInt32
  /// The chunk or piece.
  public let chunk: UInt64

  /// The header of a frame that carries `plaintextBytes`.
  public init(grant: GrantID, file: UInt32, chunk: UInt64, plaintextBytes: Int) {
    length = UInt32(Self.countedBytes + plaintextBytes + Self.tagBytes)
    self.grant = grant
    self.file = file
    self.chunk = chunk
  }

  /// Reads the first 32 bytes of a frame. Throws ``WireError/truncated`` for fewer, and ``WireError/invalid`` for a length that
  /// no frame with at least a byte in it has.
  public init(parsing bytes: Span<UInt8>) throws(WireError) {
    var reader = ByteReader(bytes)
    length = try reader.u32()
    grant = try GrantID(from: &reader)
    file = try reader.u32()
    chunk = try reader.u64()
    guard Int(length) > Self.countedBytes + Self.tagBytes else { throw .invalid }
  }

  /// The bytes that follow the header: ciphertext and tag.
  public var sealedBytes: Int { Int(length) - Self.countedBytes }

  /// The bytes that come out once it is opened.
  public var plaintextBytes: Int { sealedBytes - Self.tagBytes }

  /// The header as it travels.
  public var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.u32(length)
    writer.append(grant.bytes)
    writer.u32(file)
    writer.u64(chunk)
    return writer.bytes
  }

  /// Writes the header over the first 32 bytes of a frame's buffer, which has at least as many.
  @unsafe public func write(into frame: UnsafeMutableRawBufferPointer) {
    unsafe frame.storeBytes(of: length.bigEndian, as: UInt32.self)
    unsafe grant.write(into: frame, at: 4)
    unsafe frame.storeBytes(of: file.bigEndian, toByteOffset: 20, as: UInt32.self)
    unsafe frame.storeBytes(of: chunk.bigEndian, toByteOffset: 24, as: UInt64.self)
  }
}
