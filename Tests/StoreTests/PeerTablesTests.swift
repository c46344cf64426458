import Primitives
import Testing

@testable import Session
@testable import Store

@Suite struct PeerTablesTests {
  @Test func aPeerComesBackAsItWasStored() async throws {
    let state = try State()
    let row = try await state.pair(7, alias: "laptop")
    #expect(row.alias == "laptop")
    #expect(row.record == [7, 1, 2])
    #expect(row.addresses == ["10.0.0.7:7411"])
    #expect(!row.verified && !row.blocked && row.lastSeen == nil)
    try await state.database.setVerified(node(7), true)
    try await state.database.setBlocked(node(7), true)
    try await state.database.touch(node(7), lastSeen: 5)
    try await state.database.setCard(node(7), name: "新", addresses: [])
    let after = try #require(try await state.database.peer(node(7)))
    #expect(after.verified && after.blocked && after.lastSeen == 5)
    #expect(after.name == "新" && after.addresses.isEmpty && after.alias == "laptop")
    #expect(await code { try await state.database.touch(node(8), lastSeen: 1) } == .unknownPeer)
    await state.database.close()
  }

  @Test func aWantedAliasThatIsTakenGetsANumberAGivenOneIsAnError() async throws {
    let state = try State()
    #expect(try await state.pair(1, alias: "studio").alias == "studio")
    #expect(try await state.pair(2, alias: "studio").alias == "studio-2")
    #expect(try await state.pair(3, alias: "studio").alias == "studio-3")
    #expect(await code { _ = try await state.database.addPeer(newPeer(4), alias: .given("studio")) } == .aliasTaken)
    #expect(try await state.database.peer(node(4)) == nil)
    let long = String(repeating: "a", count: 64)
    #expect(try await state.pair(5, alias: long).alias == long)
    #expect(try await state.pair(6, alias: long).alias == String(repeating: "a", count: 62) + "-2")
    await state.database.close()
  }

  @Test func pairingAgainKeepsTheAlias() async throws {
    let state = try State()
    try await state.pair(1, alias: "laptop")
    try await state.database.setVerified(node(1), true)
    let again = try await state.database.addPeer(newPeer(1, name: "renamed"), alias: .wanted("renamed"))
    #expect(again.alias == "laptop" && again.name == "renamed" && again.verified)
    await state.database.close()
  }

  @Test func renamingKnowsItsTwoErrors() async throws {
    let state = try State()
    try await state.pair(1, alias: "a")
    try await state.pair(2, alias: "b")
    #expect(try await state.database.rename("a", to: "c").id == node(1))
    #expect(try await state.database.rename("c", to: "c").alias == "c")
    #expect(await code { _ = try await state.database.rename("c", to: "b") } == .aliasTaken)
    #expect(await code { _ = try await state.database.rename("x", to: "y") } == .unknownPeer)
    await state.database.close()
  }

