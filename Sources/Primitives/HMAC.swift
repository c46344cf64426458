internal import CSodium

/// HMAC-SHA256 (RFC 2104, RFC 4231).
public enum HMACSHA256 {
  /// The length of an authentication code.
  public static let byteCount = 32

  /// The code of `message` under `key`, either of any length, as a secret: chain keys are made of it.
  public static func authenticate(key: Span<UInt8>, message: Span<UInt8>) -> SecretBytes {
    let code = SecretBytes(zeroes: byteCount)
    unsafe compute(key: key, message: message, into: code.slot.bytes)
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
    var keyed = crypto_auth_hmacsha256_state()
    var working = crypto_auth_hmacsha256_state()
    unsafe withUnsafeMutablePointer(to: &keyed) { keyed in
      unsafe withUnsafeMutablePointer(to: &working) { working in
        unsafe HMACState.start(keyed, key: key.span)
        var message = messages.0
        unsafe working.update(from: keyed, count: 1)
        unsafe crypto_auth_hmacsha256_update(working, &message, 1)
        unsafe crypto_auth_hmacsha256_final(working, first.slot.bytes)
        message = messages.1
        unsafe working.update(from: keyed, count: 1)
        unsafe crypto_auth_hmacsha256_update(working, &message, 1)
        unsafe crypto_auth_hmacsha256_final(working, second.slot.bytes)
        unsafe sodium_memzero(working, MemoryLayout<crypto_auth_hmacsha256_state>.size)
        unsafe sodium_memzero(keyed, MemoryLayout<crypto_auth_hmacsha256_state>.size)
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

  private static func compute(key: Span<UInt8>, message: Span<UInt8>, into code: UnsafeMutablePointer<UInt8>) {
    var state = crypto_auth_hmacsha256_state()
    unsafe withUnsafeMutablePointer(to: &state) { state in
      unsafe HMACState.start(state, key: key)
      unsafe HMACState.update(state, message)
      unsafe crypto_auth_hmacsha256_final(state, code)
      unsafe sodium_memzero(state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
    }
  }

  /// A code over several pieces, computed in wiped memory: no concatenation of secrets has to be made for it.
  public struct Authenticator: ~Copyable, Sendable {
    private let state = SecretSlot(MemoryLayout<crypto_auth_hmacsha256_state>.size)

    /// An empty message under `key`, of any length.
    public init(key: Span<UInt8>) { unsafe HMACState.start(HMACState.bind(state), key: key) }

    /// Appends to the message.
    public mutating func update(_ bytes: Span<UInt8>) { unsafe HMACState.update(HMACState.bind(state), bytes) }

    /// Appends to the message.
    public mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// Appends to the message.
    public mutating func update(_ secret: borrowing SecretBytes) { update(secret.span) }

    /// The code of everything appended.
    public consuming func finalize() -> SecretBytes {
      let code = SecretBytes(zeroes: HMACSHA256.byteCount)
      unsafe crypto_auth_hmacsha256_final(HMACState.bind(state), code.slot.bytes)
      return code
    }
  }
}

/// libsodium's HMAC state, wherever it lies.
enum HMACState {
  typealias Pointer = UnsafeMutablePointer<crypto_auth_hmacsha256_state>

  /// A slot seen as a state. Slots are 32-byte aligned; the state wants 8.
  static func bind(_ slot: borrowing SecretSlot) -> Pointer {
    unsafe slot.pointer.assumingMemoryBound(to: crypto_auth_hmacsha256_state.self)
  }

  static func start(_ state: Pointer, key: Span<UInt8>) {
    unsafe key.withUnsafeBufferPointer { key in
      // An empty key has no address; libsodium wants one all the same.
      var none: UInt8 = 0
      guard let address = key.baseAddress else {
        unsafe crypto_auth_hmacsha256_init(state, &none, 0)
        return
      }
      unsafe crypto_auth_hmacsha256_init(state, address, key.count)
    }
  }

  static func update(_ state: Pointer, _ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      guard let address = bytes.baseAddress else { return }
      unsafe crypto_auth_hmacsha256_update(state, address, UInt64(bytes.count))
    }
  }
}

extension Span where Element == UInt8 {
  fileprivate func isEqualInConstantTime(to other: Span<UInt8>) -> Bool { ConstantTime.equal(self, other) }
}
