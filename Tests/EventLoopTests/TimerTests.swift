import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5)))
struct TimerTests {
  @Test(arguments: [0, 1, 3, 20])
  func aSleepNeverEndsEarly(milliseconds: Int) async throws {
    try await withLoop { loop in
      let start = MonotonicClock.now
      try await loop.sleep(for: .milliseconds(milliseconds))
      #expect(MonotonicClock.now - start >= .milliseconds(milliseconds))
    }
  }

  @Test func sleepersWakeInTheOrderOfTheirDeadlines() async throws {
    try await withLoop { loop in
      let woken = Shared<[Int]>([])
      await withTaskGroup(of: Void.self) { group in
        for number in [3, 1, 4, 2] {
          group.addTask {
            try? await loop.sleep(for: .milliseconds(number * 15))
            woken.change { $0.append(number) }
          }
        }
      }
      #expect(woken.current == [1, 2, 3, 4])
    }
  }

  @Test func aCancelledSleepEndsAtOnce() async throws {
    try await withLoop { loop in
      let task = try await started(on: loop) { try await loop.sleep(for: .seconds(3600)) }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }

  @Test func aSleepInACancelledTaskDoesNotBegin() async throws {
    try await withLoop { loop in
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        try await loop.sleep(for: .seconds(3600))
      }
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }

  @Test func timersAreUsedAgainWithoutMixingTheirSleepersUp() async throws {
    try await withLoop { loop in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<200 {
          group.addTask {
            let task = Task { try await loop.sleep(for: .seconds(number.isMultiple(of: 2) ? 0 : 3600)) }
            if number.isMultiple(of: 2) {
              try await task.value
            } else {
              task.cancel()
              await #expect(throws: CancellationError.self) { try await task.value }
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func anOperationThatTakesTooLongIsCancelled() async throws {
    try await withLoop { loop in
      let wasCancelled = Shared(false)
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(5), on: loop) {
          do {
            try await loop.sleep(for: .seconds(3600))
          } catch is CancellationError {
            wasCancelled.change { $0 = true }
            throw CancellationError()
          }
        }
      }
      #expect(wasCancelled.current)
    }
  }

  @Test func anOperationInTimeKeepsItsResultAndItsError() async throws {
    try await withLoop { loop in
      let seven = try await withTimeout(.seconds(3600), on: loop) { 7 }
      #expect(seven == 7)
      await #expect(throws: LoopError(.refused, "")) {
        try await withTimeout(.seconds(3600), on: loop) { throw LoopError(.refused, "it") }
      }
    }
  }

  @Test func cancellingTheCallerCancelsTheOperation() async throws {
    try await withLoop { loop in
      let task = try await started(on: loop) {
        try await withTimeout(.seconds(3600), on: loop) { try await loop.sleep(for: .seconds(3600)) }
      }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }

  @Test func deadlinesSaturateInsteadOfTrapping() {
    #expect(Deadline.after(.seconds(Int64.max)) == .never)
    #expect(Deadline.after(.seconds(-5)).isPast)
    #expect(Deadline.after(.seconds(-5)).remaining == .zero)
    #expect(Deadline.never.remaining == nil)
    #expect(!Deadline.never.isPast)
    let soon = Deadline.after(.seconds(10))
    #expect(soon.earlier(.never) == soon)
    #expect(soon < .after(.seconds(20)))
    #expect(Deadline(at: MonotonicClock.now + .seconds(5)).remaining.map { $0 > .seconds(4) && $0 <= .seconds(5) } == true)
  }
}
