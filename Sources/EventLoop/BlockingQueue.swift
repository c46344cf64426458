internal import Glibc

/// First in, first out, from any thread to a thread that may block.
///
/// - Note: `@unchecked Sendable`: every stored variable is touched only with `mutex` held.
final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var incoming: [Element] = []
  /// Reversed, so that taking the oldest is `popLast`.
  private var outgoing: [Element] = []
  private var isClosed = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  /// False once the queue has been closed: then the element was not taken.
  func put(_ element: Element) -> Bool {
    withLock {
      if isClosed { return false }
      incoming.append(element)
      pthread_cond_signal(condition)
      return true
    }
  }

  /// Waits for an element; nil once the queue is closed and empty.
  func take() -> Element? {
    withLock {
      while outgoing.isEmpty {
        if incoming.isEmpty {
          if isClosed { return nil }
          pthread_cond_wait(condition, mutex)
        } else {
          outgoing = incoming.reversed()
          incoming.removeAll(keepingCapacity: true)
        }
      }
      return outgoing.popLast()
    }
  }

  /// Nothing more goes in; what is in still comes out.
  func close() {
    withLock {
      isClosed = true
      _ = pthread_cond_broadcast(condition)
    }
  }

  private func withLock<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
