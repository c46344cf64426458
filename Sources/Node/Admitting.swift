internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store

/// A node that has proved to hold a ticket, and has introduced itself as it must.
private struct Joiner: Sendable {
  let record: IdentityRecord
  /// Its claim.
  let card: Card
  /// As it was when the introduction came; the transaction that lets the joiner in looks again.
  let ticket: TicketRow
  /// When the introduction came. What is answered is issued at that second too: by what then lay between the clocks, who is let in
  /// here takes the answer there.
  let came: UInt64
}

/// What becomes of a joiner at the inviter's door.
extension Node {
  /// Somebody connected to pair. Throwing closes the stream silently: strangers learn nothing and spoil nothing.
  func welcomeJoiner(_ stream: TCPStream, at place: Doorway.Place, by deadline: Deadline) async throws {
    let driver = responder(.pair, stream, at: place, by: deadline)
    let ticketID = try await driver.greet()
    guard let row = try await context.database.ticket(ticketID), row.state != .withdrawn else { throw LinkEnded() }
    let ticket = try Ticket(parsing: row.bytes.span)
    await driver.expect(psk: ticket.psk)
    let (payload, remoteKey) = try await driver.answer()
    let connection = try await driver.secured()
    // From here on the joiner has proved that it holds the ticket, and is owed an answer.
    let now = context.now
    let introduction = try? Introduction(parsing: payload.span)
    let claims = try? introduction?.claims()
    // Where the ticket or a clock decides, neither a signature is verified nor anything written.
    let joiner = claims.flatMap { $0.record.linkKey == remoteKey ? $0.record.id : nil }
    if let refusal = row.refusal(of: joiner, at: now) { return await refuse(refusal, over: connection) }
    if let existing = joiner.flatMap({ peers[$0] }), await !existing.mayPairAgain() { return await connection.close() }
    if let claims {
      let difference = ClockDifference(ours: now, theirs: claims.issued)
      if difference.isTooLarge {
        notice(
          "a joiner's clock is \(difference.words) \(difference.isOursAhead ? "behind" : "ahead of") this machine's: one of the two "
            + "is wrong; the ticket is still good", about: ticketID)
        return await refuse(.clock(now), over: connection)
      }
    }
    guard let introduction,
      let (record, _) = try? introduction.verify(by: id, expecting: nil, linkKey: remoteKey, at: now)
    else {
      _ = try await context.database.countSpoilt(ticketID)
      return await refuse(.spoilt, over: connection)
    }
    try await admit(Joiner(record: record, card: introduction.card, ticket: row, came: now), over: connection)
  }

  private func refuse(_ refusal: PairRefusal, over connection: SecureConnection) async {
    await connection.close(saying: LinkFrame.pairRefused(refusal).encoded)
  }

  /// What becomes of a joiner that has proved to hold the ticket.
  private enum Admission: Sendable {
    /// It is a peer: the connection becomes its link.
    case peer(Peer, Bundle)
    /// The user has to decide about it first. The alias is that of the peer it is a question of.
    case waiting(String, Bundle)
    /// It is told so.
    case refused(PairRefusal)
    /// It is told nothing.
    case ignored
  }

  private func admit(_ joiner: Joiner, over connection: SecureConnection) async throws {
    let ticket = joiner.ticket.id
    switch try await changingPeers({ try await self.enrol(joiner, over: connection) }) {
    case .peer(let peer, let bundle):
      let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try self.card())
      // One who has gone meanwhile is a peer all the same, and is dialled like any other.
      if (try? await connection.send(LinkFrame.pairAccepted(ours).encoded)) != nil {
        await peer.attach(Link(number: LinkNumber.next(), connection: connection, dialled: nil, peerStarts: true))
      }
      await peer.run()
      let summary = await peer.summary()
      context.peerLog.note(.info, "paired", peer: summary.alias, metadata: ["id": "\(joiner.record.id.hex)"])
      for waiter in ticketWaiters.removeValue(forKey: ticket) ?? [] { waiter.succeed(summary) }
    case .waiting(let alias, let bundle):
      for waiter in ticketWaiters.removeValue(forKey: ticket) ?? [] { waiter.fail(NodeError.identityChanged(alias)) }
      let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try self.card())
      try await connection.send(LinkFrame.pairAccepted(ours).encoded)
      // In the place of COUNTERS: the joiner has its answer, and is let in when the user wants it.
      await connection.close(saying: LinkFrame.close.encoded)
    case .refused(let refusal): await refuse(refusal, over: connection)
    case .ignored: await connection.close()
    }
  }

  private func enrol(_ joiner: Joiner, over connection: SecureConnection) async throws -> Admission {
    let (record, card, now) = (joiner.record, joiner.card, joiner.came)
    // A node that pairs again keeps what we know of it; its old links end here.
    let existing = peers[record.id]
    let manners = await existing?.manners
    await existing?.stop(because: NodeError(.unreachable, "it is being paired anew", hint: "try again"))
    let likeness =
      existing == nil ? await likeness(of: record, name: card.name, places: card.addresses, given: joiner.ticket.alias) : nil
    var machine = try await machine(for: record, existing: existing)
    let before = machine
    let outcome: PairingOutcome
    let bundle: Bundle
    do {
      let commit: SessionCommit
      (bundle, commit) = try machine.pairingBundle(at: now)
      let newcomer = NewPeer(
        id: record.id, record: record.bytes, name: card.name,
        addresses: await stored(card.addresses, of: record.id, toldOver: connection), added: now)
      outcome = try await context.database.completePairing(
        ticket: joiner.ticket.id, peer: newcomer, likeness: likeness, commits: [commit], now: now)
    } catch {
      if let existing { await add(row: existing.row, record: record, machine: before, claim: existing.claim).run() }
      throw error
    }
    switch outcome {
    case .paired(let row), .repeated(let row):
      let peer = add(row: row, record: record, machine: machine, claim: existing?.claim)
      if let manners { await peer.inherit(manners) }
      return row.blocked ? .waiting(row.alias, bundle) : .peer(peer, bundle)
    case .claimed(let claim):
      try await block(claim)
      // Without a one-time pair: those are kept for peers alone.
      let bare = try prekeys.bundle(from: context.identity, to: record.id, at: now, crypto: context.crypto)
      return .waiting(await alias(of: claim.peer), bare)
    case .occupied(let peer):
      let alias = await alias(of: peer)
      notice(
        "a node that joined claims to be \(alias), about whom you have to decide first: pawl verify \(alias); the ticket is still good",
        about: joiner.ticket.id, metadata: ["name": "\(card.name)", "id": "\(record.id.hex)"])
      return .refused(.spoilt)
    case .used, .expired, .spoilt, .withdrawn, .unknown: break
    }
    if let existing { await add(row: existing.row, record: record, machine: before, claim: existing.claim).run() }
    switch outcome {
    case .used: return .refused(.used)
    case .expired: return .refused(.expired)
    case .spoilt: return .refused(.spoilt)
    default: return .ignored
    }
  }
}
