import EventLoop
import Testing

@testable import Node
@testable import Session
@testable import Store

/// What a peer asks is answered beside its session.
@Suite(.timeLimit(.minutes(3))) struct DeliveryLineTests {
  @Test func aFullLineDropsWhatComesAndKeepsTheOrder() async throws {
    let loop = EventLoop(name: "test.line")
    let line = DeliveryLine(limit: 3, on: loop)
    let gate = Promise<Void>()
    let done = Locked<[Int]>([])
    let isOver = Promise<Void>()
    #expect(await line.add { try? await gate.value() })
    // The first is being done, or waits: one more may find room.
    var taken: [Int] = []
    for number in 0..<8 where await line.add({ done.withLock { $0.append(number) } }) { taken.append(number) }
    #expect(taken.count >= 2 && taken.count <= 3 && taken == Array(0..<taken.count))
    gate.settle(.success(()))
    while await !line.add({ isOver.settle(.success(())) }) { try await loop.sleep(for: .milliseconds(1)) }
    try await isOver.value()
    #expect(done.withLock { $0 } == taken)
    await loop.stop()
  }

  @Test func ofWhatReplacesOnlyTheLastWordCountsAndIsNeverDropped() async throws {
    let loop = EventLoop(name: "test.line")
    let line = DeliveryLine(limit: 1, on: loop)
    let (gate, begun) = (Promise<Void>(), Promise<Void>())
    let done = Locked<[Int]>([])
    let isOver = Promise<Void>()
    await line.put {
      begun.settle(.success(()))
      try? await gate.value()
    }
    try await begun.value()
    for number in 0..<100 { await line.put { done.withLock { $0.append(number) } } }
    await line.put {
      done.withLock { $0.append(100) }
      isOver.settle(.success(()))
    }
    gate.settle(.success(()))
    try await isOver.value()
    #expect(done.withLock { $0 } == [100])
    await loop.stop()
  }

  @Test func aSlowAnswerHoldsUpNeitherAcknowledgementsNorWhatIsBeingServed() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      let toLaptop = try await studio.node.peer(alias: "laptop")
      let toStudio = try await laptop.node.peer(alias: "studio")
      try await eventually("nothing is under way", on: house.loop) { await toStudio.machine.unacknowledged == 0 }
      // An answer that takes its time.
      let (gate, begun) = (Promise<Void>(), Promise<Void>())
      #expect(
        await toLaptop.queries.add {
          begun.settle(.success(()))
          try? await gate.value()
        })
      try await begun.value()
      let before = await toStudio.sent
      let listed = Promise<Int>()
      Task { listed.settle(.success(((try? await laptop.node.list(peer: "studio")) ?? []).count)) }
      // The question, and a hundred messages behind it, are acknowledged.
      for _ in 0..<100 { await toStudio.send(Array(#"{"type":"later"}"#.utf8)) { _ in } }
      try await eventually("all is acknowledged", on: house.loop) {
        let (sent, isIdle) = await (toStudio.sent, toStudio.machine.unacknowledged == 0)
        return sent > before + 100 && isIdle
      }
      #expect(!listed.isSettled)
      gate.settle(.success(()))
      #expect(try await listed.value() == 0)
    }
  }
}

extension Peer {
  /// Envelopes of the session that payloads go out in.
  fileprivate var sent: UInt64 { machine.currentIndex.map { machine.sessions[$0].committed } ?? 0 }
}
