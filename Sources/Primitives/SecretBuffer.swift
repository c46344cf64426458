internal import CSodium

/// Secret bytes of any number, built from the front: what is about to be sealed, or was just opened.
///
/// They lie in locked, guarded memory and are wiped when the buffer grows out of it and when it ends. Integers are
/// big-endian, as everywhere. To read one, put a reader over ``span``.
public struct SecretBuffer: ~Copyable, Sendable {
  private var memory: SecretMemory
  /// The number of bytes.
  public private(set) var count = 0

  /// An empty buffer with room for `capacity` bytes.
  public init(capacity: Int = 0) { memory = SecretMemory(capacity) }

  /// A copy. The source is not wiped.
  public init(copying bytes: Span<UInt8>) {
    self.init(capacity: bytes.count)
    append(bytes)
  }

  /// A copy. The source is not wiped.
  public init(copying bytes: [UInt8]) { self.init(copying: bytes.span) }

  /// `count` zero bytes, to be filled through ``mutableSpan``.
  public init(zeroes count: Int) {
    memory = SecretMemory(count)
    self.count = count
  }

  /// Whether there are none.
  public var isEmpty: Bool { count == 0 }

  /// The bytes, readable as long as the buffer is borrowed.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let span = unsafe Span(_unsafeStart: UnsafePointer(memory.pointer), count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes, to fill or change in place.
  public var mutableSpan: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let span = unsafe MutableSpan(_unsafeStart: memory.pointer, count: count)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }

  /// For C functions that write over the bytes that are there.
  var pointer: UnsafeMutablePointer<UInt8> { unsafe memory.pointer }

  /// The bytes as they are.
  public mutating func append(_ bytes: Span<UInt8>) {
    guard bytes.count > 0 else { return }
    reserve(bytes.count)
    unsafe bytes.withUnsafeBufferPointer {
      unsafe (memory.pointer + count).update(from: $0.baseAddress!, count: $0.count)
    }
    count += bytes.count
  }

  /// The bytes as they are.
  public mutating func append(_ bytes: [UInt8]) { append(bytes.span) }

  /// The bytes as they are.
  public mutating func append(_ secret: borrowing SecretBytes) { append(secret.span) }

  /// One byte.
  public mutating func u8(_ value: UInt8) { integer(UInt64(value), width: 1) }

  /// Two bytes.
  public mutating func u16(_ value: UInt16) { integer(UInt64(value), width: 2) }

  /// Four bytes.
  public mutating func u32(_ value: UInt32) { integer(UInt64(value), width: 4) }

  /// Eight bytes.
  public mutating func u64(_ value: UInt64) { integer(value, width: 8) }

  /// A `u32` length and the bytes.
  public mutating func lengthPrefixed(_ bytes: [UInt8]) {
    u32(UInt32(bytes.count))
    append(bytes)
  }

  /// Whether both hold the same bytes, in time that depends on the lengths alone.
  public borrowing func isEqual(to other: Span<UInt8>) -> Bool { ConstantTime.equal(span, other) }

  private mutating func integer(_ value: UInt64, width: Int) {
    reserve(width)
    for index in 0..<width {
      unsafe memory.pointer[count + index] = UInt8(truncatingIfNeeded: value >> UInt64((width - 1 - index) * 8))
    }
    count += width
  }

  /// Makes room for that many more. What is outgrown is wiped.
  private mutating func reserve(_ more: Int) {
    guard count + more > memory.capacity else { return }
    let larger = SecretMemory(max(count + more, 2 * memory.capacity))
    unsafe larger.pointer.update(from: memory.pointer, count: count)
    memory = larger
  }
}

/// The memory of one buffer: a slot of an arena, or, where no slot is large enough, guarded pages of its own.
///
/// Sendable although it holds a pointer: it cannot be copied, so only its owner reaches the memory.
@safe struct SecretMemory: ~Copyable, @unchecked Sendable {
  let pointer: UnsafeMutablePointer<UInt8>
  let capacity: Int
  private let arena: SecretArena?

  /// Zeros, at least as many as asked for.
  init(_ wanted: Int) {
    if wanted <= SecretArena.buffer.slotBytes {
      let arena = wanted <= SecretArena.large.slotBytes ? SecretArena.large : .buffer
      self.arena = arena
      capacity = arena.slotBytes
      unsafe pointer = arena.take().assumingMemoryBound(to: UInt8.self)
    } else {
      // `sodium_malloc` locks the pages as far as the system allows; 45 µs, for a session that misses hundreds of messages.
      guard let pages = unsafe sodium_malloc(wanted) else { preconditionFailure("out of memory for secrets") }
      arena = nil
      capacity = wanted
      unsafe sodium_memzero(pages, wanted)
      unsafe pointer = pages.assumingMemoryBound(to: UInt8.self)
    }
  }

  deinit {
    if let arena {
      unsafe arena.giveBack(UnsafeMutableRawPointer(pointer))
    } else {
      unsafe sodium_free(pointer)
    }
  }
}
