extension Array where Element == UInt8 {
  /// The span's bytes in an array of their own.
  public init(copying bytes: Span<UInt8>) {
    self = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
  }
}

extension Span where Element == UInt8 {
  /// Whether both are the same bytes, for public ones: ``ConstantTime/equal(_:_:)-(Span<UInt8>,_)`` takes a nanosecond a byte.
  public func isSame(as other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return unsafe withUnsafeBufferPointer { mine in
      unsafe other.withUnsafeBufferPointer { other in
        // One pass without a way out, which the compiler does in wide registers.
        var difference: UInt8 = 0
        for index in 0..<mine.count { unsafe difference |= mine[index] ^ other[index] }
        return difference == 0
      }
    }
  }

  /// Whether there is nothing but zeros.
  public var isZero: Bool {
    unsafe withUnsafeBufferPointer { bytes in
      var sum: UInt8 = 0
      for index in 0..<bytes.count { unsafe sum |= bytes[index] }
      return sum == 0
    }
  }
}

/// 32 public bytes without a heap allocation: what digests and elliptic-curve keys are made of.
struct Bytes32: Hashable, Comparable, Sendable {
  static let count = 32

  let storage: [32 of UInt8]

  init(_ bytes: Span<UInt8>) throws(CryptoError) {
    guard bytes.count == Self.count else { throw CryptoError(.badLength) }
    storage = InlineArray { bytes[$0] }
  }

  /// 32 bytes written by `fill`.
  init(filling fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    var storage = InlineArray<32, UInt8>(repeating: 0)
    var span = storage.mutableSpan
    unsafe span.withUnsafeMutableBufferPointer { unsafe fill($0.baseAddress!) }
    self.storage = storage
  }

  var bytes: [UInt8] { [UInt8](copying: storage.span) }

  func withPointer<R: ~Copyable>(_ body: (UnsafePointer<UInt8>) -> R) -> R {
    unsafe storage.span.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
  }

  private func word(_ index: Int) -> UInt64 {
    unsafe storage.span.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
  }

  static func == (left: Bytes32, right: Bytes32) -> Bool {
    left.word(0) == right.word(0) && left.word(1) == right.word(1) && left.word(2) == right.word(2)
      && left.word(3) == right.word(3)
  }

  static func < (left: Bytes32, right: Bytes32) -> Bool {
    for index in 0..<4 where left.word(index) != right.word(index) {
      return left.word(index).byteSwapped < right.word(index).byteSwapped
    }
    return false
  }

  func hash(into hasher: inout Hasher) {
    for index in 0..<4 { hasher.combine(word(index)) }
  }
}
