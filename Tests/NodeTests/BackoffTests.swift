import Testing

@testable import Node

@Suite struct BackoffTests {
  /// Reads the clock of a test.
  private var start: Duration { .seconds(1_000) }

  /// The pauses after so many attempts that fail at once.
  private func pauses(_ count: Int, jitter: Double, isWanted: Bool = false) -> [Duration] {
    var backoff = Backoff()
    var now = start
    return (0..<count).map { _ in
      backoff.attempted(at: now)
      backoff.failed(at: now, jitter: jitter)
      let next = backoff.next(isWanted: isWanted)
      defer { now = next }
      return next - now
    }
  }

  @Test func theFirstAttemptIsAtOnce() {
    #expect(Backoff().next(isWanted: false) <= .zero)
  }

  @Test func pausesDoubleUpToAMinute() {
    #expect(pauses(9, jitter: 1) == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
    #expect(pauses(1_000, jitter: 1).last == .seconds(60))
  }

  @Test func jitterTakesAtMostHalfAndNeverTheSpacing() {
    #expect(pauses(4, jitter: 0) == [1, 1, 2, 4].map { .seconds($0) })
    #expect(pauses(1_000, jitter: 0).last == .seconds(30))
    #expect(pauses(3, jitter: 0.5) == [.seconds(1), .milliseconds(1_500), .seconds(3)])
  }

  @Test func whileSomethingWaitsNoPauseIsLongerThanFiveSeconds() {
    #expect(pauses(9, jitter: 1, isWanted: true) == [1, 2, 4, 5, 5, 5, 5, 5, 5].map { .seconds($0) })
  }

  @Test func aCommandBringsOneAttemptForwardAndNoMore() {
    var backoff = Backoff()
    for second in 0..<10 {
      backoff.attempted(at: start + .seconds(second))
      backoff.failed(at: start + .seconds(second), jitter: 1)
    }
    let now = start + .seconds(20)
    #expect(backoff.next(isWanted: false) == start + .seconds(69))
    backoff.hurry(at: now)
    #expect(backoff.next(isWanted: false) == now)
    backoff.attempted(at: now)
    backoff.failed(at: now, jitter: 1)
    #expect(backoff.next(isWanted: false) == now + .seconds(60))
  }

  @Test func aThousandCommandsASecondAreOneAttemptASecond() {
    var backoff = Backoff()
    var attempts = 0
    for millisecond in 0..<10_000 {
      let now = start + .milliseconds(millisecond)
      backoff.hurry(at: now)
      guard backoff.next(isWanted: true) <= now else { continue }
      attempts += 1
      backoff.attempted(at: now)
      backoff.failed(at: now, jitter: 0)
    }
    #expect(attempts == 10)
  }

  @Test func aUsefulLinkStartsOverAndIsDialedAgainAtOnce() {
    var backoff = Backoff()
    for _ in 0..<10 { backoff.failed(at: start, jitter: 1) }
    backoff.attempted(at: start)
    let end = start + .seconds(30)
    backoff.linkEnded(wasUseful: true, wasDialed: true, at: end, jitter: 1)
    #expect(backoff.next(isWanted: false) == end)
    backoff.attempted(at: end)
    backoff.failed(at: end, jitter: 1)
    #expect(backoff.next(isWanted: false) == end + .seconds(1))
  }

  @Test func aLinkThatWasOfNoUseCountsAsAFailure() {
    var backoff = Backoff()
    for pause in [1, 2, 4, 8] {
      backoff.attempted(at: start)
      backoff.linkEnded(wasUseful: false, wasDialed: true, at: start, jitter: 1)
      #expect(backoff.next(isWanted: false) == start + .seconds(pause))
    }
  }

  @Test func aPeerThatDialsAndHangsUpNeitherHastensNorDelaysOurAttempts() {
    var backoff = Backoff()
    for _ in 0..<4 { backoff.failed(at: start, jitter: 1) }
    let before = backoff.next(isWanted: false)
    for _ in 0..<100 { backoff.linkEnded(wasUseful: false, wasDialed: false, at: start, jitter: 1) }
    #expect(backoff.next(isWanted: false) == before)
  }

  @Test func usefulLinksThatEndAtOnceAreStillOneAttemptASecond() {
    var backoff = Backoff()
    var attempts = 0
    for millisecond in 0..<10_000 {
      let now = start + .milliseconds(millisecond)
      guard backoff.next(isWanted: true) <= now else { continue }
      attempts += 1
      backoff.attempted(at: now)
      backoff.linkEnded(wasUseful: true, wasDialed: true, at: now, jitter: 0)
    }
    #expect(attempts == 10)
  }

  @Test func aChangeOfAddressesStartsOverWithinASecondHoweverOftenItComes() {
    var backoff = Backoff()
    for _ in 0..<10 { backoff.failed(at: start, jitter: 1) }
    let now = start + .seconds(2)
    backoff.startOver(at: now, jitter: 0.25)
    #expect(backoff.next(isWanted: false) == now + .milliseconds(250))
    var attempts = 0
    for millisecond in 0..<10_000 {
      let now = start + .seconds(10) + .milliseconds(millisecond)
      backoff.startOver(at: now, jitter: Double(millisecond % 100) / 100)
      guard backoff.next(isWanted: false) <= now else { continue }
      attempts += 1
      backoff.attempted(at: now)
      backoff.failed(at: now, jitter: 0)
    }
    #expect(attempts <= 10)
  }
}
