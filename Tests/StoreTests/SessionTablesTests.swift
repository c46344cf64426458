import Primitives
import Testing

@testable import Session
@testable import Store

func session(_ byte: UInt8) -> SessionID { SessionID([UInt8](repeating: byte, count: 16))! }

/// The name of an envelope that nobody has sealed.
func envelopeID(_ byte: UInt8) -> EnvelopeID { EnvelopeID([UInt8](repeating: byte, count: 16))! }

func commit(_ peer: UInt8, _ changes: [SessionChange]) -> SessionCommit {
  var commit = SessionCommit(peer: node(peer))
  for change in changes { commit.append(change) }
  return commit
}

/// A secret row of these bytes, wherever it is put.
func secret(_ bytes: [UInt8]) -> StoredSecret { StoredSecret(.prekeys(0)) { $0.append(bytes) } }

/// What ``secret(_:)`` sealed.
func opened(_ sealed: [UInt8]) throws -> [UInt8] {
  let opened = try SecretPlace.prekeys(0).open(sealed, with: testKey)
  return [UInt8](copying: opened.span)
}

@Suite struct SessionTablesTests {
  private func envelope(_ byte: UInt8) -> [UInt8] { pattern(30, seed: byte) }
  private func name(_ byte: UInt8) -> EnvelopeID { envelopeID(byte) }
  private func entry(_ sequence: UInt64, _ byte: UInt8) -> OutboxEntry {
    OutboxEntry(session: session(1), sequence: sequence, id: name(byte), envelope: envelope(byte))
  }

  @Test func aPeersStateComesBackWholeAndInOrder() async throws {
    let state = try State()
    try await state.pair(1)
    let replay = ReplayEntry(hash: digest(3), session: session(1), expires: 50)
    try await state.database.apply([
      commit(
        1,
        [
          .putSession(session(2), secret([2])), .putSession(session(1), secret([1])), .putOutbox(entry(2, 2)),
          .putOutbox(entry(1, 1)),
          .putReceived(session(1), name(9), at: 1), .putReceived(session(1), name(8), at: 1), .putPair(70_000, secret([7])),
          .putReplay(replay), .putState([5]),
        ])
    ])
    let snapshot = try #require(try await state.killed().loadPeer(node(1)))
    #expect(snapshot.peer == [1, 1, 2])
    #expect(Set(snapshot.sessions.map(\.id)) == [session(1), session(2)])
    #expect(snapshot.outbox == [entry(1, 1), entry(2, 2)])
    #expect(snapshot.received.map(\.envelope) == [name(9), name(8)])
    #expect(snapshot.pairs.map(\.id) == [70_000])
    #expect(try snapshot.pairs.map { try opened($0.bytes) } == [[7]])
    #expect(snapshot.replays == [replay])
    #expect(snapshot.state == [5])
    await state.database.close()
  }

  @Test func laterChangesReplaceAndDelete() async throws {
    let state = try State()
    try await state.pair(1)
    try await state.database.apply([
      commit(
        1,
        [
          .putSession(session(1), secret([1])), .putSession(session(2), secret([2])), .putOutbox(entry(1, 1)),
          .putOutbox(entry(2, 2)),
          .putPair(1, secret([1])),
          .putPair(2, secret([2])), .putState([1]), .putReplay(ReplayEntry(hash: digest(1), session: session(1), expires: 10)),
          .putReplay(ReplayEntry(hash: digest(2), session: session(1), expires: 11)),
          .putReceived(session(1), name(1), at: 1), .putReceived(session(1), name(2), at: 2),
          .putReceived(session(1), name(3), at: 3),
          .putReceived(session(2), name(1), at: 3),
        ])
    ])
    try await state.database.apply([
      commit(
        1,
        [
          .putSession(session(1), secret([9])), .deleteSession(session(2)), .deleteOutbox(session(1), name(1)), .deletePair(2),
          .putPair(1, secret([8])),
          .putState([7]), .deleteReplays(expiredAt: 10), .trimReceived(session(1), keep: 2),
          .putReceived(session(1), name(3), at: 9),
        ])
    ])
    var snapshot = try #require(try await state.database.loadPeer(node(1)))
    #expect(snapshot.sessions.map(\.id) == [session(1)])
    #expect(try snapshot.sessions.map { try opened($0.bytes) } == [[9]])
    #expect(snapshot.outbox == [entry(2, 2)])
    #expect(snapshot.pairs.map(\.id) == [1])
    #expect(try snapshot.pairs.map { try opened($0.bytes) } == [[8]])
    #expect(snapshot.state == [7])
    #expect(snapshot.replays.map(\.hash) == [digest(2)])
    #expect(snapshot.received.filter { $0.session == session(1) }.map(\.envelope) == [name(2), name(3)])
    #expect(snapshot.received.filter { $0.session == session(2) }.count == 1)
    try await state.database.apply([commit(1, [.deleteOutboxes(session(1)), .trimReceived(session(1), keep: 0)])])
    snapshot = try #require(try await state.database.loadPeer(node(1)))
    #expect(snapshot.outbox.isEmpty)
    #expect(snapshot.received.map(\.session) == [session(2)])
    await state.database.close()
  }

