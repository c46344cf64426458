import Testing

@testable import Session

/// Acknowledgements wait for the next commit.
@Suite struct DeferredCommitTests {
  @Test func anEnvelopeCostsOneCommitAtEachEnd() throws {
    var simulator = try Simulator(seed: 920)
    try simulator.pair(joiner: 0)
    for end in 0...1 {
      simulator.flush(end)
      simulator.ends[end].commits = 0
    }
    for number in 0..<50 {
      try simulator.send("\(number)", from: 0)
      try simulator.settle()
    }
    #expect(simulator.ends.map(\.commits) == [50, 50])
    #expect(simulator.ends[0].machine.unacknowledged == 0)
    #expect(simulator.ends[0].store.snapshot.outbox.count == 1, "the last acknowledgement waits")
    simulator.flush(0)
    #expect(simulator.ends[0].store.snapshot.outbox.isEmpty && simulator.ends[0].deferred.isEmpty)
  }

  @Test func aCrashBeforeTheNextCommitCostsAResend() throws {
    var simulator = try Simulator(seed: 921)
    try simulator.pair(joiner: 0)
    try simulator.send("once", from: 0)
    try simulator.settle()
    let stored = simulator.ends[0].store.snapshot.outbox.map(\.envelope)
    try simulator.restart(0)
    try simulator.connect()
    let again = simulator.wire[1].filter { $0[0] == 1 }.map { Array($0.dropFirst(17)) }
    #expect(again == stored && again.count == 1)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["once"])
    try simulator.wait(1)
    simulator.expectHealthy()
    #expect(simulator.ends[0].store.snapshot.outbox.isEmpty)
  }

  @Test func whatCannotBeWrittenWaitsOn() throws {
    let (lower, higher) = try Party.pair(seed: 922)
    let id = try #require(SessionID([UInt8](repeating: 1, count: 16)))
    var acknowledged = SessionCommit(peer: higher.id)
    acknowledged.append(.deleteOutbox(id, try envelopeID(1)))
    var noted = SessionCommit(peer: higher.id)
    noted.append(.putState([1]))
    var deferred = DeferredCommit(peer: higher.id)
    #expect(deferred.add(SessionCommit(peer: higher.id), isDue: true) == nil, "nothing is nothing to write")
    #expect(deferred.add(acknowledged) == nil && !deferred.isEmpty)
    // The disk is full: the copy that gave its changes away is dropped.
    var failed = deferred
    #expect(failed.add(noted)?.changes == acknowledged.changes + noted.changes)
    #expect(failed.isEmpty && !deferred.isEmpty)
    #expect(deferred.add(SessionCommit(peer: higher.id), isDue: true)?.changes == acknowledged.changes)
    #expect(deferred.isEmpty && lower.id != higher.id)
  }

  /// What the other side was told, or the user, never waits.
  @Test func onlyAcknowledgementsWait() throws {
    let party = try Party(seed: 923)
    let id = try #require(SessionID([UInt8](repeating: 1, count: 16)))
    let name = try envelopeID(1)
    let urgent: [SessionChange] = [
      .deleteSession(id), .deleteOutboxes(id), .putReceived(id, name, at: 1), .trimReceived(id, keep: 0), .deletePair(1),
      .deleteReplays(expiredAt: 1), .deleteHeldBundle, .putState([]),
    ]
    for change in urgent {
      var commit = SessionCommit(peer: party.id)
      commit.append(.deleteOutbox(id, name))
      #expect(commit.canWait)
      commit.append(change)
      #expect(!commit.canWait)
    }
  }
}
