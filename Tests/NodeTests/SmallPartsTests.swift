import EventLoop
import Testing

@testable import Node

@Suite struct BackoffTests {
  @Test func waitsDoubleUpToAMinuteAndStartOverAfterALink() {
    var backoff = Backoff()
    let waits = (0..<9).map { _ in backoff.next(jitter: 1) }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { Duration.seconds($0) })
    backoff.reset()
    #expect(backoff.next(jitter: 1) == .seconds(1))
  }

  @Test func jitterTakesAtMostHalf() {
    var low = Backoff()
    var middle = Backoff()
    #expect(low.next(jitter: 0) == .milliseconds(500))
    #expect(middle.next(jitter: 0.5) == .milliseconds(750))
    for _ in 0..<1_000 { _ = low.next(jitter: 0) }
    #expect(low.next(jitter: 0) == .seconds(30))
  }
}

@Suite struct PromiseTests {
  @Test func everyWaiterHasTheFirstValue() async throws {
    let promise = Promise<Int>()
    async let first = promise.value()
    async let second = promise.value()
    promise.settle(.success(1))
    promise.settle(.success(2))
    #expect(try await first == 1)
    #expect(try await second == 1)
    #expect(try await promise.value() == 1)
    #expect(promise.isSettled)
  }

  @Test func aCancelledWaiterLeavesTheOthersWaiting() async throws {
    let promise = Promise<Int>()
    let cancelled = Task { try await promise.value() }
    let patient = Task { try await promise.value() }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    promise.settle(.success(7))
    #expect(try await patient.value == 7)
  }
}
