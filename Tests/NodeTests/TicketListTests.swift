import EventLoop
import Testing
import Wire

@testable import Node

/// Tickets that are listed and revoked.
@Suite(.timeLimit(.minutes(3))) struct TicketListTests {
  @Test func aRevokedTicketLetsNobodyInAndItsInviteEnds() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      let first = try await studio.node.invite(alias: "laptop", lifeSeconds: 600, addresses: [])
      let second = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let listed = try await studio.node.tickets()
      #expect(listed.map(\.id) == [Hex.encode(second.id), Hex.encode(first.id)], "soonest to expire first")
      #expect(listed.map(\.alias) == [nil, "laptop"])
      #expect(listed.allSatisfy { $0.usedBy == nil && !$0.isSpoilt })
      let waiting = Task { try await studio.node.awaitUse(of: first) }
      #expect(try await studio.node.revokeTicket(String(listed[1].id.prefix(8))) == listed[1].id)
      let ended = try await nodeError { _ = try await waiting.value }
      #expect(ended.code == .interrupted)
      #expect(ended.message.contains("revoked"))
      // One who asks after the fact is told at once.
      #expect(try await nodeError { _ = try await studio.node.awaitUse(of: first) }.code == .interrupted)
      #expect(try await nodeError { _ = try await laptop.node.join(first.text, alias: nil) }.code == .notAllowed)
      #expect(try await studio.node.tickets().map(\.id) == [Hex.encode(second.id)])
      #expect(try await nodeError { _ = try await studio.node.revokeTicket(listed[1].id) }.code == .notFound)
      _ = try await laptop.node.join(second.text, alias: "studio")
      #expect(try await studio.node.tickets().map(\.usedBy) == ["laptop"])
      let used = try await nodeError { _ = try await studio.node.revokeTicket(second.text) }
      #expect(used.code == .conflict)
      #expect(used.hint?.contains("pawl revoke laptop") == true)
    }
  }

  @Test func aTicketIsRevokedByItselfToo() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await studio.node.revokeTicket(invitation.text) == Hex.encode(invitation.id))
      #expect(try await studio.node.tickets().isEmpty)
    }
  }
}
