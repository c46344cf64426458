/// Why a run of bytes is not what its reader was told to expect.
///
/// Readers say no more than this: a peer's bytes never end up in an error.
public enum WireError: Error, Hashable, Sendable {
  /// The bytes end before the field does.
  case truncated
  /// Bytes are left over behind the last field.
  case trailingBytes
  /// A length is larger than the reader's limit. Nothing was allocated for it.
  case oversized
  /// A value outside its field's range.
  case invalid
}
