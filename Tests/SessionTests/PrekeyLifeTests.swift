import Primitives
import Testing
import Wire

@testable import Session

/// Private halves live exactly as long as anybody may honestly use them.
@Suite(.timeLimit(.minutes(5))) struct PrekeyLifeTests {
  /// The last bundle before a rotation, used in its last second by a starter whose clock is an hour wrong.
  @Test(arguments: [-3_600, 3_600])
  func theLastBundleOfAGenerationWorksToItsLastSecondOnAnyClock(_ skew: Int) throws {
    var (a, b) = try Party.pair(seed: 640)
    let issued = epoch + 7 * day - 1
    #expect(b.prekeys.refresh(at: issued, crypto: b.crypto).isEmpty)
    for pairs in 0...1 {
      var machine = b.machine(for: a.record)
      let (bundle, minted) = try b.bundle(for: a.id, pairs: pairs, at: issued)
      machine.pairs = minted
      #expect(bundle.expires == issued + 30 * day)
      let last = bundle.expires + 3_599
      let theirs = UInt64(Int(last) + skew)
      for time in stride(from: issued, through: theirs, by: Int(day)) {
        _ = b.prekeys.refresh(at: time, crypto: b.crypto)
        machine.prekeys = b.prekeys
        _ = try machine.tick(at: time)
      }
      _ = b.prekeys.refresh(at: theirs, crypto: b.crypto)
      machine.prekeys = b.prekeys
      _ = try machine.tick(at: theirs)
      try bundle.verify(owner: b.record, addressee: a.id, at: last)
      _ = a.prekeys.refresh(at: last, crypto: a.crypto)
      var starter = a.machine(for: b.record)
      _ = try starter.start(with: bundle, at: last)
      let frame = try #require(starter.undelivered.first)
      let outcome = try machine.receive(frame, at: theirs)
      #expect(machine.sessions.count == 1, "\(outcome.events)")
    }
  }

  @Test func aBundleNeverOutlivesThePrekeysItNamesHoweverLateTheyAreReplaced() throws {
    let (a, b) = try Party.pair(seed: 641)
    for age in [0, 7 * day, 20 * day, 37 * day] {
      let bundle = try b.bundle(for: a.id, at: epoch + age).bundle
      #expect(bundle.expires == epoch + min(age + 30 * day, 37 * day))
      #expect(bundle.expires + 2 * 3_600 <= (try b.prekeys.current()).dies)
    }
    #expect(throws: SessionError(.unknownPrekey)) { _ = try b.bundle(for: a.id, at: epoch + 37 * day + 1) }
  }

  @Test func aUsedPairGoesInTheTransactionThatUsesIt() throws {
    var simulator = try Simulator(seed: 642)
    try simulator.pair(joiner: 0)
    for end in 0...1 { try simulator.loseSessions(end) }
    try simulator.step(0) { try $0.startOffline(at: $1) }
    let frame = try #require(simulator.ends[0].machine.undelivered.first)
    let id = try #require(simulator.ends[0].machine.held?.used.first)
    var machine = simulator.ends[1].machine
    let outcome = try machine.receive(frame, at: simulator.now)
    let session = try #require(machine.sessions.first?.id)
    let changes = outcome.commit.changes
    #expect(changes.contains { if case .deletePair(id) = $0 { true } else { false } })
    #expect(changes.contains { if case .putSession(session, _) = $0 { true } else { false } })
    #expect(changes.contains { if case .putReplay(let entry) = $0 { entry.session == session } else { false } })
    #expect(machine.pairs.allSatisfy { $0.id != id })
    // At the starter the use of the pair and the session are one, too.
    var starter = try simulator.machineAfterLoss(0)
    let start = try starter.startOffline(at: simulator.now).commit.changes
    #expect(start.contains { if case .putHeldBundle = $0 { true } else { false } })
    #expect(start.contains { if case .putSession = $0 { true } else { false } })
    #expect(start.contains { if case .putOutbox = $0 { true } else { false } })
  }

  /// A node that was off for forty days: the first tick, before any link, has everything gone in one transaction.
  @Test func whatDiedWhileANodeWasOffGoesWithTheFirstTick() throws {
    var simulator = try Simulator(seed: 643)
    try simulator.pair(joiner: 0)
    let (_, minted) = try simulator.ends[1].machine.pairingBundle(at: simulator.now)
    simulator.ends[1].store.apply(minted)
    let before = simulator.ends[1].store.snapshot
    #expect(before.pairs.count == 17 && before.held != nil && !before.replays.isEmpty)
    for (days, left) in [(29, 17), (40, 0)] {
      simulator.ends[1].store.damage { $0 = before }
      try simulator.restart(1)
      let now = epoch + UInt64(days) * day
      var ring = simulator.ends[1].party.prekeys
      let old = try ring.current().id
      let rotation = ring.refresh(at: now, crypto: simulator.ends[1].party.crypto)
      #expect(rotation.put.count == 1)
      #expect(rotation.delete == (left == 0 ? [old] : []))
      var machine = simulator.ends[1].machine
      machine.prekeys = ring
      let outcome = try machine.tick(at: now)
      var store = simulator.ends[1].store
      store.apply(outcome.commit)
      #expect(store.snapshot.pairs.count == left && machine.pairs.count == left)
      #expect((store.snapshot.held == nil) == (left == 0))
      #expect(store.snapshot.replays.isEmpty == (left == 0))
      #expect(outcome.frames.isEmpty)
    }
  }

  @Test func pairsDieThirtyDaysAndTwoHoursAfterTheyWereLastListed() throws {
    var simulator = try Simulator(seed: 644)
    try simulator.pair(joiner: 0)
    let ids = Set(simulator.ends[1].machine.pairs.map(\.id))
    simulator.cut()
    let dies = epoch + 30 * day + 7_200
    simulator.now = dies - 1
    try simulator.refreshPrekeys(1)
    try simulator.step(1) { try $0.tick(at: $1) }
    #expect(Set(simulator.ends[1].store.snapshot.pairs.map(\.id)) == ids)
    simulator.now = dies
    try simulator.step(1) { try $0.tick(at: $1) }
    #expect(simulator.ends[1].store.snapshot.pairs.isEmpty)
  }
}

extension Simulator {
  /// The machine of an end as it would be had it lost its sessions.
  func machineAfterLoss(_ end: Int) throws -> PeerMachine {
    var copy = self
    try copy.loseSessions(end)
    return copy.ends[end].machine
  }
}
