import EventLoop
import Foundation
import Primitives
import Session
import Store
import Testing

@testable import Node

/// A ticket that lets nobody in any more: who holds it is told why, and costs neither a signature nor a write.
@Suite(.timeLimit(.minutes(5))) struct DeadTicketTests {
  /// All that the node's database has written.
  private func written(by node: RunningNode) -> [Data?] {
    ["", "-wal"].map { FileManager.default.contents(atPath: node.folder.locations.databaseFile + $0) }
  }

  /// What a node answers to an introduction whose signatures are broken, or to bytes that are none.
  private func answer(
    to identity: Identity, with ticket: Ticket, isGarbage: Bool = false, at now: UInt64 = ForgedPeer.now, on loop: EventLoop
  ) async throws -> LinkFrame? {
    var prekeys = PrekeyRing()
    _ = prekeys.refresh(at: now, crypto: .system)
    var record = identity.record.bytes
    record[record.count - 1] ^= 1
    let forged = Introduction(
      record: record, bundle: try prekeys.bundle(from: identity, to: ticket.node, at: now, crypto: .system).bytes,
      card: try Card(name: "mallory", addresses: []))
    let connection = try await ForgedPeer.connect(
      .pair, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: identity, psk: ticket.psk, first: ticket.id,
      third: isGarbage ? pattern(100) : forged.encoded, on: loop)
    let reply = try? await connection.receive(within: .seconds(10))
    await connection.close()
    return try reply.flatMap { $0 }.map { try LinkFrame(parsing: $0.span) }
  }

  @Test func aDeadTicketIsAnsweredByItsStateAloneAndNothingIsWritten() async throws {
    try await withHouse { house in
      let time = Locked(Node.wallClock())
      let studio = try await house.start("studio", clock: { time.withLock { $0 } })
      func ticket(_ seconds: UInt64 = 900) async throws -> Ticket {
        try Ticket(try await studio.node.invite(alias: nil, lifeSeconds: seconds, addresses: []).text)
      }
      let (used, spoilt, expired) = (try await ticket(), try await ticket(), try await ticket(10))
      let mallory = try Identity.generate(.system)
      let joiner = try await ForgedPeer.pair(with: used.text, as: "laptop", on: house.loop)
      house.atTheEnd { await joiner.close() }
      try await joiner.ready()
      for _ in 0..<3 {
        #expect(try await answer(to: mallory, with: spoilt, on: house.loop) == .pairRefused(.spoilt))
      }
      await joiner.close()
      time.withLock { $0 += 60 }
      let peer = try await studio.node.peer(alias: "laptop")
      try await eventually("the peer's link is done with", on: house.loop) {
        guard await peer.links.isEmpty else { return false }
        return await peer.row.lastSeen != nil
      }
      // What housekeeping has to do is done before, so that it writes nothing meanwhile.
      await studio.node.tick()
      let before = written(by: studio)
      for isGarbage in [false, true] {
        for _ in 0..<3 {
          // A signature that was looked at first would be called invalid.
          #expect(try await answer(to: mallory, with: used, isGarbage: isGarbage, on: house.loop) == .pairRefused(.used))
          #expect(try await answer(to: mallory, with: expired, isGarbage: isGarbage, on: house.loop) == .pairRefused(.expired))
          #expect(try await answer(to: mallory, with: spoilt, isGarbage: isGarbage, on: house.loop) == .pairRefused(.spoilt))
        }
      }
      // Nor does a clock that differs, on a ticket that is good.
      let good = try await ticket()
      await studio.node.tick()
      let withTicket = written(by: studio)
      #expect(before != withTicket, "a write is seen")
      let now = time.withLock { $0 }
      for wrong in [now + 3_601, now - 3_601] {
        for _ in 0..<3 {
          #expect(
            try await answer(to: mallory, with: good, at: wrong, on: house.loop) == .pairRefused(.clock(now)))
        }
      }
      #expect(written(by: studio) == withTicket)
      #expect(try await studio.node.context.database.ticket(spoilt.id)?.spoiltCount == 3)
      #expect(try await studio.node.context.database.ticket(used.id)?.spoiltCount == 0)
      #expect(try await answer(to: mallory, with: good, at: now, on: house.loop) == .pairRefused(.spoilt), "looked at")
      #expect(try await studio.node.context.database.ticket(good.id)?.spoiltCount == 1)
    }
  }

  /// Who used a ticket may repeat; to play it one needs its link key.
  @Test func aUsedTicketIsItsUsersAloneWhateverRecordIsShown() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let ticket = try Ticket(try await studio.node.invite(alias: nil, lifeSeconds: 900, addresses: []).text)
      let joiner = try await ForgedPeer.pair(with: ticket.text, as: "laptop", on: house.loop)
      house.atTheEnd { await joiner.close() }
      try await joiner.ready()
      let mallory = try Identity.generate(.system)
      var prekeys = PrekeyRing()
      _ = prekeys.refresh(at: ForgedPeer.now, crypto: .system)
      let stolen = Introduction(
        record: joiner.identity.record.bytes,
        bundle: try prekeys.bundle(from: mallory, to: ticket.node, at: ForgedPeer.now, crypto: .system).bytes,
        card: try Card(name: "laptop", addresses: []))
      let connection = try await ForgedPeer.connect(
        .pair, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: mallory, psk: ticket.psk, first: ticket.id,
        third: stolen.encoded, on: house.loop)
      let reply = try #require(try await connection.receive(within: .seconds(10)))
      #expect(try LinkFrame(parsing: reply.span) == .pairRefused(.used))
      await connection.close()
      #expect(try await studio.node.context.database.ticket(ticket.id)?.spoiltCount == 0)
      let again = try await ForgedPeer.pair(with: ticket.text, as: "laptop", identity: joiner.identity, on: house.loop)
      await again.close()
    }
  }
}
