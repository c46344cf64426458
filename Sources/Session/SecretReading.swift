internal import Primitives
internal import Wire

extension ByteReader {
  /// A secret of `count` bytes, copied straight into locked memory.
  @_lifetime(self: copy self)
  mutating func secret(_ count: Int = 32) throws(WireError) -> SecretBytes { SecretBytes(copying: try span(count)) }

  /// A 32-byte key.
  @_lifetime(self: copy self)
  mutating func key() throws(WireError) -> SecretBox { SecretBox(try secret()) }

  /// 0 or 1
  @_lifetime(self: copy self)
  mutating func flag() throws(WireError) -> Bool {
    switch try u8() {
    case 0: false
    case 1: true
    default: throw .invalid
    }
  }
}
