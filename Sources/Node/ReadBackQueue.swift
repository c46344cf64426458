internal import EventLoop
internal import Logging
internal import Primitives
internal import Store

/// Reads delivered files back from disk: only a hash computed here is ever shown as verified.
///
/// The queue owns the work. Commands wait for it and may give up; the work goes on without them.
actor ReadBackQueue {
  /// What reading a delivery back has found.
  struct Outcome: Sendable {
    /// A file whose bytes are not what its publisher claimed.
    struct Wrong: Sendable {
      let path: String
      /// Where it was moved; nil if it could not be.
      let quarantine: String?
    }

    var wrong: [Wrong] = []
    /// Files that could not be judged, and why.
    var unread: [StoreError] = []
  }

  /// Deliveries that are read at one time: as many as there are threads for it.
  static let workers = 2
  /// What is known is committed after so many files, bytes or so much time, whichever is first: a crash repeats no more.
  static let commitFiles = 256
  static let commitBytes: UInt64 = 64 << 20
  static let commitTime = Duration.seconds(1)
  /// How often, and after what pauses, a file is tried again for which the machine has no descriptor or memory.
  static let busyTries = 5
  static let busyPause = Duration.seconds(1)

  /// After a failure of the state.
  private let retryTime: Duration

  nonisolated let context: NodeContext
  nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  /// In the order in which they are to be read.
  private var jobs: [ReadBackJob] = []
  private var working = 0
  private let stopped = Flag()

  init(context: NodeContext, retryTime: Duration = .seconds(60)) {
    self.context = context
    self.retryTime = retryTime
  }

  /// Takes up what an earlier run of the node left.
  func resume() async {
    do { for holding in try await context.database.pendingReadBacks() { enqueue(holding) } } catch {
      context.logger.error("what is to be read back is not known", metadata: ["error": "\(error)"])
    }
  }

  /// Reads a delivery back some time soon.
  func enqueue(_ holding: Int64) { _ = job(for: holding) }

  /// Waits until a delivery is read back. Those that are waited for are read first, in turns.
  ///
  /// - Parameter progress: bytes read so far.
  func outcome(of holding: Int64, progress: @escaping @Sendable (UInt64) -> Void) async throws -> Outcome {
    let job = job(for: holding)
    progress(job.bytes)
    let seat = job.join(progress)
    defer { job.leave(seat) }
    return try await job.outcome.value()
  }

  /// Ends the slices being read; what is left is taken up at the next start.
  func stop() {
    stopped.set()
    let open = jobs
    jobs = []
    for job in open { job.outcome.settle(.failure(CancellationError())) }
  }

  // MARK: Work

  private func job(for holding: Int64) -> ReadBackJob {
    if let known = jobs.first(where: { $0.holding == holding }) { return known }
    let job = ReadBackJob(holding)
    guard !stopped.isSet else {
      job.outcome.settle(.failure(CancellationError()))
      return job
    }
    jobs.append(job)
    if working < Self.workers {
      working += 1
      startTask { await self.work() }
    }
    return job
  }

  private func work() async {
    while let job = next() {
      job.isTaken = true
      do {
        if try await advance(job) { finish(job, .success(job.found)) }
      } catch {
        finish(job, .failure(error))
        if !stopped.isSet {
          context.logger.error("a delivery was not read back", metadata: ["error": "\(error)"])
          let holding = job.holding
          startTask { await self.tryAgain(holding) }
        }
      }
      job.isTaken = false
    }
    working -= 1
  }

  /// The state could not be read or written, perhaps for want of room: what is owed is taken up once more.
  private func tryAgain(_ holding: Int64) async {
    guard (try? await context.loop.sleep(for: retryTime)) != nil else { return }
    enqueue(holding)
  }

  private func next() -> ReadBackJob? {
    guard !stopped.isSet else { return nil }
    let place = jobs.firstIndex { !$0.isTaken && $0.isWaitedFor } ?? jobs.firstIndex { !$0.isTaken }
    guard let place else { return nil }
    let job = jobs[place]
    // A small delivery does not wait for all of a large one.
    if job.isWaitedFor { jobs.append(jobs.remove(at: place)) }
    return job
  }

  private func finish(_ job: ReadBackJob, _ result: Result<Outcome, any Error>) {
    jobs.removeAll { $0 === job }
    job.outcome.settle(result)
  }

  /// Reads a slice. True: it was the last.
  private func advance(_ job: ReadBackJob) async throws -> Bool {
    if job.files == nil {
      job.files = try await context.database.holdingFiles(job.holding).filter(\.state.isToBeRead)[...]
    }
    let files = job.files ?? []
    guard !files.isEmpty else { return true }
    let (current, stopped) = (job.current, stopped)
    let slice = try await context.threads.hashing.run { ReadBackSlice.read(files, current) { stopped.isSet } }
    job.take(slice)
    if slice.isBusy {
      job.busy += 1
      if job.busy < Self.busyTries {
        try await context.loop.sleep(for: Self.busyPause * job.busy)
      } else if let file = job.files?.popFirst() {
        job.results.append(
          (file, .failure(StoreError(.busy, file.path, detail: "the machine is short of descriptors or memory"))))
        job.busy = 0
      }
    }
    let isLast = job.files?.isEmpty ?? true
    if isLast || job.isCommitDue { try await commit(job) }
    job.report()
    return isLast
  }

  private func commit(_ job: ReadBackJob) async throws {
    let results = job.takeResults()
    guard !results.isEmpty else { return }
    let states = try await context.database.setReadBacks(
      holding: job.holding, results.map { file, result in (file.index, result.found) })
    for (file, result) in results {
      switch (states[file.index], result) {
      case (.condemned, .success): job.found.wrong.append(await setAside(file))
      // Set aside by an earlier run that had no time to say so.
      case (.mismatch, _): job.found.wrong.append(Outcome.Wrong(path: file.path, quarantine: nil))
      case (.some, .failure(let error)):
        context.logger.error("a delivered file was not read back", metadata: ["error": "\(error)"])
        job.found.unread.append(error)
      default: break
      }
    }
  }

  /// The verdict is stored by now: cut short here, the next start reads the file once more and sets it aside then.
  private func setAside(_ file: HoldingFile) async -> Outcome.Wrong {
    context.logger.error(
      "not what its publisher claimed", metadata: ["file": "\(file.path)", "claimed": "\(file.expected.hex)"])
    do {
      let aside = try await context.threads.files.run { try Quarantine.setAside(file.path) }
      try await context.database.setQuarantined(holding: file.holding, file: file.index)
      return Outcome.Wrong(path: file.path, quarantine: aside)
    } catch {
      context.logger.error("it could not be set aside", metadata: ["file": "\(file.path)", "error": "\(error)"])
      return Outcome.Wrong(path: file.path, quarantine: nil)
    }
  }
}

/// Set once, from any thread.
final class Flag: Sendable {
  private let state = Locked(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
