import Session
import Testing

@testable import Node

@Suite struct LinkConductTests {
  @Test func aRowOf32RefusedFramesIsEnoughAndOneThatOpensStartsItOver() {
    var conduct = LinkConduct()
    for _ in 0..<31 { #expect(conduct.note(.refused) == true) }
    #expect(conduct.note(.opened) == true)
    for _ in 0..<31 { #expect(conduct.note(.refused) == true) }
    // What says nothing does not start it over.
    for _ in 0..<10_000 { #expect(conduct.note(.neutral) == true) }
    #expect(conduct.note(.stale) == true)
    #expect(conduct.note(.refused) == false)
  }

  @Test func whatAnHonestPeerSendsAgainHasAnAllowanceOfItsOwn() {
    var conduct = LinkConduct()
    for _ in 0..<1_000 { #expect(conduct.note(.stale) == true) }
    #expect(conduct.note(.stale) == false)
    conduct = LinkConduct()
    for _ in 0..<1_000 { #expect(conduct.note(.stale) == true) }
    // The next session may go the same way.
    #expect(conduct.note(.opened, confirmsSession: true) == true)
    for _ in 0..<1_000 { #expect(conduct.note(.stale) == true) }
    #expect(conduct.note(.stale) == false)
  }

  @Test func duplicatesNeverEndALink() {
    var conduct = LinkConduct()
    for _ in 0..<100_000 { #expect(conduct.note(.neutral) == true) }
  }

  @Test func pausesDoubleUpToAMinuteAndStartOverAfterTenQuietMinutes() {
    var conduct = PeerConduct()
    func misbehave(on link: UInt64, at now: Duration) -> Duration {
      for _ in 0..<31 { #expect(conduct.note(.refused, confirmsSession: false, on: link, at: now) == true) }
      #expect(conduct.note(.refused, confirmsSession: false, on: link, at: now) == false)
      var pause = Duration.zero
      while !conduct.mayLink(at: now + pause) { pause += .seconds(1) }
      return pause
    }
    var now = Duration.seconds(1_000)
    for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
      let pause = misbehave(on: 7, at: now)
      #expect(pause == .seconds(expected))
      now += pause
    }
    #expect(misbehave(on: 8, at: now + .seconds(599)) == .seconds(60))
    #expect(misbehave(on: 9, at: now + .seconds(599 + 60 + 600)) == .seconds(1))
  }

  @Test func eachLinkIsCountedByItself() {
    var conduct = PeerConduct()
    for link in 1...16 as ClosedRange<UInt64> {
      for _ in 0..<31 { #expect(conduct.note(.refused, confirmsSession: false, on: link, at: .zero) == true) }
    }
    conduct.forget(3)
    #expect(conduct.note(.refused, confirmsSession: false, on: 3, at: .zero) == true)
    #expect(conduct.mayLink(at: .zero))
    #expect(conduct.note(.refused, confirmsSession: false, on: 4, at: .zero) == false)
  }
}

@Suite struct LogThrottleTests {
  private typealias Throttle = LogThrottle<String>

  @Test func theFirstIsToldAtOnceAndTheRestIsCounted() {
    var throttle = Throttle()
    #expect(throttle.admit("a", at: .seconds(10)) == true)
    for second in 10..<60 { #expect(throttle.admit("a", at: .seconds(second)) == false) }
    #expect(throttle.admit("b", at: .seconds(20)) == true, "another kind")
    #expect(throttle.due(at: .seconds(69)) == [])
    #expect(throttle.due(at: .seconds(70)) == [.init(key: "a", count: 50, seconds: 60)])
  }

  @Test func aFloodThatGoesOnIsOneLineAMinute() {
    var throttle = Throttle()
    var (first, reports, counted) = (0, 0, 0)
    for millisecond in 0..<600_000 {
      let now = Duration.milliseconds(millisecond)
      if throttle.admit("a", at: now) { first += 1 }
      guard millisecond % 10_000 == 0 else { continue }
      for repeats in throttle.due(at: now) {
        reports += 1
        counted += repeats.count
      }
    }
    #expect(first == 1 && reports == 9)
    counted += throttle.drain(at: .seconds(600)).reduce(0) { $0 + $1.count }
    #expect(first + counted == 600_000, "each is told or counted")
  }

  @Test func aFloodThatStopsHasItsCountReportedAndTheNextOneIsToldAtOnce() {
    var throttle = Throttle()
    for _ in 0..<1_000 { _ = throttle.admit("a", at: .zero) }
    #expect(throttle.due(at: .seconds(60)) == [.init(key: "a", count: 999, seconds: 60)])
    #expect(throttle.due(at: .seconds(120)) == [])
    #expect(throttle.admit("a", at: .seconds(121)) == true)
  }

  @Test func kindsBeyondTheLimitAreCountedTogether() {
    var throttle = Throttle(capacity: 2)
    #expect(throttle.admit("a", at: .zero) == true)
    #expect(throttle.admit("b", at: .zero) == true)
    for number in 0..<100 { #expect(throttle.admit("c\(number)", at: .zero) == false) }
    #expect(throttle.due(at: .seconds(60)) == [.init(key: nil, count: 100, seconds: 60)])
    #expect(throttle.admit("c", at: .seconds(61)) == true, "quiet kinds make room")
  }
}