  @Test func aHeldBundleIsThePeersAndThereIsOne() async throws {
    let state = try State()
    try await state.pair(1, alias: "a")
    try await state.pair(2, alias: "b")
    try await state.database.apply([commit(1, [.putHeldBundle([1])]), commit(2, [.putHeldBundle([2])])])
    try await state.database.apply([commit(1, [.putHeldBundle([3, 4])])])
    #expect(try await state.database.loadPeer(node(1))?.held == [3, 4])
    #expect(try await state.database.loadPeer(node(2))?.held == [2])
    try await state.database.apply([commit(1, [.deleteHeldBundle]), commit(2, [.putState([1])])])
    #expect(try await state.database.loadPeer(node(1))?.held == nil)
    // It goes with its peer, and does not come back with another pairing.
    _ = try await state.database.revoke(node(2))
    try await state.pair(2, alias: "b")
    #expect(try await state.database.loadPeer(node(2))?.held == nil)
    await state.database.close()
  }

  @Test func commitsOfSeveralPeersAreOneTransaction() async throws {
    let state = try State()
    try await state.pair(1, alias: "a")
    try await state.pair(2, alias: "b")
    try await state.database.apply([commit(1, [.putState([1])]), commit(2, [.putState([2])])])
    #expect(try await state.database.loadPeer(node(2))?.state == [2])
    let result = await code {
      try await state.database.apply([commit(1, [.putState([9])]), commit(3, [.putState([3])])])
    }
    #expect(result == .unknownPeer)
    #expect(try await state.database.loadPeer(node(1))?.state == [1])
    await state.database.close()
  }

  @Test func aRevokedPeersLateCommitWritesNothing() async throws {
    let state = try State()
    try await state.pair(1)
    _ = try await state.database.revoke(node(1))
    #expect(await code { try await state.database.apply([commit(1, [.putSession(session(1), secret([1]))])]) } == .unknownPeer)
    await state.database.close()
  }

  @Test func deletedKeysLeaveTheDiskAtOnce() async throws {
    let state = try State()
    try await state.pair(1)
    let key = noise(64, 77)
    let other = noise(64, 78)
    try await state.database.apply([commit(1, [.putPair(1, secret(key)), .putSession(session(1), secret(other))])])
    #expect(try !state.holds(key) && !state.holds(other), "keys lie on the disk sealed or not at all")
    let rows = try #require(try await state.database.loadPeer(node(1)))
    let (pair, session) = (try #require(rows.pairs.first).bytes, try #require(rows.sessions.first))
    #expect(try state.holds(pair) && state.holds(session.bytes))
    try await state.database.apply([commit(1, [.deletePair(1)])])
    #expect(try !state.holds(pair) && state.holds(session.bytes))
    try await state.database.apply([commit(1, [.deleteSession(session.id)])])
    #expect(try !state.holds(session.bytes))
    await state.database.close()
  }

  @Test func overwrittenRatchetStateLeavesTheDiskWithTheNextCheckpoint() async throws {
    let state = try State()
    try await state.pair(1)
    let id = session(1)
    func put(_ bytes: [UInt8]) async throws -> [UInt8] {
      try await state.database.apply([commit(1, [.putSession(id, secret(bytes))])])
      return try #require(try await state.database.loadPeer(node(1))?.sessions.first).bytes
    }
    let old = try await put(noise(9_000, 11))
    #expect(try state.holds(Array(old[..<64])))
    _ = try await put(noise(9_000, 12))
    try await state.database.maintain()
    #expect(try !state.holds(Array(old[..<64])))
    #expect(try !state.holds(Array(old[8_900...])))
    // Without the timer, too: by the number of commits.
    let early = try await put(noise(200, 13))
    for round in 0..<Database.commitsPerCheckpoint { _ = try await put(noise(200, UInt8(100 + round))) }
    #expect(try !state.holds(early))
    await state.database.close()
  }

  @Test func signedPrekeysAreTheNodesOwn() async throws {
    let state = try State()
    var put = PrekeyCommit()
    put.put = [2: secret(noise(64, 44)), 1: secret([1])]
    try await state.database.apply([], prekeys: put)
    let rows = try await state.database.loadPrekeys()
    #expect(rows.map(\.id) == [1, 2])
    #expect(try opened(rows[1].bytes) == noise(64, 44))
    #expect(try state.holds(rows[1].bytes))
    var delete = PrekeyCommit()
    delete.delete = [2]
    try await state.database.apply([], prekeys: delete)
    #expect(try await state.database.loadPrekeys() == [rows[0]])
    #expect(try !state.holds(rows[1].bytes))
    await state.database.close()
  }
}
