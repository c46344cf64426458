internal import Synchronization

/// Runs the jobs of its actors one after another on a thread of its own, where they may block.
///
/// An actor pins itself by returning `executor.asUnownedSerialExecutor()` from `unownedExecutor`.
///
/// - Important: Executors are *unowned* by the jobs they run: an actor keeps its executor in a `let`.
public final class ThreadExecutor: SerialExecutor {
  private let jobs = BlockingQueue<UnownedJob>()
  private let owner = Atomic<UInt>(0)
  private let ending = Ending(threads: 1)

  /// Starts the thread. It lives until ``stop()``.
  public init(name: String) {
    startThread(named: name) {
      self.owner.store(currentThread, ordering: .releasing)
      while let job = self.jobs.take() { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
      self.ending.threadEnded()
    }
  }

  /// Queues a job; for the Swift runtime.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if jobs.put(job) { return }
    // After the end a job still runs, or its task would hang for ever.
    LateJobs.run {
      self.owner.store(currentThread, ordering: .releasing)
      job.runSynchronously(on: self.asUnownedSerialExecutor())
    }
  }

  /// For an actor's `unownedExecutor`.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Whether the caller runs on this executor's thread.
  public func isIsolatingCurrentContext() -> Bool? { owner.load(ordering: .acquiring) == currentThread }

  /// Traps unless on this executor's thread.
  public func checkIsolated() { precondition(isIsolatingCurrentContext() == true, "not on the executor's thread") }

  /// Lets the jobs queued so far run, then ends the thread.
  public func stop() async {
    jobs.close()
    await ending.wait()
  }
}

/// Jobs of executors that have ended, on one thread that does not: tasks that outlive their loop come to an end there.
enum LateJobs {
  private static let queue: BlockingQueue<@Sendable () -> Void> = {
    let queue = BlockingQueue<@Sendable () -> Void>()
    startThread(named: "pawl.late") {
      while let job = queue.take() { job() }
    }
    return queue
  }()

  static func run(_ job: @escaping @Sendable () -> Void) { _ = queue.put(job) }
}

/// Tells any number of tasks that all threads of a group have ended.
final class Ending: Sendable {
  private struct State {
    var running: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Locked<State>

  init(threads: Int) { state = Locked(State(running: threads)) }

  func threadEnded() {
    let waiting = state.withLock { state in
      state.running -= 1
      guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    for task in waiting { task.resume() }
  }

  func wait() async {
    await withCheckedContinuation { task in
      let isOver = state.withLock { state in
        if state.running > 0 { state.waiting.append(task) }
        return state.running == 0
      }
      if isOver { task.resume() }
    }
  }
}
