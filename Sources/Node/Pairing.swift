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
      throw NodeError(.usage, "a ticket may live from one second to seven days", hint: "for example: pawl invite --expires 2h")
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
      throw NodeError(
        .noSpace, "\(TicketRow.maximumAlive) tickets are open already",
        hint: "`pawl tickets` lists them, `pawl tickets revoke ID` takes one back")
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
  ///
  /// - Parameter notice: is told why a joiner who has the ticket was not let in; the waiting goes on.
  public func awaitUse(
    of invitation: Invitation, notice: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> PeerSummary {
    let waiter = TicketWaiter(expires: invitation.expires, notice: notice)
    let state = try await context.database.ticket(invitation.id)?.state
    if state == .withdrawn { throw Self.ticketRevoked }
    if case .usedBy(let id) = state {
      for peer in peers.values where peer.claim?.newcomer.id == id { throw NodeError.identityChanged(await peer.row.alias) }
      if let peer = peers[id] { return await peer.summary() }
    }
    ticketWaiters[invitation.id, default: []].append(waiter)
    let timer = startTask { [context] in
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
    startTask { [context] in try? await context.database.deleteExpiredTickets(now: context.now) }
  }
}
