import EventLoop
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5)))
struct PoolTests {
  private struct Failure: Error {}

  // MARK: Frames

  @Test func aPoolNeverHasMoreFramesThanItMay() async throws {
    let pool = FramePool(frames: 3, headerBytes: 32, bodyBytes: 100)
    var frames = try await [pool.take(), pool.take(), pool.take()]
    #expect(pool.tryTake() == nil)
    let inUse = Shared(0)
    let most = Shared(0)
    frames = []
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<200 {
        group.addTask {
          let frame = try await pool.take()
          inUse.change { count in
            count += 1
            most.change { [count] in $0 = max($0, count) }
          }
          await Task.yield()
          inUse.change { $0 -= 1 }
          _ = frame.capacity
        }
      }
      try await group.waitForAll()
    }
    #expect(most.current <= 3)
    #expect(frames.isEmpty)
  }

  @Test func whoWaitsForAFrameGetsTheNextOneInTurn() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: 0, bodyBytes: 8)
      var held: Frame? = try await pool.take()
      let order = Shared<[Int]>([])
      var tasks: [Task<Void, any Error>] = []
      for number in 0..<4 {
        tasks.append(
          try await started(on: loop) {
            let frame = try await pool.take()
            order.change { $0.append(number) }
            frame.count = number
          })
      }
      #expect(held?.capacity == 8)
      held = nil
      for task in tasks { try await task.value }
      #expect(order.current.sorted() == [0, 1, 2, 3])
    }
  }

  @Test func aCancelledWaiterTakesNoFrameAway() async throws {
    try await withLoop { loop in
      let pool = FramePool(frames: 1, headerBytes: 0, bodyBytes: 8)
      var held: Frame? = try await pool.take()
      let first = try await started(on: loop) { try await pool.take() }
      let second = try await started(on: loop) { try await pool.take() }
      first.cancel()
      await #expect(throws: CancellationError.self) { try await first.value }
      #expect(held?.capacity == 8)
      held = nil
      #expect(try await second.value.capacity == 8)
    }
  }

  @Test func theBodyOfAFrameBeginsOnAPage() async throws {
    for headerBytes in [0, 1, 32, 4096, 5000] {
      let frame = try await FramePool(frames: 1, headerBytes: headerBytes, bodyBytes: 1000).take()
      #expect(frame.capacity == headerBytes + 1000)
      #expect(frame.header.count == headerBytes)
      #expect(frame.body.count == 1000)
      #expect(UInt(bitPattern: frame.body.baseAddress) % 4096 == 0)
      #expect(frame.bytes.baseAddress.map { $0 + headerBytes } == frame.body.baseAddress)
    }
  }

  // MARK: Workers

  @Test func jobsRunOnWorkersAndReturnWhatTheyReturn() async throws {
    let pool = WorkerPool(threads: 2, name: "test.work")
    let results = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<100 { group.addTask { try await pool.run { number * 2 } } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.sorted() == (0..<100).map { $0 * 2 })
    await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
    await pool.stop()
  }

  @Test func oneWorkerRunsJobsInTheOrderTheyCame() async throws {
    let pool = WorkerPool(threads: 1, name: "test.work")
    let order = Shared<[Int]>([])
    let gate = Gate()
    let blocker = Task { try await pool.run { gate.wait() } }
    await gate.reached()
    try await withLoop { loop in
      var tasks: [Task<Void, any Error>] = []
      for number in 0..<10 {
        let task = Task { try await pool.run { order.change { $0.append(number) } } }
        tasks.append(task)
        try await loop.run {}
      }
      gate.open()
      for task in tasks { try await task.value }
    }
    try await blocker.value
    #expect(order.current.count == 10)
    await pool.stop()
  }

  @Test func aJobCancelledInTheQueueNeverRuns() async throws {
    let pool = WorkerPool(threads: 1, name: "test.work")
    let gate = Gate()
    let hasRun = Shared(false)
    let blocker = Task { try await pool.run { gate.wait() } }
    await gate.reached()
    let queued = Task { try await pool.run { hasRun.change { $0 = true } } }
    queued.cancel()
    await #expect(throws: CancellationError.self) { try await queued.value }
    gate.open()
    try await blocker.value
    try await pool.run {}
    #expect(!hasRun.current)
    await pool.stop()
  }

  @Test func aJobThatHasBegunRunsToItsEndThoughCancelled() async throws {
    let pool = WorkerPool(threads: 1, name: "test.work")
    let gate = Gate()
    let task = Task {
      try await pool.run {
        gate.wait()
        return 5
      }
    }
    await gate.reached()
    task.cancel()
    gate.open()
    #expect(try await task.value == 5)
    await pool.stop()
  }

  @Test func aStoppedPoolRefusesJobs() async throws {
    let pool = WorkerPool(threads: 3, name: "test.work")
    await pool.stop()
    await pool.stop()
    await #expect(throws: LoopError(.closed, "")) { try await pool.run { 1 } }
  }

  // MARK: Executor

  private actor Pinned {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private var count = 0

    init(executor: ThreadExecutor) { self.executor = executor }

    func next() -> Int {
      executor.checkIsolated()
      count += 1
      return count
    }
  }

  @Test func anActorOnAThreadOfItsOwnIsStillSerial() async throws {
    let executor = ThreadExecutor(name: "test.store")
    let pinned = Pinned(executor: executor)
    #expect(executor.isIsolatingCurrentContext() == false)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<50 { group.addTask { for _ in 0..<50 { _ = await pinned.next() } } }
    }
    #expect(await pinned.next() == 2501)
    await executor.stop()
    #expect(await pinned.next() == 2502)
  }
}

/// Holds a worker's thread until the test lets it go.
final class Gate: Sendable {
  private let ends: (reading: CInt, writing: CInt)
  private let begun = AsyncStream.makeStream(of: Void.self)

  init() {
    var ends: [CInt] = [-1, -1]
    precondition(pipe(&ends) == 0)
    self.ends = (ends[0], ends[1])
  }

  deinit {
    close(ends.reading)
    close(ends.writing)
  }

  /// Blocks the calling thread.
  func wait() {
    begun.continuation.yield()
    var byte: UInt8 = 0
    _ = read(ends.reading, &byte, 1)
  }

  func reached() async { for await _ in begun.stream { return } }

  func open() {
    var byte: UInt8 = 1
    _ = write(ends.writing, &byte, 1)
  }
}
