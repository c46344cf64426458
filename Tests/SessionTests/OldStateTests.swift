import Primitives
import Testing
import Wire

@testable import Session

/// States that were put back, in the ways that are hardest to notice; and peers and clocks that make use of repair.
@Suite struct OldStateTests {
  /// The restored side says as many messages as it had said since the copy, before it reads the peer's COUNTERS: the numbers are equal.
  @Test(arguments: [1, 2], [false, true])
  func aStateThatSaysAsMuchAsItHasForgottenIsNoticed(_ count: Int, _ isApart: Bool) throws {
    var simulator = try Simulator(seed: 960)
    try simulator.pair(joiner: 0)
    try simulator.send("first", from: 0)
    try simulator.settle()
    simulator.flush(0)
    let backup = simulator.ends[0].store
    for number in 0..<count { try simulator.send("before \(number)", from: 0) }
    try simulator.settle()
    let old = try #require(simulator.ends[0].machine.currentSession)
    simulator.ends[0].store = backup
    simulator.isRolledBack = true
    simulator.now += 100
    try simulator.restart(0)
    if isApart { for number in 0..<count { try simulator.send("after \(number)", from: 0) } }
    try simulator.connect()
    if !isApart { for number in 0..<count { try simulator.send("after \(number)", from: 0) } }
    try simulator.settle()
    _ = try simulator.live(seconds: 120)
    let (isHealed, session) = (simulator.isHealed, simulator.ends[0].machine.currentSession)
    #expect(isHealed && session != old)
    let texts = Set(simulator.ends[1].texts)
    #expect(texts.isSuperset(of: (0..<count).map { "after \($0)" }), "\(texts)")
    #expect(simulator.ends[0].machine.troubles(at: simulator.now).map(\.kind) == [.rollback])
  }

  /// Who asked for a fresh session has messages under way in the old one, which its peer gives up without a word.
  ///
  /// Where the first link is cut before anything is read, the old state has said as much by the second as it had forgotten: what does not
  /// open brings the RESET.
  @Test(arguments: [0, 1], [false, true])
  func whatTheAskingSideHadUnderWayGoesOutInTheFreshSession(_ end: Int, _ isCut: Bool) throws {
    let other = 1 - end
    var simulator = try Simulator(seed: 961)
    try simulator.pair(joiner: 0)
    for (text, from) in [("ping", other), ("pong", end), ("ping", other)] {
      try simulator.send(text, from: from)
      try simulator.settle()
    }
    let backup = simulator.ends[end].store
    try simulator.send("forgotten", from: end)
    while try simulator.deliver(to: other) {}
    simulator.cut()
    for text in ["one", "two"] { try simulator.send(text, from: other) }
    simulator.ends[end].store = backup
    simulator.isRolledBack = true
    simulator.now += 100
    try simulator.restart(end)
    for number in 0..<3 { try simulator.send("x\(number)", from: end) }
    if isCut { try simulator.connect() }
    try simulator.connect()
    try simulator.settle()
    _ = try simulator.live(seconds: 120)
    let isHealed = simulator.isHealed
    #expect(isHealed)
    #expect(Set(simulator.ends[end].texts).isSuperset(of: ["one", "two"]))
  }

  /// A hostile peer takes every start, and then claims to have seen more than was ever said.
  @Test func aPeerThatSpoilsEverySessionIsNotAnsweredWithoutEnd() throws {
    var simulator = try Simulator(seed: 962)
    try simulator.pair(joiner: 1)
    let before = simulator.startedSessions
    for _ in 0..<40 {
      simulator.ends[1].machine.bundleBudget = Budget(capacity: 8, refillSeconds: 10)
      guard let id = simulator.ends[0].machine.sessions.last?.id else { break }
      let lie = SessionCounters(session: id, committed: 0, seen: .max)
      simulator.wire[0].append(LinkFrame.counters([lie]).encoded)
      try simulator.settle()
    }
    #expect(simulator.startedSessions - before <= 6)
  }

  @Test func whatWasMadeWhileTheClockWasAheadIsReplacedOnceItIsRight() throws {
    let crypto = SessionCrypto(randomness: .seeded(963))
    var ring = PrekeyRing()
    _ = ring.refresh(at: epoch + 365 * day, crypto: crypto)
    let ahead = try ring.current().id
    _ = ring.refresh(at: epoch, crypto: crypto)
    #expect(try ring.current().id != ahead)
    var budget = Budget(capacity: 1, refillSeconds: 10)
    let spent = [epoch + day, epoch, epoch + 9, epoch + 10].map { budget.spend(at: $0) }
    #expect(spent == [true, false, false, true])
    var simulator = try Simulator(seed: 963)
    simulator.now += 300 * day
    for end in 0...1 { try simulator.refreshPrekeys(end) }
    try simulator.pair(joiner: 0)
    let old = simulator.ends[0].machine.currentSession
    simulator.now -= 300 * day
    for end in 0...1 { try simulator.refreshPrekeys(end) }
    try simulator.connect()
    _ = try simulator.live(seconds: 60)
    let session = simulator.ends[0].machine.currentSession
    #expect(session != old && session != nil)
  }

  /// Two links come up together: what goes out on the one may be seen before the COUNTERS of the other are written.
  @Test func countersOfALinkBesideAnotherAccuseNobody() throws {
    var simulator = try Simulator(seed: 964)
    try simulator.pair(joiner: 0)
    simulator.flush(0)
    try simulator.restart(0)
    for link in [UInt64(81), 82] { try simulator.step(0) { try $0.linkUp(link, at: $1) } }
    try simulator.send("fast", from: 0)
    let session = try #require(simulator.ends[0].machine.sessions.last)
    let counters = SessionCounters(session: session.id, committed: session.seen, seen: session.committed)
    try simulator.step(0) { try $0.receive(.counters([counters]), on: 81, at: $1) }
    #expect(simulator.ends[0].machine.health == .healthy)
  }
}