  @Test func revokingLeavesNothingOfThePeerOnTheDisk() async throws {
    let state = try State()
    let mark = noise(40, 99)
    var commit = SessionCommit(peer: node(1))
    commit.append(.putSession(session(1), secret(mark)))
    commit.append(.putPair(9, secret(mark)))
    commit.append(.putState(mark))
    commit.append(.putHeldBundle(mark))
    commit.append(.putReceived(session(1), envelopeID(99), at: 1))
    commit.append(.putReplay(ReplayEntry(hash: digest(6), session: session(1), expires: 9)))
    commit.append(
      .putOutbox(OutboxEntry(session: session(1), sequence: 1, id: envelopeID(99), envelope: mark)))
    let peer = NewPeer(id: node(1), record: mark, name: "n", addresses: [], added: 1)
    _ = try await state.database.addPeer(peer, alias: .wanted("gone"), commits: [commit])
    try await state.pair(2, alias: "stays")
    try await state.database.publish(artifact("lora", 1), files: [], audience: [.peer(node(1)), .peer(node(2))])
    try await state.database.saveManifest(
      KnownManifest(digest: digest(5), publisher: node(1), name: "x", version: 1, bytes: mark, signature: mark))
    _ = try await state.database.remember(publisher: node(1), name: "x", version: 1, digest: digest(5))
    try await state.database.saveTransfer(transfer(1, peer: 1, plan: mark))
    #expect(try state.holds(mark))

    let revoked = try await state.database.revoke(node(1))
    #expect(revoked?.peer.alias == "gone")
    #expect(revoked?.transfers.map(\.plan) == [mark])
    #expect(try !state.holds(mark))
    #expect(try !state.holds(node(1).bytes))
    #expect(try await state.database.peers().map(\.alias) == ["stays"])
    #expect(try await state.database.audience("lora", version: 1).peers == [node(2)])
    #expect(try await state.database.transfers().isEmpty)
    #expect(try await state.database.loadPeer(node(1)) == nil)
    #expect(try await state.database.revoke(node(1)) == nil)
    // Sealed rows show no plaintext: that they are gone is counted. A holding is a file of the user's, and keeps no peer.
    let tables = [
      "session", "outbox", "received", "pair", "replay", "peer_state", "held_bundle", "audience", "transfer", "claim",
      "holding",
    ]
    for table in tables {
      let left = "SELECT count(*) FROM \(table) WHERE peer IS NOT NULL AND peer NOT IN (SELECT id FROM peer)"
      #expect(try await state.database.number(left) == 0, "\(table)")
      if table != "audience" { #expect(try await state.database.number("SELECT count(*) FROM \(table)") == 0, "\(table)") }
    }
    // What outlives it are hashes of its starts, which name nobody, as long as the prekeys that they were made with.
    #expect(try await state.database.spentInitiations() == [digest(6)])
    #expect(try await state.database.number("SELECT count(*) FROM pragma_table_info('spent_init')") == 2)
    try await state.database.forgetSpentInitiations(expiredAt: 8)
    #expect(try await state.database.spentInitiations() == [digest(6)])
    try await state.database.forgetSpentInitiations(expiredAt: 9)
    try await state.database.maintain()
    #expect(try await state.database.spentInitiations().isEmpty && !state.holds(digest(6).bytes))
    let all =
      "SELECT count(*) FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND c.name = 'peer'"
    #expect(try await state.database.number(all) == tables.count, "a table of peers' that this test does not know")
    await state.database.close()
  }

  @Test func hashesOfRevokedPeersStartsAreBoundedAndThoseThatDieFirstGo() async throws {
    let state = try State()
    _ = try await state.database.number(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(SpentInitiations.maximumKept))
      INSERT INTO spent_init SELECT CAST(printf('%032d', i) AS BLOB), 1000 + i FROM n
      """)
    try await state.pair(1)
    let replays = [1, 2].map { ReplayEntry(hash: digest($0), session: session($0), expires: 9_000_000) }
    try await state.database.apply([commit(1, replays.map { .putReplay($0) })])
    _ = try await state.database.revoke(node(1))
    let kept = try await state.database.spentInitiations()
    #expect(kept.count == SpentInitiations.maximumKept && kept.isSuperset(of: replays.map(\.hash)))
    #expect(try await state.database.number("SELECT min(expires) FROM spent_init") == 1003)
    await state.database.close()
  }

  @Test func deliveredFilesStayOnRecordWhenTheirPeerIsRevoked() async throws {
    let state = try State()
    try await state.pair(1)
    let holding = Holding(
      digest: digest(1), name: "lora", version: 1, publisher: node(1), peer: node(1), path: "/x", delivered: 1)
    let id = try await state.database.recordDelivery(
      transfer: nil, holding: holding, files: [HoldingFile(index: 0, path: "/x", sizeBytes: 1, expected: digest(2))])
    _ = try await state.database.revoke(node(1))
    #expect(try await state.database.holdings().map(\.peer) == [nil])
    #expect(try await state.database.holdingFiles(id).count == 1)
    await state.database.close()
  }
}

@Suite struct TicketTableTests {
  private func ticket(_ byte: UInt8, expires: UInt64 = 900, alias: String? = nil) -> TicketRow {
    TicketRow(id: [UInt8](repeating: byte, count: 16), bytes: noise(60, byte), expires: expires, alias: alias)
  }

  @Test func onlyTheFirstJoinerGetsInAndMayRepeat() async throws {
    let state = try State()
    let one = ticket(1)
    try await state.database.addTicket(one, now: 0)
    func join(_ byte: UInt8, now: UInt64 = 10) async throws -> PairingOutcome {
      try await state.database.completePairing(ticket: one.id, peer: newPeer(byte), now: now)
    }
    guard case .paired(let row) = try await join(1) else {
      Issue.record("the first joiner must get in")
      return
    }
    #expect(row.alias == "studio")
    #expect(try await state.database.ticket(one.id)?.state == .usedBy(node(1)))
    #expect(try await join(2) == .used)
    #expect(try await state.database.peer(node(2)) == nil)
    guard case .repeated = try await join(1) else {
      Issue.record("the same joiner may repeat")
      return
    }
    #expect(try await join(1, now: 900) == .expired)
    await state.database.close()
  }

  @Test func peerAndTicketAreCommittedTogetherOrNotAtAll() async throws {
    let state = try State()
    let one = ticket(1)
    try await state.database.addTicket(one, now: 0)
    var stranger = SessionCommit(peer: node(99))
    stranger.append(.putState([1]))
    let commits = [stranger]
    let result = await code {
      _ = try await state.database.completePairing(ticket: one.id, peer: newPeer(1), commits: commits, now: 1)
    }
    #expect(result == .unknownPeer)
    #expect(try await state.database.peer(node(1)) == nil)
    #expect(try await state.database.ticket(one.id)?.state == .open)
    await state.database.close()
  }

  @Test func everyUnfitTicketHasItsOwnAnswer() async throws {
    let state = try State()
    for byte in UInt8(1)...3 { try await state.database.addTicket(ticket(byte), now: 0) }
    try await state.database.withdrawTicket(ticket(1).id)
    for _ in 0..<3 { _ = try await state.database.countSpoilt(ticket(2).id) }
    func join(_ byte: UInt8, now: UInt64 = 1) async throws -> PairingOutcome {
      try await state.database.completePairing(ticket: ticket(byte).id, peer: newPeer(9), now: now)
    }
    #expect(try await join(1) == .withdrawn)
    #expect(try await join(2) == .spoilt)
    #expect(try await join(3, now: 900) == .expired)
    #expect(try await join(4) == .unknown)
    #expect(try await state.database.peers().isEmpty)
    await state.database.close()
  }

  @Test func strangersCannotSpoilATicketInFewerThanThree() async throws {
    let state = try State()
    try await state.database.addTicket(ticket(1), now: 0)
    #expect(try await state.database.countSpoilt(ticket(1).id)?.isSpoilt == false)
    #expect(try await state.database.countSpoilt(ticket(1).id)?.isSpoilt == false)
    #expect(try await state.database.countSpoilt(ticket(1).id)?.isSpoilt == true)
    #expect(try await state.database.countSpoilt(ticket(2).id) == nil)
    await state.database.close()
  }

  @Test func atMost32TicketsAreAlive() async throws {
    let state = try State()
    for byte in UInt8(0)..<32 { try await state.database.addTicket(ticket(byte), now: 0) }
    #expect(await code { try await state.database.addTicket(ticket(40), now: 0) } == .tooManyTickets)
    try await state.database.withdrawTicket(ticket(0).id)
    try await state.database.addTicket(ticket(40), now: 0)
    // What has expired is not alive, and is remembered for a day.
    try await state.database.addTicket(ticket(41, expires: 2_000), now: 900)
    #expect(try await state.database.tickets(now: 0).count == 34)
    try await state.database.addTicket(ticket(42, expires: 200_000), now: 900 + 86_400)
    #expect(try await state.database.tickets(now: 0).map(\.id) == [ticket(41).id, ticket(42).id])
    await state.database.close()
  }

  @Test func anExpiredTicketsSecretLeavesTheDisk() async throws {
    let state = try State()
    try await state.database.addTicket(ticket(1), now: 0)
    // It lies there sealed, and then not at all.
    #expect(try state.holds(testKey.prefix) && !state.holds(ticket(1).bytes))
    try await state.database.deleteExpiredTickets(now: 900 + 86_399)
    #expect(try state.holds(testKey.prefix))
    try await state.database.deleteExpiredTickets(now: 900 + 86_400)
    #expect(try !state.holds(testKey.prefix))
    await state.database.close()
  }

  @Test func aTicketsAliasIsHeldFreeOrNumbered() async throws {
    let state = try State()
    try await state.pair(1, alias: "taken")
    #expect(await code { try await state.database.addTicket(ticket(1, alias: "taken"), now: 0) } == .aliasTaken)
    try await state.database.addTicket(ticket(1, alias: "laptop"), now: 0)
    try await state.pair(2, alias: "laptop")
    guard case .paired(let row) = try await state.database.completePairing(ticket: ticket(1).id, peer: newPeer(3), now: 1)
    else {
      Issue.record("it must pair")
      return
    }
    #expect(row.alias == "laptop-2")
    await state.database.close()
  }

  @Test func aTicketsDescriptionHoldsNoSecret() {
    #expect(!"\(ticket(1))".contains("bytes"))
  }
}
