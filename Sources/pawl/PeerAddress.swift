internal import API
internal import ArgumentParser

/// What `pawl peer address` does with an address.
enum AddressChange: String, ExpressibleByArgument, CaseIterable {
  case add, remove
}

/// `pawl peer address`
struct PeerAddress: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "address", abstract: "List the addresses of a peer, add one of your own, or remove one.",
    discussion: """
      Your own stay, whatever the peer says of itself, and are dialed at once.
        pawl peer address laptop
        pawl peer address laptop add 192.168.1.20:7411
        pawl peer address laptop remove 192.168.1.20:7411
      """)

  @Argument(help: PeerArgument.help)
  var peer: String

  @Argument(help: ArgumentHelp("What to do; without it, list.", valueName: "add|remove"))
  var change: AddressChange?

  @Argument(help: ArgumentHelp("A name or an IP address, and a port; IPv6 in brackets.", valueName: "host:port"))
  var address: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let change, address == nil { throw ValidationError("'\(change.rawValue)' needs the HOST:PORT.") }
  }

  func perform() throws {
    var request = PeerAddressRequest(peer: peer)
    switch change {
    case nil: break
    case .add: request.add = address
    case .remove: request.remove = address
    }
    try ask(.peerAddress(request)) { (result: PeerAddressesResult) in
      Report(AddressReport.lines(result), remarks: AddressReport.remarks(result, removed: request.remove))
    }
  }
}

/// How a peer's addresses are shown to people.
enum AddressReport {
  static func lines(_ result: PeerAddressesResult) -> [String] {
    guard !result.addresses.isEmpty else { return [] }
    var table = Table([("ADDRESS", .left), ("FROM", .left), ("REACHED", .left)])
    for address in result.addresses {
      let origin =
        switch address.origin {
        case .added: "you"
        case .ticket: "ticket"
        case .peer: TerminalText.escape(result.peer)
        case .other: "–"
        }
      table.add([TerminalText.escape(address.address), origin, address.reached ? "yes" : ""])
    }
    return table.lines
  }

  static func remarks(_ result: PeerAddressesResult, removed: String? = nil) -> [String] {
    let alias = TerminalText.escape(result.peer)
    var remarks: [String] = []
    if result.addresses.isEmpty {
      remarks.append(
        "\(alias) has no address: it has to connect to this node; to add one: pawl peer address \(alias) add HOST:PORT")
    }
    if let removed { remarks.append("should \(alias) name \(TerminalText.escape(removed)) itself, it comes back") }
    if !result.online, !result.addresses.isEmpty { remarks.append("\(alias) is offline; it is dialed at these by itself") }
    return remarks
  }
}

/// How every command explains an argument that names a peer.
enum PeerArgument {
  static let help: ArgumentHelp = "The peer's alias, or the first 8 or more digits of its node id."
}
