import EventLoop
import Testing

@testable import Node

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
