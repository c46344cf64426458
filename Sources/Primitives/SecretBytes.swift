internal import CSodium

/// 1 to 64 secret bytes in locked, guarded memory, wiped when the value ends.
///
/// It cannot be copied by accident: ``clone()`` says so where a second one is wanted. It has no description, so it
/// cannot be logged by accident either. Making one costs about as much as a small heap allocation.
public struct SecretBytes: ~Copyable, Sendable {
  /// The longest secret: an ML-KEM seed.
  public static let maximumBytes = 64

  let slot: SecretSlot

  /// `count` zero bytes, to be filled through ``mutableSpan``.
  public init(zeroes count: Int) {
    precondition(count <= Self.maximumBytes, "a secret has 1 to 64 bytes")
    slot = SecretSlot(count)
  }

  /// A copy of 1 to 64 bytes. The source is not wiped.
  public init(copying bytes: Span<UInt8>) {
    self.init(zeroes: bytes.count)
    unsafe bytes.withUnsafeBytes { unsafe slot.pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  /// A copy of 1 to 64 bytes. The source is not wiped.
  public init(copying bytes: [UInt8]) { self.init(copying: bytes.span) }

  /// The number of bytes, 1 to 64.
  public var count: Int { slot.count }

  /// The bytes, readable as long as the secret is borrowed.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let span = slot.span
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes, to fill or change in place.
  public var mutableSpan: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let span = unsafe MutableSpan(_unsafeStart: slot.bytes, count: slot.count)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  /// A second secret with the same bytes.
  public borrowing func clone() -> SecretBytes { SecretBytes(copying: span) }

  /// Whether both hold the same bytes, in time that depends on the lengths alone.
  public borrowing func isEqual(to other: borrowing SecretBytes) -> Bool { ConstantTime.equal(span, other.span) }

  /// The bytes as an ordinary array, which nothing wipes: only for writing them to storage or to an encrypted message.
  public borrowing func copyBytes() -> [UInt8] { [UInt8](copying: span) }

  /// The bytes for C functions that read them.
  borrowing func withPointer<R: ~Copyable, E: Error>(_ body: (UnsafePointer<UInt8>) throws(E) -> R) throws(E) -> R {
    try unsafe body(UnsafePointer(slot.bytes))
  }
}

/// A secret for collections and for values that are shared: non-copyable values go into neither.
public final class SecretBox: Sendable {
  /// The secret.
  public let bytes: SecretBytes

  /// Takes the secret over.
  public init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
}

/// Comparisons that take the same time wherever the inputs differ.
public enum ConstantTime {
  /// Whether both are the same bytes; different lengths are told at once.
  public static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe left.withUnsafeBytes { left in
      unsafe right.withUnsafeBytes { right in
        guard let first = left.baseAddress, let second = right.baseAddress else { return true }
        return unsafe sodium_memcmp(first, second, left.count) == 0
      }
    }
  }

  /// Whether both are the same bytes; different lengths are told at once.
  public static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool { equal(left.span, right.span) }
}
