internal import CSHA256
internal import CSodium

/// HMAC-SHA256 (RFC 2104, RFC 4231).
public enum HMACSHA256 {
  /// The length of an authentication code.
  public static let byteCount = 32

  /// The code of `message` under `key`, either of any length, as a secret: chain keys are made of it.
  public static func authenticate(key: Span<UInt8>, message: Span<UInt8>) -> SecretBytes {
    let code = SecretBytes(zeroes: byteCount)
    unsafe HMACState.withTemporary { state in
      unsafe state.start(key: key)
      unsafe state.update(message)
      unsafe state.finish(into: code.slot.bytes)
    }
    return code
  }

  /// The code of `message` under `key`, as a secret.
  public static func authenticate(key: borrowing SecretBytes, message: Span<UInt8>) -> SecretBytes {
    authenticate(key: key.span, message: message)
  }

  /// The code of `message` under `key`, as a secret.
  public static func authenticate(key: borrowing SecretBytes, message: [UInt8]) -> SecretBytes {
    authenticate(key: key.span, message: message.span)
  }

  /// The codes of two messages of one byte each under one key, whose work is done once: a chain's next two keys.
  public static func authenticate(
    key: borrowing SecretBytes, messages: (UInt8, UInt8)
  ) -> (first: SecretBox, second: SecretBox) {
    let first = SecretBytes(zeroes: byteCount)
    let second = SecretBytes(zeroes: byteCount)
    unsafe HMACState.withTemporary { keyed in
      unsafe HMACState.withTemporary { state in
        unsafe keyed.start(key: key.span)
        var message = messages.0
        unsafe state.copy(keyed)
        unsafe state.update(&message, count: 1)
        unsafe state.finish(into: first.slot.bytes)
        message = messages.1
        unsafe state.copy(keyed)
        unsafe state.update(&message, count: 1)
        unsafe state.finish(into: second.slot.bytes)
      }
    }
    return (SecretBox(first), SecretBox(second))
  }

  /// Whether `code` is the 32-byte code of `message` under `key`, in constant time.
  public static func isValid(_ code: Span<UInt8>, key: Span<UInt8>, message: Span<UInt8>) -> Bool {
    authenticate(key: key, message: message).span.isEqualInConstantTime(to: code)
  }

  /// Whether `code` is the 32-byte code of `message` under `key`, in constant time.
  public static func isValid(_ code: [UInt8], key: borrowing SecretBytes, message: [UInt8]) -> Bool {
    isValid(code.span, key: key.span, message: message.span)
  }

  /// A code over several pieces, computed in wiped memory: no concatenation of secrets has to be made for it.
  public struct Authenticator: ~Copyable, Sendable {
    private let state = SecretSlot(HMACBackend.stateBytes)

    /// An empty message under `key`, of any length.
    public init(key: Span<UInt8>) { unsafe HMACState(state.pointer).start(key: key) }

    /// Appends to the message.
    public mutating func update(_ bytes: Span<UInt8>) { unsafe HMACState(state.pointer).update(bytes) }

    /// Appends to the message.
    public mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// Appends to the message.
    public mutating func update(_ secret: borrowing SecretBytes) { update(secret.span) }

    /// The code of everything appended.
    public consuming func finalize() -> SecretBytes {
      let code = SecretBytes(zeroes: HMACSHA256.byteCount)
      unsafe HMACState(state.pointer).finish(into: code.slot.bytes)
      return code
    }
  }
}

/// Whose HMAC it is: ours with the processor's SHA instructions where it has them, else libsodium's, which takes several times as
/// long. Both give the same codes.
private enum HMACBackend {
  static let usesInstructions = csha256_available() == 1

  /// What the larger of the two states needs.
  static let stateBytes = max(MemoryLayout<csha256_hmac>.size, MemoryLayout<crypto_auth_hmacsha256_state>.size)
}

/// The memory of an HMAC in the making, wherever it lies: ``HMACBackend/stateBytes``, 8-byte aligned, wiped by whoever has them.
@unsafe struct HMACState {
  private let memory: UnsafeMutableRawPointer

  init(_ memory: UnsafeMutableRawPointer) { unsafe self.memory = memory }

  /// A state on the stack, wiped afterwards.
  static func withTemporary<R: ~Copyable>(_ body: (HMACState) -> R) -> R {
    unsafe withUnsafeTemporaryAllocation(byteCount: HMACBackend.stateBytes, alignment: 16) { memory in
      let state = unsafe HMACState(memory.baseAddress!)
      defer { unsafe sodium_memzero(memory.baseAddress!, HMACBackend.stateBytes) }
      return unsafe body(state)
    }
  }

  private var fast: UnsafeMutablePointer<csha256_hmac> { unsafe memory.assumingMemoryBound(to: csha256_hmac.self) }

  private var portable: UnsafeMutablePointer<crypto_auth_hmacsha256_state> {
    unsafe memory.assumingMemoryBound(to: crypto_auth_hmacsha256_state.self)
  }

  /// An empty message under a key of any length.
  func start(key: Span<UInt8>) {
    // An empty key has no address; C wants one all the same.
    var none: UInt8 = 0
    unsafe key.withUnsafeBufferPointer { key in
      guard let address = key.baseAddress else { return unsafe start(&none, 0) }
      unsafe start(address, key.count)
    }
  }

  private func start(_ key: UnsafePointer<UInt8>, _ count: Int) {
    guard HMACBackend.usesInstructions else {
      _ = unsafe crypto_auth_hmacsha256_init(portable, key, count)
      return
    }
    guard count > 64 else { return unsafe csha256_hmac_start(fast, key, count) }
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HMACSHA256.byteCount) { hash in
      unsafe crypto_hash_sha256(hash.baseAddress!, key, UInt64(count))
      unsafe csha256_hmac_start(fast, hash.baseAddress!, hash.count)
      unsafe sodium_memzero(hash.baseAddress!, hash.count)
    }
  }

  func update(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let address = bytes.baseAddress else { return }
      unsafe update(address, count: bytes.count)
    }
  }

  func update(_ bytes: UnsafePointer<UInt8>, count: Int) {
    if HMACBackend.usesInstructions {
      unsafe csha256_hmac_update(fast, bytes, count)
    } else {
      _ = unsafe crypto_auth_hmacsha256_update(portable, bytes, UInt64(count))
    }
  }

  /// Writes the code of everything appended, 32 bytes; the state is of no use afterwards.
  func finish(into code: UnsafeMutablePointer<UInt8>) {
    if HMACBackend.usesInstructions {
      unsafe csha256_hmac_finish(fast, code)
    } else {
      _ = unsafe crypto_auth_hmacsha256_final(portable, code)
    }
  }

  /// Becomes as another one is.
  func copy(_ other: HMACState) { unsafe memory.copyMemory(from: other.memory, byteCount: HMACBackend.stateBytes) }
}

extension Span where Element == UInt8 {
  fileprivate func isEqualInConstantTime(to other: Span<UInt8>) -> Bool { ConstantTime.equal(self, other) }
}
