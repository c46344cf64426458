internal import Synchronization

#if TSAN
  // The futex calls of `Mutex` are in a library ThreadSanitizer does not see: tell it about the order they make.
  @_silgen_name("__tsan_acquire") func tsanAcquire(_ address: UnsafeRawPointer)
  @_silgen_name("__tsan_release") func tsanRelease(_ address: UnsafeRawPointer)
#endif

/// A value behind a mutex, visible as such to ThreadSanitizer (build with `-DTSAN`).
@safe struct Locked<Value: ~Copyable>: ~Copyable {
  private let mutex: Mutex<Value>
  #if TSAN
    private let token = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
    deinit { unsafe token.deallocate() }
  #endif

  init(_ value: consuming sending Value) { mutex = Mutex(value) }

  borrowing func withLock<R: ~Copyable, E: Error>(
    _ body: (inout sending Value) throws(E) -> sending R
  ) throws(E) -> sending R {
    #if TSAN
      try mutex.withLock { (value) throws(E) -> sending R in
        unsafe tsanAcquire(token)
        defer { unsafe tsanRelease(token) }
        return try body(&value)
      }
    #else
      try mutex.withLock(body)
    #endif
  }
}

#if TSAN
  // The token is never written: it is an address that names the mutex to ThreadSanitizer.
  extension Locked: @unchecked Sendable where Value: ~Copyable {}
#else
  extension Locked: Sendable where Value: ~Copyable {}
#endif
