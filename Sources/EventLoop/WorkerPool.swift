/// Threads of our own for what blocks or computes: disk, ciphers, hashes. First in, first out.
///
/// There is no queue limit because there is no way to put a job in without waiting for it: the queue is as
/// long as there are tasks waiting in ``run(_:)``.
public final class WorkerPool: Sendable {
  private let jobs = BlockingQueue<@Sendable () -> Void>()
  private let ending: Ending
  private let state = PoolState()

  /// Starts `threads` threads, named `name` and a number.
  public init(threads: Int, name: String) {
    precondition(threads > 0, "a pool without threads runs nothing")
    ending = Ending(threads: threads)
    for index in 0..<threads {
      startThread(named: "\(name).\(index)") { [jobs, ending] in
        while let job = jobs.take() { job() }
        ending.threadEnded()
      }
    }
  }

  deinit { jobs.close() }

  /// Runs `job` on a worker and returns its result where the caller runs.
  ///
  /// Cancelled while the job is still queued: throws `CancellationError` at once and the job never runs. Once it has
  /// begun it runs to its end and its result counts, so that what it uses may be given up afterwards; a job that asks
  /// ``StopSignal`` may end itself early by throwing, and then this throws `CancellationError` too.
  /// Throws ``LoopError/Code/closed`` after ``stop()``.
  public func run<Value: Sendable>(_ job: @escaping @Sendable () throws -> Value) async throws -> Value {
    try Task.checkCancellation()
    let parked = Parked<Value>()
    let signal = StopSignal(pool: state)
    return try await parked.wait {
      let isTaken = jobs.put {
        guard let task = parked.claim() else { return }
        task.resume(with: Self.result(of: job, signal))
      }
      if !isTaken { parked.claim()?.resume(throwing: LoopError(.closed, "worker pool")) }
    } onCancel: {
      signal.raise()
    }
  }

  private static func result<Value>(of job: () throws -> Value, _ signal: StopSignal) -> Result<Value, any Error> {
    do { return .success(try StopSignal.$current.withValue(signal) { try job() }) } catch {
      return .failure(signal.hasBeenSeen ? CancellationError() : error)
    }
  }

  /// Tells all jobs, those under way and those to come, to stop as soon as they ask ``StopSignal``. They are still taken: what is
  /// short gets done.
  public func raiseStop() { state.stop() }

  /// Lets the jobs queued so far run, those that ask ``StopSignal`` not to their end, then ends the threads.
  public func stop() async {
    state.stop()
    jobs.close()
    await ending.wait()
  }
}
