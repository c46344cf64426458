internal import CUV
internal import Synchronization

/// A libuv loop on a thread of its own, usable as the executor of any number of actors.
///
/// An actor pins itself to the loop by returning `loop.asUnownedSerialExecutor()` from `unownedExecutor`. Inside such
/// an actor every operation on the loop's streams costs no thread change.
///
/// - Important: Executors are *unowned* by the jobs they run: an actor keeps its loop in a `let`.
public final class EventLoop: SerialExecutor {
  /// Jobs taken in one turn of the loop before sockets and timers get their next chance.
  private static let jobsPerTurn = 256
  /// What one read of a stream can bring. Only one read is ever under way on a thread, so one buffer serves all.
  static let readSize = 64 * 1024

  private enum Work: Sendable {
    case job(UnownedJob)
    case call(@Sendable () -> Void)
  }

  private enum Phase {
    case running
    /// Every handle is closed or closing: nothing may wake the loop, its thread runs what is left.
    case draining
    /// The thread is done; ``LateJobs`` runs what still comes.
    case stopped
  }

  private struct Inbox {
    var work: [Work] = []
    /// From the wake-up's sending until the inbox is emptied: at most one `write(2)` a turn.
    var isWakeUpSent = false
    var phase = Phase.running
    var stopping: [CheckedContinuation<Void, Never>] = []
  }

  private let inbox = Locked(Inbox())
  /// The thread that runs the jobs.
  private let owner = Atomic<UInt>(0)

