import Primitives
import Testing

@testable import Session

/// What an earlier version stored of sessions is not gone on with.
@Suite struct OutdatedSessionTests {
  @Test func aSessionOfAnEarlierVersionIsReplacedAtTheFirstStart() throws {
    var simulator = try Simulator(seed: 930)
    try simulator.pair(joiner: 0)
    let old = try #require(simulator.ends[0].machine.currentSession)
    simulator.cut()
    try simulator.send("lost", from: 1)
    for end in 0...1 {
      simulator.flush(end)
      let peer = simulator.ends[1 - end].party.id
      simulator.ends[end].store.damage { snapshot in
        for index in snapshot.sessions.indices { try? snapshot.sessions[index].age(of: peer) }
      }
      try simulator.restart(end)
      #expect(simulator.ends[end].machine.sessions.isEmpty && simulator.ends[end].machine.health == .none)
    }
    // At the start, before anything else.
    for end in 0...1 { try simulator.step(end) { try $0.tick(at: $1) } }
    for end in simulator.ends {
      #expect(end.store.snapshot.sessions.isEmpty && end.store.snapshot.outbox.isEmpty)
      #expect(end.store.snapshot.received.isEmpty && end.machine.book.retired == [old])
    }
    #expect(simulator.ends[0].events.allSatisfy { if case .undeliverable = $0 { false } else { true } })
    #expect(simulator.ends[1].events.contains(.undeliverable(old, count: 1)))
    #expect(simulator.ends[1].machine.lostPayloads(at: simulator.now)?.count == 1, "and the user is told for a week")
    try simulator.connect()
    try simulator.settle()
    try simulator.wait(1)
    simulator.expectHealthy()
    let fresh = try #require(simulator.ends[0].machine.currentSession)
    #expect(fresh != old)
    try simulator.send("on", from: 0)
    try simulator.settle()
    #expect(simulator.ends[1].texts == ["on"])
    // Nobody is told of copies, and the peer's word of the old one does nothing.
    #expect(simulator.ends.allSatisfy { $0.machine.troubles(at: simulator.now).isEmpty })
    let counters = LinkFrame.counters([SessionCounters(session: old, committed: 9, seen: 9)])
    #expect(try simulator.ends[0].machine.receive(counters, at: simulator.now).frames.isEmpty)
  }

  @Test func theFirstTickIsTheOnlyOneThatDeletes() throws {
    var simulator = try Simulator(seed: 931)
    try simulator.pair(joiner: 0)
    let peer = simulator.ends[1].party.id
    simulator.ends[0].store.damage { snapshot in
      for index in snapshot.sessions.indices { try? snapshot.sessions[index].age(of: peer) }
    }
    try simulator.restart(0)
    var machine = simulator.ends[0].machine
    let first = try machine.tick(at: simulator.now)
    let second = try machine.tick(at: simulator.now)
    #expect(!first.commit.isEmpty && second.commit.isEmpty)
  }
}

extension StoredSession {
  /// Makes it one of version 1, of which nothing but the version is looked at.
  fileprivate mutating func age(of peer: NodeID) throws {
    let place = SecretPlace.session(id, of: peer)
    let opened = try place.open(bytes, with: stateKey)
    let old = [1] + [UInt8](copying: opened.span).dropFirst()
    self = StoredSession(id: id, bytes: StoredSecret(place) { $0.append(old) }.sealed(with: stateKey))
  }
}
