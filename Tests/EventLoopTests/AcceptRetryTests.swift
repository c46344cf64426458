import Testing

@testable import EventLoop

@Suite struct AcceptRetryTests {
  @Test func noErrorEndsTheAcceptingAndPausesAndReportsAreBounded() async throws {
    let pauses = Shared<[Duration]>([])
    let reports = Shared<[Int]>([])
    let now = Shared(Duration.zero)
    var retry = AcceptRetry(
      sleep: { pause in
        pauses.change { $0.append(pause) }
        now.change { $0 += pause }
      }, clock: { now.current }, report: { _, unreported in reports.change { $0.append(unreported) } })
    let errors: [LoopError.Code] = [.tooManyFiles, .noMemory, .reset, .other(-22), .permissionDenied]
    let calls = Shared(0)
    let accept: @Sendable () async throws -> Int = {
      calls.change { $0 += 1 }
      let call = calls.current
      if call <= 100 { throw LoopError(errors[call % errors.count], "accept") }
      return call
    }
    let first = await retry.next(accept)
    #expect(first == 101)
    #expect(pauses.current.count == 100)
    #expect(pauses.current.first == .milliseconds(100))
    #expect(pauses.current.allSatisfy { $0 <= .seconds(2) })
    // Three minutes and a bit: a line at the beginning, and one a minute.
    #expect(reports.current.count == 4)
    #expect(reports.current.first == 0 && reports.current[1] > 0)
    // After a good one the first pause is short again.
    calls.change { $0 = 99 }
    let second = await retry.next(accept)
    #expect(second == 101)
    #expect(pauses.current.last == .milliseconds(100))
  }

  @Test func aClosedListenerEndsIt() async throws {
    var retry = AcceptRetry(sleep: { _ in }, clock: { .zero }, report: { _, _ in Issue.record("an end is no error") })
    let closed = await retry.next { () async throws -> Int in throw LoopError(.closed, "accept") }
    let cancelled = await retry.next { () async throws -> Int in throw CancellationError() }
    #expect(closed == nil && cancelled == nil)
  }
}
