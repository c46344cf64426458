internal import CSodium
internal import Crypto

/// A SHA-256 result: 32 bytes, compared and ordered as bytes. Public data: comparisons stop at the first difference.
public struct Digest: Hashable, Comparable, Sendable {
  /// The length of every digest.
  public static let byteCount = 32

  let value: Bytes32

  init(_ value: Bytes32) { self.value = value }

  /// Exactly 32 bytes; throws `badLength` otherwise.
  public init(_ bytes: [UInt8]) throws(CryptoError) { value = try Bytes32(bytes.span) }

  /// Exactly 32 bytes; throws `badLength` otherwise.
  public init(_ bytes: Span<UInt8>) throws(CryptoError) { value = try Bytes32(bytes) }

  /// 64 hexadecimal digits; throws `invalidEncoding` for anything else. Upper case is accepted.
  public init(hex: String) throws(CryptoError) {
    guard let bytes = HexDigits.bytes(hex), bytes.count == Self.byteCount else { throw CryptoError(.invalidEncoding) }
    try self.init(bytes)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { value.bytes }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { HexDigits.string(value.storage.span) }

  /// The 32 bytes, without a copy.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let span = value.storage.span
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Ordered as byte strings.
  public static func < (left: Digest, right: Digest) -> Bool { left.value < right.value }
}

extension Digest: CustomStringConvertible {
  /// The digest in hexadecimal: it is public.
  public var description: String { hex }
}

/// SHA-256 (FIPS 180-4).
public enum SHA256Hash {
  /// The digest of `bytes`.
  public static func hash(_ bytes: [UInt8]) -> Digest { hash(bytes.span) }

  /// The digest of `bytes`.
  public static func hash(_ bytes: Span<UInt8>) -> Digest {
    var hasher = Hasher()
    hasher.update(bytes)
    return hasher.finalize()
  }

  /// The digest of memory the caller keeps alive during the call.
  @unsafe public static func hash(_ bytes: UnsafeRawBufferPointer) -> Digest {
    var hasher = Hasher()
    unsafe hasher.update(bytes)
    return hasher.finalize()
  }

  /// The digest of bytes with a secret among them: libsodium's, which is slower and leaves none of them in its state.
  public static func hash(secret bytes: Span<UInt8>) -> Digest {
    Sodium.start()
    return Digest(
      unsafe Bytes32 { out in
        unsafe bytes.withUnsafeBufferPointer { bytes in
          // No bytes have no address; libsodium wants one all the same.
          _ = unsafe crypto_hash_sha256(out, bytes.baseAddress ?? UnsafePointer(out), UInt64(bytes.count))
        }
      })
  }

  /// A digest in the making.
  public struct Hasher: Sendable {
    private var hash = Crypto.SHA256()

    /// An empty message.
    public init() {}

    /// Appends to the message.
    public mutating func update(_ bytes: Span<UInt8>) {
      unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    /// Appends to the message.
    public mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// Appends memory the caller keeps alive during the call.
    @unsafe public mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe hash.update(bufferPointer: bytes) }

    /// The digest of everything appended so far; more may be appended afterwards.
    public func finalize() -> Digest {
      let digest = hash.finalize()
      return Digest(
        unsafe Bytes32 { out in
          unsafe digest.withUnsafeBytes { unsafe UnsafeMutableRawPointer(out).copyMemory(from: $0.baseAddress!, byteCount: 32) }
        })
    }
  }
}

/// SHA-512 (FIPS 180-4).
public enum SHA512Hash {
  /// The 64-byte digest of `bytes`.
  public static func hash(_ bytes: [UInt8]) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: 64) { buffer, initialised in
      unsafe crypto_hash_sha512(buffer.baseAddress!, bytes, UInt64(bytes.count))
      initialised = 64
    }
  }
}

/// Just enough hexadecimal for ``Digest``; protocol text is `Wire`'s, which this room does not import.
private enum HexDigits {
  static func string(_ bytes: Span<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for index in bytes.indices {
      text.append(digits[Int(bytes[index] >> 4)])
      text.append(digits[Int(bytes[index] & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  static func bytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
