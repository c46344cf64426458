internal import CSodium

/// Where random bytes come from: the system, or a stream that a test or a simulator can repeat.
public struct Randomness: Sendable {
  private enum Source {
    case system
    case function(@Sendable (Int) -> [UInt8])
  }

  private let source: Source

  /// The operating system's generator, through libsodium.
  public static let system = Randomness(source: .system)

  private init(source: Source) { self.source = source }

  /// Bytes made by `fill`, which is given a count and returns that many: for vectors and simulators.
  public init(_ fill: @escaping @Sendable (Int) -> [UInt8]) { source = .function(fill) }

  /// A repeatable stream: ChaCha20 keyed by `seed`, one nonce a call. For tests and simulators only.
  public static func seeded(_ seed: UInt64) -> Randomness {
    let calls = Counter()
    return Randomness { count in
      guard count > 0 else { return [] }
      var key = [UInt8](repeating: 0, count: Int(crypto_stream_chacha20_KEYBYTES))
      for index in 0..<8 { key[index] = UInt8(truncatingIfNeeded: seed >> (8 * index)) }
      let call = calls.next()
      let nonce = (0..<8).map { UInt8(truncatingIfNeeded: call >> (8 * $0)) }
      var bytes = [UInt8](repeating: 0, count: count)
      unsafe crypto_stream_chacha20(&bytes, UInt64(count), nonce, key)
      return bytes
    }
  }

  /// `count` random bytes.
  public func bytes(_ count: Int) -> [UInt8] {
    guard count > 0 else { return [] }
    switch source {
    case .system:
      Sodium.start()
      return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
        unsafe randombytes_buf(buffer.baseAddress!, count)
        initialised = count
      }
    case .function(let fill):
      let bytes = fill(count)
      precondition(bytes.count == count, "a source of randomness returns as many bytes as it was asked for")
      return bytes
    }
  }

  /// A random secret of 1 to 64 bytes; the system's bytes go straight into its locked memory.
  public func secret(_ count: Int) -> SecretBytes {
    switch source {
    case .system:
      let secret = SecretBytes(zeroes: count)
      unsafe randombytes_buf(secret.slot.pointer, count)
      return secret
    case .function:
      var bytes = bytes(count)
      let secret = SecretBytes(copying: bytes)
      unsafe bytes.withUnsafeMutableBytes { unsafe sodium_memzero($0.baseAddress!, $0.count) }
      return secret
    }
  }
}

/// Counts calls from any thread.
private final class Counter: Sendable {
  private let value = Locked<UInt64>(0)

  func next() -> UInt64 {
    value.withLock { value in
      value += 1
      return value
    }
  }
}
