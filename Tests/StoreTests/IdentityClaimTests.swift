import Primitives
import Testing

@testable import Session
@testable import Store

/// The question whether a newcomer is a peer under new keys, as it is stored.
@Suite struct IdentityClaimTests {
  private func ticket(_ byte: UInt8, alias: String? = nil, replaces: NodeID? = nil) -> TicketRow {
    TicketRow(
      id: [UInt8](repeating: byte, count: 16), bytes: noise(60, byte), expires: 900, alias: alias, replaces: replaces)
  }

  /// A newcomer joins with a ticket of its own.
  private func join(
    _ state: State, _ byte: UInt8, with ticket: TicketRow, like peer: NodeID? = nil
  ) async throws -> PairingOutcome {
    if try await state.database.ticket(ticket.id) == nil { try await state.database.addTicket(ticket, now: 0) }
    return try await state.database.completePairing(
      ticket: ticket.id, peer: newPeer(byte), likeness: peer.map { ($0, .nameAndPlace) }, now: 10)
  }

  @Test func aClaimBlocksItsPeerInTheTransactionThatUsesTheTicket() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1))])
    let claim = IdentityClaim(peer: node(1), newcomer: newPeer(2), reason: .nameAndPlace)
    #expect(try await join(state, 2, with: ticket(1), like: node(1)) == .claimed(claim))
    // As a process that is killed now leaves it.
    let after = try state.killed()
    #expect(try await after.claims() == [claim])
    #expect(try await after.peer(node(1))?.blocked == true)
    #expect(try await after.ticket(ticket(1).id)?.state == .usedBy(node(2)))
    #expect(try await after.peer(node(2)) == nil, "the newcomer is no peer")
    #expect(try await after.visible(to: node(1), after: .start, limit: 9, noteBytes: 9).isEmpty)
    #expect(try await after.visible(to: node(2), after: .start, limit: 9, noteBytes: 9).isEmpty)
    await after.close()
    await state.database.close()
  }

  @Test func theSameNewcomerMayRepeatAndNobodyTakesItsPlace() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    guard case .claimed(let first) = try await join(state, 2, with: ticket(1), like: node(1)) else {
      Issue.record("the question must be asked")
      return
    }
    #expect(try await join(state, 2, with: ticket(1), like: node(1)) == .claimed(first))
    #expect(try await join(state, 2, with: ticket(1)) == .claimed(first), "also when it calls itself something else by now")
    #expect(try await join(state, 2, with: ticket(2)) == .claimed(first), "also with another ticket")
    #expect(try await join(state, 3, with: ticket(3), like: node(1)) == .occupied(node(1)))
    #expect(try await state.database.ticket(ticket(3).id)?.state == .open)
    #expect(try await state.database.open(IdentityClaim(peer: node(1), newcomer: newPeer(3), reason: .sharedKey)) == .occupied)
    #expect(try await state.database.claims() == [first])
    await state.database.close()
  }

  @Test func aClaimThatNeedsAnUnfitTicketIsNotMade() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    try await state.database.addTicket(ticket(1), now: 0)
    try await state.database.withdrawTicket(ticket(1).id)
    #expect(try await join(state, 2, with: ticket(1), like: node(1)) == .withdrawn)
    _ = try await join(state, 3, with: ticket(2))
    #expect(try await join(state, 2, with: ticket(2), like: node(1)) == .used)
    #expect(try await state.database.claims().isEmpty)
    #expect(try await state.database.peer(node(1))?.blocked == false)
    await state.database.close()
  }

  @Test func acceptingGivesTheNewcomerAliasAndAudienceAndNothingElse() async throws {
    let state = try State()
    let secret = noise(40, 77)
    var commit = SessionCommit(peer: node(1))
    commit.append(.putState(secret))
    let old = NewPeer(id: node(1), record: noise(50, 78), name: "laptop", addresses: [], added: 1)
    _ = try await state.database.addPeer(old, alias: .given("lap"), commits: [commit])
    try await state.pair(9, alias: "other")
    try await state.database.setVerified(node(1), true)
    for (name, seed) in [("lora", UInt8(10)), ("ckpt", 20)] {
      try await state.database.publish(
        artifact(name, 1, seed: seed), files: [], audience: [.peer(node(1)), .peer(node(9))])
    }
    try await state.database.publish(artifact("private", 1, seed: 30), files: [], audience: [.peer(node(9))])
    try await state.database.saveTransfer(transfer(1, peer: 1, plan: secret))
    _ = try await join(state, 2, with: ticket(1), like: node(1))
    let accepted = try #require(try await state.database.acceptClaim(on: node(1), now: 50))
    #expect(accepted.row.id == node(2) && accepted.row.alias == "lap" && accepted.row.added == 50)
    #expect(!accepted.row.verified && !accepted.row.blocked)
    #expect(accepted.revoked.transfers.map(\.plan) == [secret])
    let visible = try await state.database.visible(to: node(2), after: .start, limit: 9, noteBytes: 9)
    #expect(visible.map(\.name) == ["ckpt", "lora"])
    #expect(try await state.database.claims().isEmpty)
    #expect(try !state.holds(node(1).bytes) && !state.holds(secret) && !state.holds(old.record))
    // Its answer may have been lost: the ticket is still its own.
    guard case .repeated(let again) = try await join(state, 2, with: ticket(1)) else {
      Issue.record("the accepted newcomer may repeat")
      return
    }
    #expect(again.alias == "lap")
    #expect(try await state.database.acceptClaim(on: node(1), now: 51) == nil)
    await state.database.close()
  }

  @Test func keepingTheOldForgetsTheNewcomerAndItsTicket() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    try await state.database.setVerified(node(1), true)
    _ = try await join(state, 2, with: ticket(1), like: node(1))
    let row = try #require(try await state.database.dropClaim(on: node(1)))
    #expect(row.alias == "laptop" && row.verified && !row.blocked)
    #expect(try !state.holds(node(2).bytes) && !state.holds(ticket(1).bytes))
    #expect(try await state.database.completePairing(ticket: ticket(1).id, peer: newPeer(2), now: 11) == .unknown)
    #expect(try await state.database.dropClaim(on: node(1)) == nil)
    await state.database.close()
  }

  @Test func revokingAPeerForgetsTheQuestionAboutItToo() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    _ = try await join(state, 2, with: ticket(1), like: node(1))
    _ = try await state.database.revoke(node(1))
    #expect(try !state.holds(node(1).bytes) && !state.holds(node(2).bytes) && !state.holds(ticket(1).bytes))
    #expect(try await state.database.claims().isEmpty)
    await state.database.close()
  }

  @Test func aTicketForANewMachineMakesAClaimOfWhoeverJoins() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    try await state.database.addTicket(ticket(1, alias: "laptop", replaces: node(1)), now: 0)
    #expect(
      try await join(state, 2, with: ticket(1))
        == .claimed(IdentityClaim(peer: node(1), newcomer: newPeer(2), reason: .announced)))
    // The machine itself with such a ticket is who it always was.
    _ = try await state.database.dropClaim(on: node(1))
    try await state.database.addTicket(ticket(2, alias: "laptop", replaces: node(1)), now: 0)
    guard case .paired(let row) = try await join(state, 1, with: ticket(2)) else {
      Issue.record("a peer pairs again")
      return
    }
    #expect(row.alias == "laptop")
    // And when the peer is gone, it is a ticket like any other.
    try await state.database.addTicket(ticket(3, alias: "laptop", replaces: node(1)), now: 0)
    _ = try await state.database.revoke(node(1))
    guard case .paired(let newcomer) = try await join(state, 4, with: ticket(3)) else {
      Issue.record("it pairs")
      return
    }
    #expect(newcomer.alias == "laptop")
    await state.database.close()
  }
}
