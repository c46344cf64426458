internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// The inviter's side of pairing: a ticket lets one new peer in, and both sides know each other's identity afterwards.
extension Node {
  /// How long a ticket lives unless the user says otherwise.
  public static let defaultTicketSeconds: UInt64 = 15 * 60
  /// Longest life of a ticket: it is a secret in somebody's chat.
  public static let maximumTicketSeconds: UInt64 = 7 * 24 * 3_600
  /// How long an expired ticket is remembered.
  static let expiredTicketSeconds: UInt64 = 24 * 3_600

  /// A ticket as its creator hands it on.
  public struct Invitation: Sendable {
    /// 16 bytes that name the ticket without its secret.
    public let id: [UInt8]
    /// The one line to hand to the teammate. Secret.
    public let text: String
    /// Unix seconds.
    public let expires: UInt64
    /// The `HOST:PORT` in it.
    public let addresses: [String]
  }

  // MARK: Invite

  /// Makes a ticket for one new peer, or for a peer's new machine: then `alias` is that peer's.
  public func invite(
    alias: String?, newMachine: Bool = false, lifeSeconds: UInt64, addresses: [String]
  ) async throws -> Invitation {
    guard lifeSeconds > 0, lifeSeconds <= Self.maximumTicketSeconds else {
      throw NodeError(.usage, "a ticket may live from one second to seven days")
    }
    let replaced = newMachine ? try await peerWithNewMachine(alias) : nil
    if let alias, replaced == nil {
      try await checkFree(alias: alias, hint: "for a new machine of theirs: `pawl invite \(alias) --new-machine`")
    }
    var reachable: [PeerAddress] = []
    for text in addresses {
      guard let address = try? PeerAddress(text) else {
        throw NodeError(.usage, "“\(text)” is no HOST:PORT", hint: "for example 192.168.1.20:7411 or [fd00::1]:7411")
      }
      guard SocketAddress(ip: address.host, port: address.port)?.isWildcard != true else {
        throw NodeError(
          .usage, "\(address) is no place that anybody can connect to",
          hint: "give the address at which the teammate reaches this machine")
      }
      reachable.append(address)
    }
    if reachable.isEmpty { reachable = advertisedAddresses() }
    let expires = context.now + lifeSeconds
    let ticket = try Ticket.mint(
      for: context.identity, addresses: reachable, expires: expires, randomness: context.crypto.randomness)
    let row = TicketRow(
      id: ticket.id, bytes: ticket.bytes, expires: expires, alias: await replaced?.row.alias ?? alias, replaces: replaced?.id)
    do { try await context.database.addTicket(row, now: context.now) } catch {
      guard error.code == .tooManyTickets else { throw error }
      throw NodeError(.noSpace, "too many tickets are open", hint: "wait until some expire, or let teammates use them")
    }
    return Invitation(id: ticket.id, text: ticket.text, expires: expires, addresses: reachable.map(\.description))
  }

  /// The peer that the user says has a new machine.
  func peerWithNewMachine(_ alias: String?) async throws -> Peer {
    guard let alias else { throw NodeError(.usage, "say whose new machine it is", hint: "give the alias that the peer has") }
    let peer = try await peer(alias: alias)
    guard await !peer.row.blocked else { throw NodeError.identityChanged(await peer.row.alias) }
    return peer
  }

