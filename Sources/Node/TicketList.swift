internal import Logging
internal import Session
internal import Store
internal import Wire

/// A ticket without its secret, for people and scripts.
public struct TicketEntry: Sendable {
  /// 16 bytes in hex.
  public let id: String
  /// The alias that the new peer gets; nil: its own name.
  public let alias: String?
  /// Unix seconds.
  public let expires: UInt64
  /// The alias of the node that joined with it, or the beginning of its id; nil: nobody has.
  public let usedBy: String?
  /// Too many bad attempts used it up.
  public let isSpoilt: Bool
}

extension Node {
  /// The tickets that have neither expired nor been withdrawn, soonest to expire first.
  public func tickets() async throws -> [TicketEntry] {
    var entries: [TicketEntry] = []
    for row in try await standingTickets() {
      var usedBy: String?
      if case .usedBy(let id) = row.state { usedBy = await alias(of: id) }
      entries.append(
        TicketEntry(id: Hex.encode(row.id), alias: row.alias, expires: row.expires, usedBy: usedBy, isSpoilt: row.isSpoilt))
    }
    return entries
  }

  /// Takes a ticket back. Returns its id; afterwards nobody can join with it, and an `invite` that waits for it has ended.
  ///
  /// - Parameter text: the beginning of its id, or the ticket itself.
  public func revokeTicket(_ text: String) async throws -> String {
    let prefix = (try? Ticket(text)).map { Hex.encode($0.id) } ?? text
    let row = try IDPrefix(prefix, of: "ticket", listedBy: "pawl tickets").only(of: try await standingTickets()) {
      Hex.encode($0.id)
    }
    try await context.database.withdrawTicket(row.id)
    // Asked afterwards: somebody may have joined with it in the same moment.
    if case .usedBy(let id) = try await context.database.ticket(row.id)?.state {
      let alias = await alias(of: id)
      throw NodeError(
        .conflict, "\(alias) has joined with this ticket already", hint: "to forget that peer: pawl revoke \(alias)")
    }
    for waiter in ticketWaiters.removeValue(forKey: row.id) ?? [] { waiter.fail(Self.ticketRevoked) }
    context.logger.info("a ticket was revoked", metadata: ["ticket": "\(Hex.encode(row.id))"])
    return Hex.encode(row.id)
  }

  private func standingTickets() async throws -> [TicketRow] {
    try await context.database.tickets(now: context.now).filter { $0.state != .withdrawn }
  }

  /// What an `invite` that waits is told.
  static let ticketRevoked = NodeError(
    .interrupted, "the ticket was revoked with `pawl tickets revoke`; nobody can join with it",
    hint: "make a new one with: pawl invite")
}
