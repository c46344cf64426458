import EventLoop
import Testing

@Suite struct StartTaskTests {
  private actor Pinned {
    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop) { self.loop = loop }

    /// Whether tasks began on the loop: one that captures nothing of this actor, one that throws, one that cleans up.
    func begin() async throws -> [Bool] {
      let loop = loop
      let plain = startTask { loop.isOnLoop }
      let throwing = startTask {
        try Task.checkCancellation()
        return loop.isOnLoop
      }
      var results = [await plain.value, try await throwing.value]
      let seen = Shared(false)
      await cleanUp { seen.change { $0 = loop.isOnLoop } }
      results.append(seen.current)
      return results
    }

    func cleanUpAfterCancellation(_ pool: WorkerPool) async -> (refused: Bool, done: Bool) {
      withUnsafeCurrentTask { $0?.cancel() }
      let isRefused = (try? await pool.run { true }) == nil
      let isDone = Shared(false)
      await cleanUp {
        if (try? await pool.run { true }) == true { isDone.change { $0 = true } }
      }
      return (isRefused, isDone.current)
    }
  }

  @Test func aTaskOfAPinnedActorBeginsOnItsLoopWhateverItCaptures() async throws {
    try await withLoop { loop in
      for _ in 0..<100 {
        let began = try await Pinned(loop).begin()
        #expect(began == [true, true, true])
      }
    }
  }

  @Test func cleanUpRunsInACanceledTask() async throws {
    try await withLoop { loop in
      let pool = WorkerPool(threads: 1, name: "test.clean")
      let pinned = Pinned(loop)
      let result = await Task { await pinned.cleanUpAfterCancellation(pool) }.value
      #expect(result.refused && result.done)
      await pool.stop()
    }
  }
}
