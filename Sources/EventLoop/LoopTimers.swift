internal import CUV

/// The timers of one loop. Their handles are used again and again, and closed with the loop.
///
/// - Note: `@unchecked Sendable`: touched on the loop's thread only.
final class LoopTimers: @unchecked Sendable {
  /// How a timer ended.
  enum End {
    case due
    case loopStopped
  }

  /// Names one use of a timer: after its end the handle serves others.
  struct Token {
    fileprivate let timer: LoopTimer
    fileprivate let use: UInt64
  }

  private let loop: UnsafeMutablePointer<uv_loop_t>
  private var all: [LoopTimer] = []
  private var free: [LoopTimer] = []
  private var isClosed = false

  init(loop: UnsafeMutablePointer<uv_loop_t>) { self.loop = loop }

  /// Calls `body` on the loop when the deadline has passed, never before; nil without a deadline.
  func schedule(at deadline: Deadline, _ body: @escaping (End) -> Void) -> Token? {
    guard let remaining = deadline.remaining else { return nil }
    guard !isClosed else {
      body(.loopStopped)
      return nil
    }
    let timer = free.popLast() ?? makeTimer()
    timer.body = body
    uv_update_time(loop)
    uv_timer_start(timer.handle, timerIsDue, Self.milliseconds(remaining), 0)
    return Token(timer: timer, use: timer.use)
  }

  /// Forgets a timer that has not ended yet.
  func cancel(_ token: Token) {
    guard token.timer.use == token.use, token.timer.body != nil, !isClosed else { return }
    uv_timer_stop(token.timer.handle)
    _ = end(token.timer)
  }

  /// Ends all; the handles free themselves.
  func close() {
    isClosed = true
    for timer in all {
      uv_close(UnsafeMutableRawPointer(timer.handle).assumingMemoryBound(to: uv_handle_t.self), freeTimer)
      end(timer)?(.loopStopped)
    }
    all = []
    free = []
  }

  fileprivate func fire(_ timer: LoopTimer) { end(timer)?(.due) }

  private func end(_ timer: LoopTimer) -> ((End) -> Void)? {
    guard let body = timer.body else { return nil }
    timer.body = nil
    timer.use += 1
    free.append(timer)
    return body
  }

  private func makeTimer() -> LoopTimer {
    let timer = LoopTimer(owner: self)
    uv_timer_init(loop, timer.handle)
    timer.handle.pointee.data = Unmanaged.passUnretained(timer).toOpaque()
    all.append(timer)
    return timer
  }

  /// Rounded up, and one more because libuv's clock drops the fraction: a timer never fires early.
  private static func milliseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    let (whole, overflow) = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1000)
    let (sum, tooLong) = whole.addingReportingOverflow(UInt64(clamping: attoseconds / 1_000_000_000_000_000) + 2)
    return overflow || tooLong ? .max : sum
  }
}

private final class LoopTimer {
  let handle = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
  unowned let owner: LoopTimers
  var body: ((LoopTimers.End) -> Void)?
  var use: UInt64 = 0

  init(owner: LoopTimers) { self.owner = owner }
}

private func timerIsDue(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
  guard let context = handle?.pointee.data else { return }
  let timer = Unmanaged<LoopTimer>.fromOpaque(context).takeUnretainedValue()
  timer.owner.fire(timer)
}

private func freeTimer(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  guard let handle else { return }
  UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_timer_t.self).deallocate()
}
