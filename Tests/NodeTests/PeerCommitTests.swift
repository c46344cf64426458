import Testing

@testable import Node
@testable import Session
@testable import Store

/// What waits for the store, and for how long.
@Suite(.timeLimit(.minutes(2))) struct PeerCommitTests {
  /// An envelope of no session that there is, put into the outbox and acknowledged.
  private struct Errand {
    let put: SessionCommit
    let acknowledged: SessionCommit
    let envelope: EnvelopeID

    init(_ peer: NodeID) throws {
      let session = try #require(SessionID([UInt8](repeating: 1, count: 16)))
      envelope = try #require(EnvelopeID([UInt8](repeating: 2, count: 16)))
      var put = SessionCommit(peer: peer)
      put.append(.putOutbox(OutboxEntry(session: session, sequence: 1, id: envelope, envelope: [3])))
      var acknowledged = SessionCommit(peer: peer)
      acknowledged.append(.deleteOutbox(session, envelope))
      (self.put, self.acknowledged) = (put, acknowledged)
    }

    func isStored(in node: RunningNode, of peer: NodeID) async throws -> Bool {
      try await node.node.context.database.loadPeer(peer)?.outbox.contains { $0.id == envelope } ?? false
    }
  }

  private func quiet(_ house: House) async throws -> (studio: RunningNode, peer: Peer) {
    let studio = try await house.start("studio")
    let laptop = try await house.start("laptop")
    try await house.pair(studio, laptop)
    try await studio.ready(for: "laptop")
    let peer = try await studio.node.peer(alias: "laptop")
    try await eventually("nothing is under way", on: house.loop) { await peer.machine.unacknowledged == 0 }
    await laptop.stop()
    try await eventually("nothing waits", on: house.loop) {
      let (isLinked, isIdle) = await (peer.isLinked, peer.deferred.isEmpty)
      return !isLinked && isIdle
    }
    return (studio, peer)
  }

  @Test func anAcknowledgementThatWaitsIsWrittenAtTheEnd() async throws {
    try await withHouse { house in
      let (studio, peer) = try await quiet(house)
      let errand = try Errand(peer.id)
      try await peer.commit(errand.put)
      #expect(try await errand.isStored(in: studio, of: peer.id))
      try await peer.commit(errand.acknowledged)
      await studio.stop()
      let again = try await house.start("studio", port: studio.port)
      let isStored = try await errand.isStored(in: again, of: peer.id)
      #expect(!isStored)
    }
  }

  @Test func aCommitThatFailsDropsNeitherNewPrekeysNorANewGreeting() async throws {
    try await withHouse { house in
      let (studio, peer) = try await quiet(house)
      let database = studio.node.context.database
      var ring = await studio.node.prekeys
      _ = ring.refresh(at: studio.node.context.now + 40 * 86_400, crypto: .system)
      let old = await peer.machine.prekeys.generations.last?.id
      #expect(ring.generations.last?.id != old)
      _ = try await database.number("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
      let refused = Promise<NodeError>()
      await peer.postTogether(ring, hello: [1, 2, 3], payload: Array(#"{"type":"turned"}"#.utf8)) {
        refused.settle(.success($0))
      }
      #expect(try await refused.value().code == .failed)
      try await eventually("the step is over", on: house.loop) { await peer.commitFailure != nil }
      #expect(await peer.machine.prekeys.generations.last?.id == ring.generations.last?.id)
      #expect(await peer.machine.hello == [1, 2, 3])
      #expect(await peer.greeting.isOwed, "it is said as soon as it can be")
      _ = try await database.number("DROP TRIGGER full")
    }
  }

  @Test func anAcknowledgementIsWrittenByItselfIfNothingElseIs() async throws {
    try await withHouse { house in
      let (studio, peer) = try await quiet(house)
      let errand = try Errand(peer.id)
      try await peer.commit(errand.put)
      try await peer.commit(errand.acknowledged)
      try await eventually("it is gone", on: house.loop) { try await !errand.isStored(in: studio, of: peer.id) }
      #expect(await peer.deferred.isEmpty)
    }
  }
}

extension Peer {
  /// Queued without a step in between, so that all of it shares one commit.
  fileprivate func postTogether(
    _ ring: PrekeyRing, hello: [UInt8], payload: [UInt8], refused: @escaping @Sendable (NodeError) -> Void
  ) {
    adopt(ring)
    adopt(hello: hello)
    send(payload, refused: refused)
  }
}