  /// Waits until the ticket is used. Throws when it expires; withdraws it when the waiting task is cancelled.
  public func awaitUse(of invitation: Invitation) async throws -> PeerSummary {
    let waiter = TicketWaiter(expires: invitation.expires)
    if let row = try await context.database.ticket(invitation.id), case .usedBy(let id) = row.state {
      for peer in peers.values where peer.claim?.newcomer.id == id { throw NodeError.identityChanged(await peer.row.alias) }
      if let peer = peers[id] { return await peer.summary() }
    }
    ticketWaiters[invitation.id, default: []].append(waiter)
    let timer = Task { [context] in
      let left = invitation.expires > context.now ? invitation.expires - context.now : 0
      try await context.loop.sleep(for: .seconds(Int64(left)))
      self.expireTickets()
    }
    defer { timer.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { waiter.wait($0) }
      } onCancel: {
        waiter.fail(CancellationError())
      }
    } catch is CancellationError {
      try? await context.database.withdrawTicket(invitation.id)
      throw CancellationError()
    }
  }

  /// Tells those who wait for tickets that have expired.
  func expireTickets() {
    for (id, waiters) in ticketWaiters {
      let (expired, alive) = (waiters.filter { $0.expires <= context.now }, waiters.filter { $0.expires > context.now })
      for waiter in expired {
        waiter.fail(NodeError(.timeout, "the ticket has expired and nobody used it", hint: "make a new one with `pawl invite`"))
      }
      ticketWaiters[id] = alive.isEmpty ? nil : alive
    }
    // A ticket is kept for a while after its end, so that somebody who comes late is told that it is expired.
    let forgotten = context.now - min(context.now, Self.expiredTicketSeconds)
    Task { try? await context.database.deleteExpiredTickets(now: forgotten) }
  }

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
    do {
      let introduction = try Introduction(parsing: payload.span)
      let (record, _) = try introduction.verify(by: id, expecting: nil, linkKey: remoteKey, at: context.now)
      guard record.id != id else { throw SessionError(.wrongOwner) }
      try await admit(record, introduction.card, ticket: ticketID, over: connection)
    } catch is SessionError {
      _ = try await context.database.countSpoilt(ticketID)
      try await connection.send(LinkFrame.pairRefused(.spoilt).encoded)
      await connection.close()
    }
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

  private func admit(_ record: IdentityRecord, _ card: Card, ticket: [UInt8], over connection: SecureConnection) async throws {
    switch try await changingPeers({ try await self.enrol(record, card, ticket: ticket, over: connection) }) {
    case .peer(let peer, let bundle):
      let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try self.card())
      try await connection.send(LinkFrame.pairAccepted(ours).encoded)
      await peer.attach(Link(number: LinkNumber.next(), connection: connection, dialled: nil, peerStarts: true))
      await peer.run()
      let summary = await peer.summary()
      context.logger.info("paired", metadata: ["peer": "\(summary.alias)", "id": "\(record.id.hex)"])
      for waiter in ticketWaiters.removeValue(forKey: ticket) ?? [] { waiter.succeed(summary) }
    case .waiting(let alias, let bundle):
      for waiter in ticketWaiters.removeValue(forKey: ticket) ?? [] { waiter.fail(NodeError.identityChanged(alias)) }
      let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try self.card())
      try await connection.send(LinkFrame.pairAccepted(ours).encoded)
      // In the place of COUNTERS: the joiner has its answer, and is let in when the user wants it.
      await connection.close(saying: LinkFrame.close.encoded)
    case .refused(let refusal): await connection.close(saying: LinkFrame.pairRefused(refusal).encoded)
    case .ignored: await connection.close()
    }
  }

  private func enrol(
    _ record: IdentityRecord, _ card: Card, ticket: [UInt8], over connection: SecureConnection
  ) async throws -> Admission {
    // A node that pairs again keeps what we know of it; its old links end here.
    let existing = peers[record.id]
    await existing?.stop(because: NodeError(.unreachable, "it is being paired anew", hint: "try again"))
    let likeness = existing == nil ? await likeness(of: record, name: card.name, places: card.addresses) : nil
    var machine = try await machine(for: record, existing: existing)
    let before = machine
    let outcome: PairingOutcome
    let bundle: Bundle
    do {
      let commit: SessionCommit
      (bundle, commit) = try machine.pairingBundle(at: context.now)
      let newcomer = NewPeer(
        id: record.id, record: record.bytes, name: card.name, addresses: stored(card.addresses, toldOver: connection),
        added: context.now)
      outcome = try await context.database.completePairing(
        ticket: ticket, peer: newcomer, likeness: likeness, commits: [commit], now: context.now)
    } catch {
      if let existing { await add(row: existing.row, record: record, machine: before, claim: existing.claim).run() }
      throw error
    }
    switch outcome {
    case .paired(let row), .repeated(let row):
      let peer = add(row: row, record: record, machine: machine, claim: existing?.claim)
      return row.blocked ? .waiting(row.alias, bundle) : .peer(peer, bundle)
    case .claimed(let claim):
      try await block(claim)
      // Without a one-time pair: those are kept for peers alone.
      let bare = try prekeys.bundle(from: context.identity, to: record.id, at: context.now, crypto: context.crypto)
      return .waiting(await alias(of: claim.peer), bare)
    case .occupied:
      context.logger.warning(
        "another node claims to be a peer about whom you have to decide first: refused",
        metadata: ["name": "\(card.name)", "id": "\(record.id.hex)"])
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
