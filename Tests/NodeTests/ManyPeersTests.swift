import EventLoop
import Primitives
import Testing

@testable import Node
@testable import Session
@testable import Store

/// A node with many peers: what its start costs, and whom it dials.
@Suite(.timeLimit(.minutes(3))) struct ManyPeersTests {
  private static let count = 80

  /// Peers that are nowhere, written straight into the state of a node that does not run.
  private func befriend(_ house: House, _ name: String) async throws -> [NodeID] {
    let first = try await house.start(name)
    let database = first.node.context.database
    var ids: [NodeID] = []
    for number in 0..<Self.count {
      let record = try Identity.generate(.system).record
      // An address for documentation: nobody is there, and nobody refuses.
      _ = try await database.addPeer(
        NewPeer(
          id: record.id, record: record.bytes, name: "peer", addresses: ["192.0.2.\(number + 1):7411 given"], added: 1),
        alias: .wanted("peer-\(number)"))
      ids.append(record.id)
    }
    await first.stop()
    return ids
  }

  @Test func noSafetyNumberIsWorkedOutBeforeSomebodyLooksAtIt() async throws {
    try await withHouse { house in
      _ = try await befriend(house, "studio")
      let studio = try await house.start("studio")
      let numbers = studio.node.context.numbers
      #expect(await studio.node.peerSummaries().count == Self.count)
      #expect(numbers.count == 0)
      let summary = try await studio.node.summary(of: "peer-7")
      let peer = try await studio.node.peer(alias: "peer-7")
      #expect(await summary.safetyNumber() == SafetyNumber(peer.id, studio.node.id).digits)
      #expect(numbers.count == 1)
      _ = await summary.safetyNumber()
      #expect(numbers.count == 1)
    }
  }

  @Test func onlySoManyPeersAreDialedAtOnceAndWantedOnesFirst() async throws {
    try await withHouse { house in
      let ids = try await befriend(house, "studio")
      let studio = try await house.start("studio")
      let gate = studio.node.context.dials
      let limit = DialGate.limit(in: studio.node.context.descriptors)
      #expect(limit <= DialGate.maximumDials && limit < Self.count)
      try await eventually("all want to be dialed", on: house.loop) {
        let (dialing, waiting) = await (gate.dialing, gate.waitingCount)
        return dialing == limit && dialing + waiting == Self.count
      }
      // A command needs the one that would be dialed last.
      let last = try #require(await gate.order.last)
      #expect(ids.contains(last))
      let peer = try #require(await studio.node.peers[last])
      await peer.beginWaiting()
      #expect(await gate.order.first == last)
      await peer.endWaiting()
    }
  }

  @Test func aTurnThatIsOverGoesToWhoeverWaitsAndStoppedPeersHoldNone() async throws {
    let loop = EventLoop(name: "test.gate")
    let gate = DialGate(limit: 2, on: loop)
    let ids = (0..<4).compactMap { NodeID([UInt8](repeating: $0, count: 32)) }
    let visitors = Visitors()
    await visitors.enter(gate, ids[0])
    await visitors.enter(gate, ids[1])
    let third = Task { [id = ids[2]] in await visitors.enter(gate, id) }
    try await eventually("it waits", on: loop) { await gate.waitingCount == 1 }
    let fourth = Task { [id = ids[3]] in await visitors.enter(gate, id, isWanted: true) }
    try await eventually("it waits", on: loop) { await gate.waitingCount == 2 }
    await gate.leave()
    await fourth.value
    #expect(visitors.entered.withLock { $0 } == [ids[0], ids[1], ids[3]])
    // Its peer was stopped: it comes out of the line, and leaves at once.
    await gate.release(ids[2])
    await third.value
    await gate.leave()
    await gate.leave()
    await gate.leave()
    #expect(await gate.dialing == 0)
    await loop.stop()
  }
}

/// Who came through a gate.
private final class Visitors: Sendable {
  let entered = Locked<[NodeID]>([])

  func enter(_ gate: DialGate, _ id: NodeID, isWanted: Bool = false) async {
    await gate.enter(id, isWanted: isWanted)
    entered.withLock { $0.append(id) }
  }
}
