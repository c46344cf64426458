internal import Synchronization

#if TSAN
  // ThreadSanitizer does not see into Synchronization's futex: it is told of the order that a lock makes.
  @_silgen_name("__tsan_acquire") private func tsanAcquire(_ address: UnsafeRawPointer)
  @_silgen_name("__tsan_release") private func tsanRelease(_ address: UnsafeRawPointer)
#endif

/// A value behind a lock. Build with `-DTSAN` when ThreadSanitizer runs, or it reports races that are none.
public struct Locked<Value: ~Copyable>: ~Copyable {
  private let mutex: Mutex<Value>
  #if TSAN
    private let token = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
    deinit { token.deallocate() }
  #endif

  /// Puts a value behind a lock of its own.
  public init(_ value: consuming sending Value) { mutex = Mutex(value) }

  /// Runs `body` with the value while nobody else has it. Not recursive; `body` should be short.
  public borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    #if TSAN
      try mutex.withLock { (value) throws(Failure) -> sending Result in
        tsanAcquire(token)
        defer { tsanRelease(token) }
        return try body(&value)
      }
    #else
      try mutex.withLock(body)
    #endif
  }
}

#if TSAN
  // The token is an address for the sanitizer, never read or written by us.
  extension Locked: @unchecked Sendable where Value: ~Copyable {}
#else
  extension Locked: Sendable where Value: ~Copyable {}
#endif
