import Primitives
import Testing
import Wire

@testable import Session

/// What a user is told of what repaired itself.
@Suite(.timeLimit(.minutes(5))) struct TroubleTests {
  private func kinds(_ simulator: Simulator) -> [[PeerTrouble.Kind]] {
    simulator.ends.map { $0.machine.troubles(at: simulator.now).map(\.kind) }
  }

  @Test(arguments: [0, 1])
  func aRollbackIsToldOnBothSidesUntilAWeekAfterItHealed(_ end: Int) throws {
    var simulator = try Simulator(seed: 650)
    try simulator.pair(joiner: 0)
    let backup = simulator.ends[end].store
    try simulator.send("a", from: end)
    try simulator.send("b", from: 1 - end)
    try simulator.settle()
    simulator.ends[end].store = backup
    simulator.isRolledBack = true
    try simulator.restart(end)
    simulator.now += 100
    let noticed = simulator.now
    try simulator.connect()
    // COUNTERS each way, and the RESET that follows.
    try simulator.deliver(to: end)
    while simulator.ends[1 - end].machine.troubles(at: simulator.now).isEmpty, try simulator.deliver(to: 1 - end) {}
    #expect(kinds(simulator)[end] == [.rollback] && kinds(simulator)[1 - end] == [.peerRollback])
    #expect(simulator.ends[end].machine.troubles(at: simulator.now).map(\.healed) == [0])
    // Nobody knows any more which one-time pairs were used.
    #expect(simulator.ends[end].machine.pairs.isEmpty && simulator.ends[end].machine.held == nil)
    #expect(simulator.ends[end].store.snapshot.pairs.isEmpty && simulator.ends[end].store.snapshot.held == nil)
    #expect(simulator.ends[1 - end].machine.held == nil)
    try simulator.settle()
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
    for side in 0...1 {
      try simulator.restart(side)
      let told = simulator.ends[side].machine.troubles(at: simulator.now)
      #expect(told.count == 1 && told.allSatisfy { $0.at == noticed && $0.healed >= noticed && $0.healed <= simulator.now })
      let healed = try #require(told.first).healed
      #expect(simulator.ends[side].machine.troubles(at: healed + 7 * day - 1).count == 1)
      #expect(simulator.ends[side].machine.troubles(at: healed + 7 * day).isEmpty)
    }
    // Whole new batches came with the fresh session, and what has been told of is forgotten.
    #expect(simulator.ends.allSatisfy { $0.machine.held?.used == [] })
    try simulator.connect()
    try simulator.settle()
    try simulator.wait(7 * day)
    #expect(simulator.ends.allSatisfy { $0.machine.book.troubles.list.isEmpty })
  }

  @Test func aClonedStateThatComesBackAfterItsTwinIsRepaired() throws {
    var simulator = try Simulator(seed: 651)
    try simulator.pair(joiner: 0)
    let copy = simulator.ends[0].store
    try simulator.send("first", from: 0)
    try simulator.settle()
    let first = simulator.ends[0].store
    for (store, text) in [(copy, "second"), (first, "first again")] {
      simulator.ends[0].store = store
      simulator.isRolledBack = true
      try simulator.restart(0)
      simulator.now += 100
      try simulator.connect()
      try simulator.settle()
      try simulator.wait(61)
      try simulator.wait(61)
      try simulator.send(text, from: 0)
      try simulator.settle()
      try simulator.wait(61)
      try simulator.wait(61)
      simulator.expectHealthy()
      #expect(simulator.ends[1].texts.last == text)
      #expect(!kinds(simulator)[0].isEmpty)
      #expect(simulator.ends.allSatisfy { $0.machine.troubles(at: simulator.now).allSatisfy { $0.healed != 0 } })
    }
    #expect(kinds(simulator)[1].contains(.peerRollback))
  }

  @Test func aSessionThatNoLongerOpensIsRepairedByItselfAndSaid() throws {
    var simulator = try Simulator(seed: 653)
    try simulator.pair(joiner: 0)
    simulator.now += 100
    let id = try #require(simulator.ends[1].machine.currentSession)
    for number in 0..<3 {
      try simulator.step(1) { try $0.receive(.envelope(id, [UInt8](repeating: UInt8(number), count: 900)), at: $1) }
    }
    #expect(kinds(simulator) == [[], [.lost]])
    try simulator.settle()
    simulator.expectHealthy()
    #expect(simulator.ends[0].machine.currentSession != id)
    #expect(kinds(simulator) == [[.reset], [.lost]])
    for end in simulator.ends { #expect(end.machine.troubles(at: simulator.now).allSatisfy { $0.healed == simulator.now }) }
  }

  @Test func ordinaryLifeIsNoTrouble() throws {
    var simulator = try Simulator(seed: 652)
    try simulator.pair(joiner: 1)
    for number in 0..<20 {
      try simulator.send("\(number)", from: number % 2)
      if number % 3 == 0 { simulator.cut() }
      if number % 5 == 0 { try simulator.restart(number % 2) }
      simulator.now += day
      for end in 0...1 { try simulator.refreshPrekeys(end) }
      try simulator.connect()
      try simulator.settle()
      try simulator.wait(10)
    }
    simulator.expectHealthy()
    #expect(kinds(simulator) == [[], []])
  }

  @Test func oneTroubleIsToldOnceAndWhatItBringsAlongIsPartOfIt() {
    var troubles = PeerTroubles()
    var changes = [troubles.note(.rollback, at: 10), troubles.note(.rollback, at: 11), troubles.note(.lost, at: 12)]
    changes += [troubles.note(.reset, at: 13), troubles.note(.fallback, at: 14), troubles.heal(at: 20), troubles.heal(at: 21)]
    #expect(changes == [true, false, false, false, true, true, false])
    #expect(troubles.list.map(\.kind) == [.rollback, .fallback] && troubles.list.map(\.healed) == [20, 20])
    changes = [troubles.note(.lost, at: 30), troubles.heal(at: 31, butOldStates: true)]
    changes += [troubles.note(.peerRollback, at: 32), troubles.heal(at: 33, butOldStates: true)]
    #expect(changes == [true, true, true, false])
    #expect(troubles.list.last?.healed == 0)
    for number in 0..<40 {
      _ = troubles.note(.reset, at: 100 + UInt64(number))
      _ = troubles.heal(at: 100 + UInt64(number))
    }
    #expect(troubles.list.count == PeerTroubles.maximumCount)
    #expect(troubles.list.last?.at == 139)
  }

  @Test func bookkeepingOfOlderVersionsIsRead() throws {
    var book = PeerBook()
    book.resetSent = 7
    book.started = 8
    book.retired = [try #require(SessionID([UInt8](repeating: 3, count: 16)))]
    let stored = book.stored
    // Version 1 ended before the batch and the troubles, version 2 before the newest bundle.
    let first = [1] + stored.dropFirst().dropLast(2 + 24)
    let read = try PeerBook(stored: first)
    #expect(read == book)
    #expect(try PeerBook(stored: [2] + stored.dropFirst().dropLast(24)) == book)
    book.lost.note(3, at: 11)
    book.lost.noteRequeued(2)
    _ = book.troubles.note(.rollback, at: 9)
    book.batch = HandedBatch(
      issued: 5, generation: 6, session: book.retired[0], envelope: try envelopeID(1), pairs: [1, 2, 3])
    let again = try PeerBook(stored: book.stored)
    #expect(again == book)
    book.disowned = book.retired
    book.hello = PendingHello(session: book.retired[0], sequence: 1, payload: Array(repeating: 7, count: 4_096))
    #expect(try PeerBook(stored: book.stored) == book)
    let bytes = book.stored
    for cut in 0..<bytes.count { #expect(throws: SessionError(.corruptState)) { try PeerBook(stored: Array(bytes[..<cut])) } }
    #expect(throws: SessionError(.corruptState)) { try PeerBook(stored: bytes + [0]) }
    #expect(throws: SessionError(.corruptState)) { try PeerBook(stored: [4] + bytes.dropFirst()) }
  }
}
