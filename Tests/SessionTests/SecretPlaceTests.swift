import Primitives
import Synchronization
import Testing

@testable import Session

@Suite struct SecretPlaceTests {
  private let other = StateKey.random(.seeded(2))

  /// A conversation's rows at one end, with the machine they belong to.
  private func end() throws -> Simulator.End {
    var simulator = try Simulator(seed: 510)
    try simulator.pair(joiner: 0)
    // An unused pair as well.
    let (_, commit) = try simulator.ends[0].machine.pairingBundle(at: epoch)
    simulator.ends[0].store.apply(commit)
    return simulator.ends[0]
  }

  private func machine(_ end: Simulator.End, _ snapshot: PeerSnapshot, key: StateKey = stateKey) throws -> PeerMachine {
    try PeerMachine(
      identity: end.party.identity, snapshot: snapshot, prekeys: end.party.prekeys, hello: end.machine.hello,
      crypto: end.party.crypto, key: key)
  }

  @Test func whatTheStoreKeepsOpensOnlyUnderItsKey() throws {
    let end = try end()
    let snapshot = end.store.snapshot
    #expect(snapshot.sessions.count == 1 && snapshot.pairs.count == 17)
    #expect(try machine(end, snapshot).currentSession == end.machine.currentSession)
    #expect(throws: SessionError(.wrongStateKey)) { _ = try machine(end, snapshot, key: other) }
    var pairsOnly = snapshot
    pairsOnly.sessions = []
    #expect(throws: SessionError(.wrongStateKey)) { _ = try machine(end, pairsOnly, key: other) }
  }

  @Test func noKeyOfASessionLiesInItsRow() throws {
    let end = try end()
    let row = try #require(end.store.snapshot.sessions.first)
    let plain = try Session(row, of: end.machine.peer.id).storedBytes
    #expect(row.bytes.count == plain.count + StateKey.overheadBytes)
    let windows = row.bytes.windows(of: 16)
    #expect(stride(from: 0, through: plain.count - 16, by: 16).allSatisfy { !windows.contains(plain[$0..<$0 + 16]) })
  }

  @Test func rowsCannotBeSwappedMovedOrDamaged() throws {
    let end = try end()
    let row = try #require(end.store.snapshot.sessions.first)
    let id = try #require(SessionID([UInt8](repeating: 9, count: 16)))
    var moved = end.store.snapshot
    moved.sessions = [StoredSession(id: id, bytes: row.bytes)]
    #expect(throws: SessionError(.corruptState)) { _ = try machine(end, moved) }
    var damaged = row.bytes
    damaged[damaged.count - 1] ^= 1
    moved.sessions = [StoredSession(id: row.id, bytes: damaged)]
    #expect(throws: SessionError(.corruptState)) { _ = try machine(end, moved) }
    moved.sessions = []
    let pair = try #require(moved.pairs.first)
    moved.pairs = [StoredBlob(id: pair.id ^ 1, bytes: pair.bytes)]
    #expect(throws: SessionError(.corruptState)) { _ = try machine(end, moved) }
    // The same ids at another peer.
    let stranger = try Party(seed: 511)
    moved = end.store.snapshot
    moved.peer = stranger.record.bytes
    #expect(throws: SessionError(.corruptState)) { _ = try machine(end, moved) }
  }

  @Test func everyPlaceHasAContextOfItsOwn() throws {
    let (a, b) = (try Party(seed: 512).id, try Party(seed: 513).id)
    let (one, two) = (try #require(SessionID([UInt8](repeating: 1, count: 16))), SessionID.none)
    let places: [SecretPlace] = [
      .session(one, of: a), .session(two, of: a), .session(one, of: b), .pair(1, of: a), .pair(2, of: a), .pair(1, of: b),
      .prekeys(1), .prekeys(2),
    ]
    #expect(Set(places.map(\.context)).count == places.count)
    for place in places {
      let sealed = StoredSecret(place) { $0.append([7]) }.sealed(with: stateKey)
      for other in places where other != place {
        #expect(throws: SessionError(.corruptState)) { _ = try other.open(sealed, with: stateKey).count }
      }
    }
  }

  @Test func rowsAreResealedFromUnsealedAndFromAnotherKey() throws {
    let place = SecretPlace.prekeys(3)
    let unsealed: [UInt8] = [1, 2, 3]
    let first = try place.reseal(unsealed, from: nil, to: stateKey)
    let second = try place.reseal(first, from: stateKey, to: other)
    let opened = try place.open(second, with: other)
    #expect(opened.isEqual(to: unsealed.span) == true)
    #expect(throws: SessionError(.wrongStateKey)) { _ = try place.open(second, with: stateKey).count }
    // What is sealed already, or is nothing a version wrote, does not pass for unsealed.
    for bad in [first, [], [2], [3, 1]] {
      #expect(throws: SessionError(.corruptState)) { try place.reseal(bad, from: nil, to: stateKey) }
    }
    #expect(throws: SessionError(.corruptState)) { try place.reseal(unsealed, from: stateKey, to: other) }
  }

  @Test func aSessionPutTwiceInOneCommitIsEncodedOnce() throws {
    let encoded = Counter()
    let id = try #require(SessionID([UInt8](repeating: 1, count: 16)))
    var commit = SessionCommit(peer: try Party(seed: 514).id)
    for number in 1...3 {
      commit.append(
        .putSession(
          id,
          StoredSecret(.session(id, of: commit.peer)) { buffer in
            encoded.add()
            buffer.u8(UInt8(number))
          }))
    }
    #expect(encoded.count == 0)
    var store = MemoryStore(peer: try Party(seed: 514).record)
    store.apply(commit)
    #expect(encoded.count == 1)
    let opened = try SecretPlace.session(id, of: commit.peer).open(store.snapshot.sessions[0].bytes, with: stateKey)
    let three: [UInt8] = [3]
    #expect(opened.isEqual(to: three.span) == true)
  }
}

/// Counts calls from anywhere.
private final class Counter: Sendable {
  private let value = Mutex(0)
  var count: Int { value.withLock { $0 } }
  func add() { value.withLock { $0 += 1 } }
}

extension [UInt8] {
  fileprivate func windows(of size: Int) -> Set<ArraySlice<UInt8>> {
    Set((0...(count - size)).map { self[$0..<$0 + size] })
  }
}