  // Invariant of everything `nonisolated(unsafe)` here: touched on the loop's thread only, or before it starts;
  // `wakeUp` besides by `uv_async_send`, which any thread may call, with `inbox` locked.
  nonisolated(unsafe) let raw = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
  nonisolated(unsafe) private let wakeUp = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
  nonisolated(unsafe) private let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
  nonisolated(unsafe) let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 16)
  nonisolated(unsafe) private var resources: [ObjectIdentifier: any LoopResource] = [:]
  nonisolated(unsafe) private var isStopping = false
  nonisolated(unsafe) private var turns = TurnWatch()
  let timers: LoopTimers

  /// Starts the loop. It lives until ``stop()``.
  public init(name: String = "pawl.loop") {
    ignoreSIGPIPE()
    timers = LoopTimers(loop: raw)
    precondition(uv_loop_init(raw) == 0, "no descriptors left for an event loop")
    precondition(uv_async_init(raw, wakeUp, nil) == 0, "no descriptors left for an event loop")
    uv_prepare_init(raw, prepare)
    prepare.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    uv_prepare_start(prepare, loopIsAboutToPoll)
    // Jobs alone do not keep the loop alive; the wake-up does until the end.
    uv_unref(UnsafeMutableRawPointer(prepare).assumingMemoryBound(to: uv_handle_t.self))
    // The thread holds the loop strongly while it runs, so that callbacks may use it unretained.
    startThread(named: name) { self.runThread() }
  }

  // MARK: Executor

  /// Queues a job; for the Swift runtime.
  public func enqueue(_ job: consuming ExecutorJob) { submit(.job(UnownedJob(job))) }

  /// For an actor's `unownedExecutor`.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Whether the caller runs on this loop.
  public func isIsolatingCurrentContext() -> Bool? { isOnLoop }

  /// Traps unless on this loop.
  public func checkIsolated() { precondition(isOnLoop, "not on the event loop") }

  /// Whether the caller runs on this loop.
  public var isOnLoop: Bool { owner.load(ordering: .acquiring) == currentThread }

  /// Runs `body` on the loop, after what is queued there. In the order of posting.
  func post(_ body: @escaping @Sendable () -> Void) { submit(.call(body)) }

  private func submit(_ work: Work) {
    let isOnLoop = isOnLoop
    let isLate = inbox.withLock { inbox in
      guard inbox.phase != .stopped else { return true }
      inbox.work.append(work)
      // On the loop there is nothing to wake: `prepare` comes before the next poll. Sent with the lock held, so
      // that the handle cannot go away in between.
      if inbox.phase == .running, !inbox.isWakeUpSent, !isOnLoop {
        inbox.isWakeUpSent = true
        uv_async_send(wakeUp)
      }
      return false
    }
    guard isLate else { return }
    LateJobs.run {
      self.owner.store(currentThread, ordering: .releasing)
      self.perform(work)
    }
  }

  private func perform(_ work: Work) {
    switch work {
    case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
    case .call(let body): body()
    }
  }

  /// On the loop. The longest time since the last call that the loop computed without looking at its sockets and timers.
  public func takeLongestTurn() -> Duration { turns.take() }

  /// In libuv's prepare phase: after timers and callbacks, right before the loop polls.
  fileprivate func runJobs() {
    defer { turns.end() }
    var batch = inbox.withLock { inbox in
      inbox.isWakeUpSent = false
      return takeAll(&inbox.work)
    }
    var budget = Self.jobsPerTurn
    while !batch.isEmpty {
      for work in batch { perform(work) }
      budget -= batch.count
      batch = inbox.withLock { [budget] inbox in
        if budget > 0 { return takeAll(&inbox.work) }
        // The poll must not block while there is work; sockets go first.
        if !inbox.work.isEmpty, inbox.phase == .running, !inbox.isWakeUpSent {
          inbox.isWakeUpSent = true
          uv_async_send(wakeUp)
        }
        return []
      }
    }
  }

  // MARK: Resources

  /// Keeps an open handle alive and known, so that ``stop()`` can close it. Throws once the loop is stopping.
  func register(_ resource: any LoopResource) throws(LoopError) {
    if isStopping { throw LoopError(.closed, "event loop") }
    resources[ObjectIdentifier(resource)] = resource
  }

  /// In the handle's close callback: the last thing that is done with it.
  func deregister(_ resource: any LoopResource) {
    resources[ObjectIdentifier(resource)] = nil
    finishIfIdle()
  }

  // MARK: The end

  /// Closes what is still open, whose waiters get ``LoopError/Code/closed``, and ends the thread. What uses the loop
  /// afterwards finds everything closed. Waits for a name lookup under way, which nothing can interrupt.
  public func stop() async {
    await withCheckedContinuation { task in
      let isOver = inbox.withLock { inbox in
        if inbox.phase != .stopped { inbox.stopping.append(task) }
        return inbox.phase == .stopped
      }
      if isOver { task.resume() } else { post { self.beginStop() } }
    }
  }

  private func beginStop() {
    guard !isStopping else { return }
    isStopping = true
    timers.close()
    for resource in Array(resources.values) { resource.close() }
    finishIfIdle()
  }

  /// The wake-up goes last: until then other threads may need it to get a job onto the loop.
  private func finishIfIdle() {
    guard isStopping, resources.isEmpty else { return }
    let isFirst = inbox.withLock { inbox in
      defer { inbox.phase = .draining }
      return inbox.phase == .running
    }
    guard isFirst else { return }
    uv_close(UnsafeMutableRawPointer(wakeUp).assumingMemoryBound(to: uv_handle_t.self), nil)
    uv_close(UnsafeMutableRawPointer(prepare).assumingMemoryBound(to: uv_handle_t.self), nil)
  }

  private func runThread() {
    owner.store(currentThread, ordering: .releasing)
    uv_run(raw, UV_RUN_DEFAULT)
    while !isDrained() { runJobs() }
    precondition(uv_loop_close(raw) == 0, "a handle outlived its loop")
    raw.deallocate()
    wakeUp.deallocate()
    prepare.deallocate()
    scratch.deallocate()
    let stopping = inbox.withLock { takeAll(&$0.stopping) }
    for task in stopping { task.resume() }
  }

  private func isDrained() -> Bool {
    inbox.withLock { inbox in
      if inbox.work.isEmpty { inbox.phase = .stopped }
      return inbox.work.isEmpty
    }
  }
}

/// An open libuv handle or request.
protocol LoopResource: AnyObject {
  /// On the loop. Begins to close, unless that has begun already; fails whoever waits.
  func close()
}

private func loopIsAboutToPoll(_ handle: UnsafeMutablePointer<uv_prepare_t>?) {
  guard let context = handle?.pointee.data else { return }
  Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue().runJobs()
}

private func takeAll<Element>(_ array: inout [Element]) -> [Element] {
  defer { array = [] }
  return array
}
