internal import API
internal import ArgumentParser

/// What `pawl tickets` does with a ticket.
enum TicketChange: String, ExpressibleByArgument, CaseIterable {
  case revoke
}

/// `pawl tickets`
struct Tickets: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "tickets", abstract: "List the tickets that have not expired, or revoke one.",
    discussion: """
      Nobody can join with a revoked ticket, and an invite that waits for it ends.
        pawl tickets
        pawl tickets revoke 1a2b3c4d
      """)

  @Argument(help: ArgumentHelp("Take a ticket back.", valueName: "revoke"))
  var change: TicketChange?

  @Argument(help: ArgumentHelp("The ticket's id, the beginning of it, or the ticket itself.", valueName: "id"))
  var id: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if change != nil, id == nil { throw ValidationError("'revoke' needs the ID of a ticket; `pawl tickets` lists them.") }
  }

  func perform() throws {
    try ask(.tickets(TicketsRequest(revoke: id))) { (result: TicketsResult) in
      TicketReport.list(result, now: Clock.now, verbose: output.verbose)
    }
  }
}

/// How tickets are shown to people.
enum TicketReport {
  static func list(_ result: TicketsResult, now: UInt64, verbose: Bool) -> Report {
    if let revoked = result.revoked {
      return Report(["the ticket \(short(revoked, verbose)) is revoked"], remarks: ["nobody can join with it"])
    }
    guard !result.tickets.isEmpty else {
      return Report([], remarks: ["no tickets are open; make one with: pawl invite NAME"])
    }
    var table = Table([("ID", .left), ("FOR", .left), ("EXPIRES", .left), ("STATE", .left)])
    for ticket in result.tickets {
      let state =
        ticket.usedBy.map { "used by \(TerminalText.escape($0))" } ?? (ticket.spoiled ? "spoiled by bad attempts" : "open")
      table.add([
        short(ticket.id, verbose), ticket.alias.map { TerminalText.escape($0) } ?? "–",
        "in " + Units.duration(Double(ticket.expires - min(ticket.expires, now))), state,
      ])
    }
    let open = result.tickets.first { !$0.used && !$0.spoiled }
    return Report(table.lines, remarks: open.map { ["to take one back: pawl tickets revoke \(short($0.id, false))"] } ?? [])
  }

  private static func short(_ id: String, _ verbose: Bool) -> String {
    TerminalText.escape(verbose ? id : String(id.prefix(8)))
  }
}
