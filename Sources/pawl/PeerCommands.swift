internal import API
internal import ArgumentParser

/// `pawl peers`
struct Peers: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers", abstract: "Whom we are paired with, seen when, verified or not.")

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.peers) { (result: PeersResult) in
      guard !result.peers.isEmpty else {
        return Report([], remarks: ["no peers yet; invite one with: pawl invite NAME"])
      }
      let troubles = PeerReport.troubles(result.peers)
      return Report(
        PeerReport.table(result.peers, now: Clock.now, verbose: output.verbose) + IdentityReport.questions(result.peers)
          + (troubles.isEmpty ? [] : [""]) + troubles)
    }
  }
}

/// `pawl peer`
struct PeerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peer", abstract: "Change what we know of a peer.", subcommands: [PeerRename.self, PeerAddress.self])
}

/// `pawl peer rename`
struct PeerRename: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "rename", abstract: "Give a peer another alias.")

  @Argument(help: "The alias now, or the first 8 or more digits of the node id.")
  var old: String

  @Argument(help: "The alias from now on.")
  var new: String

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.rename(RenameRequest(old: old, new: new))) { (result: RenameResult) in
      Report(["\(TerminalText.escape(result.old)) is now \(TerminalText.escape(result.peer.alias))"])
    }
  }
}

/// `pawl revoke`
struct Revoke: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Forget a peer, its sessions and what it may see.")

  @Argument(help: PeerArgument.help)
  var peer: String

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.revoke(RevokeRequest(peer: peer))) { (result: RevokeResult) in
      var line = "\(TerminalText.escape(result.alias)) is forgotten"
      if result.transfersEnded > 0 { line += "; \(Units.plural(result.transfersEnded, "transfer")) ended" }
      return Report(
        [line],
        remarks: [
          "what it has pulled already stays with it",
          "to pair again: pawl invite \(TerminalText.escape(result.alias))",
        ])
    }
  }
}
