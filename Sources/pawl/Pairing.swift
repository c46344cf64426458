internal import API
internal import ArgumentParser

/// `pawl invite`
struct Invite: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "invite", abstract: "Make a ticket that lets one new peer join.",
    discussion: """
      Prints the ticket, one line, on standard output, then waits until it is used or expires. Ctrl-C withdraws it. \
      Send it over a channel you trust: whoever has it first is the peer.
      """)

  @Argument(help: "The alias the new peer gets. (default: its own name)")
  var alias: String?

  @Option(help: ArgumentHelp("How long the ticket works: 90s, 15m, 2h. (default: 15m) [PAWL_EXPIRES]", valueName: "duration"))
  var expires: String?

  @Option(
    help: ArgumentHelp("Where the peer can reach us, instead of what the node finds. May be repeated.", valueName: "host:port"))
  var address: [String] = []

  @Flag(help: "ALIAS is a peer that has a new machine, or set it up anew: whoever joins takes its place once you agree.")
  var newMachine = false

  @Flag(help: "Print the ticket and return.")
  var noWait = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    _ = try expiresSeconds
    if newMachine, alias == nil { throw ValidationError("--new-machine needs the ALIAS of the peer.") }
  }

  private var expiresSeconds: UInt64 {
    get throws {
      guard let text = expires ?? Environment.value("PAWL_EXPIRES") else { return InviteRequest.defaultExpiresSeconds }
      guard let seconds = Units.parseDuration(text), seconds > 0 else {
        throw ValidationError("'\(TerminalText.escape(text))' is not a duration; write 90s, 15m or 2h.")
      }
      return seconds
    }
  }

  func perform() throws {
    let request = InviteRequest(
      alias: alias, expiresSeconds: try expiresSeconds, addresses: address, wait: !noWait, newMachine: newMachine)
    try ask(.invite(request)) { event in
      guard case .ticket(let ticket) = event else { return .standard(event) }
      return ticketReport(ticket, isWaiting: true)
    } report: { (result: InviteResult) in
      switch result {
      case .ticket(let ticket): ticketReport(ticket, isWaiting: false)
      case .paired(let pairing): PeerReport.pairing(pairing)
      }
    }
  }

  private func ticketReport(_ ticket: TicketResult, isWaiting: Bool) -> Report {
    let now = Clock.now
    let left = Units.duration(Double(ticket.expires - min(ticket.expires, now)))
    var remarks = ["it works once, for \(left); on the other machine: pawl join -   (and paste it)"]
    if isWaiting {
      remarks.append("waiting for it to be used; Ctrl-C withdraws it")
    } else if let id = ticket.id {
      remarks.append("to take it back: pawl tickets revoke \(TerminalText.escape(String(id.prefix(8))))")
    }
    if output.verbose { remarks.append("addresses in it: " + TerminalText.escape(ticket.addresses.joined(separator: ", "))) }
    return Report([ticket.ticket], remarks: remarks)
  }
}

/// `pawl join`
struct Join: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "join", abstract: "Pair with the teammate who made a ticket.")

  /// A ticket with eight of the longest addresses has some 3,600 characters.
  private static let maximumTicketBytes = 8_192

  @Argument(help: "The ticket, or - to read it from standard input, where no process list shows it.")
  var ticket = "-"

  @Option(help: "What to call the teammate. (default: its own name)")
  var alias: String?

  @Flag(
    help: "--alias is that of a peer who has a new machine, or set it up anew: it takes the old one's place once you agree.")
  var newMachine = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if newMachine, alias == nil { throw ValidationError("--new-machine needs the --alias of the peer.") }
  }

  func perform() throws {
    try ask(.join(JoinRequest(ticket: try ticketText(), alias: alias, newMachine: newMachine))) { (pairing: PairingResult) in
      PeerReport.pairing(pairing)
    }
  }

  private func ticketText() throws -> String {
    guard ticket == "-" else { return ticket }
    if Terminal.isTyped, !output.quiet, !output.json { Terminal.error("paste the ticket:") }
    guard let line = Terminal.firstLine(limit: Self.maximumTicketBytes) else {
      throw Failure(.usage, "there is no ticket on standard input", hint: "the teammate makes one with: pawl invite")
    }
    return line
  }
}
