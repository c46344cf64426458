import EventLoop
import Primitives
import Session
import Store
import Testing

@testable import Node

/// Nodes whose clocks differ: they pair within an hour, and beyond it both are told by how much and nothing is left behind.
@Suite(.timeLimit(.minutes(5))) struct ClockTests {
  /// A clock that is so many seconds ahead of the other ones.
  private static func clock(_ seconds: Int) -> @Sendable () -> UInt64 {
    { UInt64(Int(fixed) + seconds) }
  }

  /// Time does not pass: the bounds are met to the second.
  private static let fixed = Node.wallClock()

  @Test(arguments: [-7_200, -3_601, 3_601, 7_200, -90_000])
  func clocksMoreThanAnHourApartAreSaidOnBothSidesAndCostTheTicketNothing(_ ahead: Int) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio", clock: Self.clock(0))
      let laptop = try await house.start("laptop", clock: Self.clock(ahead))
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 900, addresses: [])
      let notices = Locked<[String]>([])
      let waiting = Task {
        try await studio.node.awaitUse(of: invitation) { text in notices.withLock { $0.append(text) } }
      }
      try await eventually("it waits", on: house.loop) { await studio.node.ticketWaiters[invitation.id] != nil }
      // More often than what would spoil it.
      for _ in 0..<4 {
        let refusal = try await nodeError { _ = try await laptop.node.join(invitation.text, alias: nil) }
        #expect(refusal.code == .clock && refusal.code.exitCode == 1)
        let words = ClockDifference(ours: Self.clock(ahead)(), theirs: Self.fixed).words
        #expect(refusal.message.contains("\(words) \(ahead < 0 ? "behind" : "ahead of")"), "\(refusal)")
        #expect(!refusal.description.contains("notYetValid"))
      }
      #expect(await studio.node.peerSummaries().isEmpty)
      #expect(await laptop.node.peerSummaries().isEmpty)
      let row = try #require(try await studio.node.context.database.ticket(invitation.id))
      #expect(row.state == .open && row.spoiltCount == 0)
      #expect(notices.withLock { $0.count } == 1, "once, not with every attempt")
      #expect(notices.withLock { $0.first?.contains(ahead < 0 ? "behind" : "ahead of") } == true)
      // Put right, the same ticket works, and who waited for it is told.
      await laptop.stop()
      let repaired = try await house.start("laptop", clock: Self.clock(60))
      _ = try await repaired.node.join(invitation.text, alias: nil)
      #expect(try await waiting.value.id == repaired.node.id.hex)
    }
  }

  /// Where the joiner is ahead its clock says that the ticket of fifteen minutes is over.
  @Test(arguments: [-3_600, -1_800, 1_800, 3_600])
  func clocksWithinAnHourPairWhateverTheTicketsLife(_ ahead: Int) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio", clock: Self.clock(0))
      let laptop = try await house.start("laptop", clock: Self.clock(ahead))
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 900, addresses: [])
      _ = try await laptop.node.join(invitation.text, alias: nil)
      try await laptop.ready(for: "studio")
      try await studio.ready(for: "laptop")
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
      #expect(try await studio.node.list(peer: "laptop").isEmpty)
    }
  }

  @Test func theInvitersClockDecidesWhetherATicketIsOverAndOursOnlyAfterADay() async throws {
    try await withHouse { house in
      let time = Locked(Self.fixed)
      let studio = try await house.start("studio", clock: { time.withLock { $0 } })
      let laptop = try await house.start("laptop", clock: Self.clock(900))
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 900, addresses: [])
      time.withLock { $0 += 900 }
      let expired = try await nodeError { _ = try await laptop.node.join(invitation.text, alias: nil) }
      #expect(expired.code == .timeout && expired.message.contains("says the inviter"))
      // It says so for a day, also when it has made other tickets since.
      _ = try await studio.node.invite(alias: nil, lifeSeconds: 900, addresses: [])
      let again = try await nodeError { _ = try await laptop.node.join(invitation.text, alias: nil) }
      #expect(again.code == .timeout && again.message.contains("says the inviter"))
      // With nobody at the address: what touches the network fails otherwise.
      await studio.stop()
      for (seconds, code) in [(900 + 86_399, NodeError.Code.unreachable), (900 + 86_400, .timeout)] {
        await laptop.stop()
        let late = try await house.start("laptop", home: "late\(seconds)", clock: Self.clock(seconds))
        #expect(try await nodeError { _ = try await late.node.join(invitation.text, alias: nil) }.code == code)
      }
    }
  }

  @Test func aDifferenceIsSaidInTwoUnits() {
    let words: [(UInt64, String)] = [
      (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_601, "1 h"), (7_500, "2 h 5 min"), (86_400, "1 day"), (90_000, "1 day 1 h"),
      (200_000, "2 days 7 h"),
    ]
    for (seconds, text) in words {
      #expect(ClockDifference(ours: 1_000_000, theirs: 1_000_000 + seconds).words == text)
      #expect(ClockDifference(ours: 1_000_000 + seconds, theirs: 1_000_000).words == text)
    }
    #expect(!ClockDifference(ours: 3_600, theirs: 0).isTooLarge && ClockDifference(ours: 0, theirs: 3_601).isTooLarge)
    #expect(ClockDifference(ours: 5, theirs: .max).isTooLarge)
  }
}
