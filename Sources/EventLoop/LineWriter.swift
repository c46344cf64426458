internal import Glibc

/// Writes lines to a descriptor from a thread of its own: a reader that is slow, or stops, holds up nobody.
///
/// What waits is bounded. Lines for which there is no room are dropped and counted, and the count is written in their place as
/// soon as there is room again.
///
/// - Note: `@unchecked Sendable`: every stored variable is touched only with `mutex` held.
public final class LineWriter: @unchecked Sendable {
  /// Bytes that may wait: some thousand lines.
  public static let maximumBytes = 1 << 18

  private let descriptor: CInt
  private let report: @Sendable (Int) -> [UInt8]
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var queue: [UInt8] = []
  private var dropped = 0
  private var isWriting = false
  private var isClosed = false

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - descriptor: stays open for as long as the process lives; it may block.
  ///   - report: the line that tells how many were dropped.
  public init(_ descriptor: CInt, name: String, report: @escaping @Sendable (Int) -> [UInt8]) {
    self.descriptor = descriptor
    self.report = report
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
    // The thread keeps the writer alive until it is closed.
    startThread(named: name) { self.run() }
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  /// Queues a line, which brings its line end along. Never waits for the reader.
  public func put(_ line: [UInt8]) {
    withLock {
      guard !isClosed, dropped == 0, queue.count + line.count <= Self.maximumBytes else {
        dropped += 1
        return
      }
      queue += line
      pthread_cond_broadcast(condition)
    }
  }

  /// Waits until everything that was queued is written, at most so long. Returns whether it is.
  @discardableResult
  public func flush(within limit: Duration) -> Bool {
    let deadline = Deadline.after(limit)
    return withLock {
      while !queue.isEmpty || dropped > 0 || isWriting {
        guard let left = deadline.remaining, left > .zero else { return false }
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let nanoseconds = end.tv_nsec + Int(left / .nanoseconds(1))
        end.tv_sec += nanoseconds / 1_000_000_000
        end.tv_nsec = nanoseconds % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &end)
      }
      return true
    }
  }

  /// Ends the thread once it has written what is queued. Lines that come later are dropped.
  public func close() {
    withLock {
      isClosed = true
      _ = pthread_cond_broadcast(condition)
    }
  }

  private func run() {
    while let batch = take() {
      write(batch)
      withLock {
        isWriting = false
        _ = pthread_cond_broadcast(condition)
      }
    }
  }

  /// All that waits, and how many lines are missing after it. Waits until there is something; nil at the end.
  private func take() -> [UInt8]? {
    withLock {
      while queue.isEmpty, dropped == 0 {
        if isClosed { return nil }
        pthread_cond_wait(condition, mutex)
      }
      isWriting = true
      defer {
        queue = []
        dropped = 0
      }
      return dropped > 0 ? queue + report(dropped) : queue
    }
  }

  private func write(_ bytes: [UInt8]) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        written += count
      } else if errno == EAGAIN {
        // Somebody has made it non-blocking, as terminals shared with other programs are.
        var readiness = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&readiness, 1, -1)
      } else if errno != EINTR {
        // Nobody will ever read it.
        return
      }
    }
  }

  private func withLock<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
