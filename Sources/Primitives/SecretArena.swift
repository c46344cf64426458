internal import CSodium

/// Where secrets live: slots of one size in guarded, locked pages, handed out and taken back under a lock.
///
/// A page is 64 KiB from one `sodium_malloc`: guard pages around it, left out of core dumps, locked into memory if the
/// system's limit (RLIMIT_MEMLOCK) allows; where it does not, the page is used unlocked. One `sodium_malloc` per key
/// would cost 45 µs and run out of mappings at about 16,000 keys. Pages are kept for reuse and never given back.
final class SecretArena: Sendable {
  /// Bytes of one `sodium_malloc`: 2,048 keys a page, so that guard pages cost little.
  static let pageBytes = 64 << 10

  /// Keys, chain keys, X25519 and Ed25519 seeds.
  static let small = SecretArena(slotBytes: 32)
  /// ML-KEM seeds and Ed25519 key pairs.
  static let medium = SecretArena(slotBytes: 64)
  /// HMAC states and the whole output of one HKDF call, before it is split.
  static let large = SecretArena(slotBytes: 256)
  /// ``SecretBuffer``s: a session's state with the keys of a few dozen skipped messages.
  static let buffer = SecretArena(slotBytes: 16 << 10)

  let slotBytes: Int
  // Addresses, not pointers: the free list says which slots are unused, and is no secret.
  private let free = Locked<[UInt]>([])
  // Where secrets may lie, and so where a test looks for them nowhere else.
  private static let pages = Locked<[Range<UInt>]>([])
  static var ranges: [Range<UInt>] { pages.withLock { $0 } }

  init(slotBytes: Int) {
    Sodium.start()
    self.slotBytes = slotBytes
  }

  /// The arena whose slots hold `count` bytes (1 to 256) with the least waste.
  static func holding(_ count: Int) -> SecretArena {
    precondition(count > 0 && count <= large.slotBytes, "a secret has 1 to 256 bytes")
    return count <= 32 ? small : count <= 64 ? medium : large
  }

  /// A slot full of zeros that nobody else has.
  func take() -> UnsafeMutableRawPointer {
    let address = free.withLock { free in
      if free.isEmpty { Self.addPage(to: &free, slotBytes: slotBytes) }
      return free.removeLast()
    }
    guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: address) else {
      preconditionFailure("a slot has an address")
    }
    return unsafe pointer
  }

  /// Wipes the slot and makes it available again.
  func giveBack(_ slot: UnsafeMutableRawPointer) {
    unsafe sodium_memzero(slot, slotBytes)
    let address = UInt(bitPattern: slot)
    free.withLock { $0.append(address) }
  }

  private static func addPage(to free: inout [UInt], slotBytes: Int) {
    guard let page = unsafe sodium_malloc(pageBytes) else { preconditionFailure("out of memory for secrets") }
    unsafe sodium_memzero(page, pageBytes)
    let base = UInt(bitPattern: page)
    pages.withLock { $0.append(base..<base + UInt(pageBytes)) }
    free.reserveCapacity(free.count + pageBytes / slotBytes)
    for index in (0..<pageBytes / slotBytes).reversed() { free.append(base + UInt(index * slotBytes)) }
  }
}

/// One slot: owned by exactly one value, wiped when that value ends.
///
/// Sendable although it holds a pointer: it cannot be copied, so only its owner reaches the memory, and a borrowed
/// slot is only read.
@safe struct SecretSlot: ~Copyable, @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer
  let count: Int

  /// `count` zero bytes, 1 to 256.
  init(_ count: Int) {
    self.count = count
    unsafe pointer = SecretArena.holding(count).take()
  }

  deinit { unsafe SecretArena.holding(count).giveBack(pointer) }

  /// The bytes, for C functions that write them.
  var bytes: UnsafeMutablePointer<UInt8> { unsafe pointer.assumingMemoryBound(to: UInt8.self) }

  var span: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let span = unsafe Span(_unsafeStart: UnsafePointer(bytes), count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  var mutableSpan: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let span = unsafe MutableSpan(_unsafeStart: bytes, count: count)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }
}
