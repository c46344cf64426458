import Testing

@testable import EventLoop

@Suite(.timeLimit(.minutes(2)))
struct SliceTests {
  private struct Stopped: Error {}

  /// On one thread neither of two jobs ends before both have come far: neither could run through.
  @Test func slicesOfTwoLongJobsAlternate() async throws {
    let pool = WorkerPool(threads: 1, name: "test.slices")
    let slices = Shared([0, 0])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<2 {
        group.addTask {
          try await pool.runInSlices {
            slices.change { $0[number] += 1 }
            return slices.current.allSatisfy { $0 >= 20 } ? () : nil
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(slices.current.allSatisfy { $0 >= 20 })
    await pool.stop()
  }

  @Test func aSlicedJobEndsBetweenTwoSlicesWhenItIsCancelledOrThePoolStops() async throws {
    for isPoolStopped in [false, true] {
      let pool = WorkerPool(threads: 1, name: "test.slices")
      let slices = Shared(0)
      let gate = Gate()
      let job = Task {
        try await pool.runInSlices { () -> Int? in
          slices.change { $0 += 1 }
          gate.wait()
          return nil
        }
      }
      await gate.reached()
      try await withLoop { loop in
        let stopping = isPoolStopped ? try await started(on: loop) { await pool.stop() } : nil
        if !isPoolStopped { job.cancel() }
        gate.open()
        await #expect(throws: (any Error).self) { _ = try await job.value }
        #expect(slices.current == 1)
        try await stopping?.value
        if !isPoolStopped { await pool.stop() }
      }
    }
  }

  @Test func aJobThatAsksIsToldThatNobodyWantsItsResult() async throws {
    let pool = WorkerPool(threads: 1, name: "test.slices")
    let gate = Gate()
    let wasSet = Shared<[Bool]>([])
    let job = Task {
      try await pool.run {
        wasSet.change { $0.append(StopSignal.isSet) }
        gate.wait()
        wasSet.change { $0.append(StopSignal.isSet) }
        throw Stopped()
      }
    }
    await gate.reached()
    job.cancel()
    gate.open()
    // What it throws then is its way of stopping.
    await #expect(throws: CancellationError.self) { try await job.value }
    #expect(wasSet.current == [false, true])
    #expect(try await pool.run { StopSignal.isSet } == false)
    #expect(!StopSignal.isSet)
    await pool.stop()
  }

  @Test func aSliceEndsAfterItsBytes() {
    var slice = WorkSlice(bytes: 10, time: .seconds(3_600))
    let goesOn = [slice.spend(9), slice.spend(1)]
    #expect(goesOn == [true, false])
    var late = WorkSlice(bytes: 10, time: .zero)
    let isLate = !late.spend(1)
    #expect(isLate)
  }
}
