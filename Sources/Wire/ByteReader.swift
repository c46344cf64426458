/// Reads fields off the front of a span, in bounds or not at all.
///
/// All integers are big-endian. A failed read leaves the reader where it was.
public struct ByteReader: ~Escapable {
  private let bytes: Span<UInt8>
  private var position = 0

  /// A reader at the first byte of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>) {
    self.bytes = bytes
  }

  /// Bytes not read yet.
  public var remaining: Int { bytes.count - position }

  /// One byte. Throws ``WireError/truncated`` if there is none.
  @_lifetime(self: copy self)
  public mutating func u8() throws(WireError) -> UInt8 {
    UInt8(truncatingIfNeeded: try integer(1))
  }

  /// Two bytes, big-endian.
  @_lifetime(self: copy self)
  public mutating func u16() throws(WireError) -> UInt16 {
    UInt16(truncatingIfNeeded: try integer(2))
  }

  /// Four bytes, big-endian.
  @_lifetime(self: copy self)
  public mutating func u32() throws(WireError) -> UInt32 {
    UInt32(truncatingIfNeeded: try integer(4))
  }

  /// Eight bytes, big-endian.
  @_lifetime(self: copy self)
  public mutating func u64() throws(WireError) -> UInt64 {
    try integer(8)
  }

  /// The next `count` bytes. Throws before it allocates if there are fewer.
  @_lifetime(self: copy self)
  public mutating func bytes(_ count: Int) throws(WireError) -> [UInt8] {
    let part = try span(count)
    return unsafe part.withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// The next `count` bytes where they lie: for secrets, of which no copy may be made.
  @_lifetime(copy self)
  @_lifetime(self: copy self)
  public mutating func span(_ count: Int) throws(WireError) -> Span<UInt8> {
    guard count >= 0, remaining >= count else { throw .truncated }
    let part = bytes.extracting(position..<position + count)
    position += count
    return part
  }

  /// A `u32` length and as many bytes. Throws ``WireError/oversized`` if the length is above `atMost`.
  @_lifetime(self: copy self)
  public mutating func lengthPrefixed(atMost limit: Int) throws(WireError) -> [UInt8] {
    let start = position
    let length = Int(try u32())
    guard length <= limit, length <= remaining else {
      position = start
      throw length > limit ? .oversized : .truncated
    }
    return try bytes(length)
  }

  /// Everything not read yet.
  @_lifetime(self: copy self)
  public mutating func rest() -> [UInt8] {
    // `remaining` is in bounds by definition.
    (try? bytes(remaining)) ?? []
  }

  /// Throws ``WireError/trailingBytes`` unless everything was read.
  public func finish() throws(WireError) {
    guard remaining == 0 else { throw .trailingBytes }
  }

  @_lifetime(self: copy self)
  private mutating func integer(_ width: Int) throws(WireError) -> UInt64 {
    guard remaining >= width else { throw .truncated }
    var value: UInt64 = 0
    for offset in 0..<width { value = value << 8 | UInt64(bytes[position + offset]) }
    position += width
    return value
  }
}
