internal import Logging
internal import Store

/// What the inviter is told about attempts to use its tickets: each thing once, so that repeating an attempt fills no log.
struct TicketNotices {
  /// Different things said of one ticket.
  static let maximumPerTicket = 8

  private var said: [[UInt8]: Set<String>] = [:]

  /// Whether to say it. Takes note that it was said.
  mutating func isNew(_ text: String, about ticket: [UInt8]) -> Bool {
    if said[ticket] == nil, said.count >= TicketRow.maximumAlive { said = [:] }
    guard said[ticket, default: []].count < Self.maximumPerTicket else { return false }
    return said[ticket, default: []].insert(text).inserted
  }
}

extension Node {
  /// Tells the log, and those who wait for the ticket to be used, why a joiner was not let in. They go on waiting.
  func notice(_ text: String, about ticket: [UInt8], metadata: Logger.Metadata = [:]) {
    guard ticketNotices.isNew(text, about: ticket) else { return }
    context.logger.warning("\(text)", metadata: metadata)
    for waiter in ticketWaiters[ticket] ?? [] { waiter.notice(text) }
  }
}
