internal import API
internal import ArgumentParser

/// `pawl status`
struct Status: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Is the node running, who are we, who is online, what moves.")

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.status) { (status: StatusResult) in Report(lines(status, now: Clock.now)) }
  }

  private func lines(_ status: StatusResult, now: UInt64) -> [String] {
    let uptime = Units.duration(Double(now - min(now, status.started)))
    let online = status.peers.count { $0.online }
    var lines = [
      "node \(TerminalText.escape(status.name)) is running (pid \(status.pid), up \(uptime), version \(status.version))"
    ]
    var facts = [
      ("fingerprint", status.fingerprint), ("listening", TerminalText.escape(status.listening)),
      ("state", TerminalText.escape(status.state)), ("shared", Units.plural(status.shared, "artifact")),
      ("peers", status.peers.isEmpty ? "none yet; invite one with: pawl invite" : "\(online) of \(status.peers.count) online"),
    ]
    if status.tickets > 0 { facts.append(("tickets", "\(status.tickets) waiting to be used")) }
    if output.verbose { facts.insert(("node id", status.node), at: 0) }
    lines += Table.facts(facts)
    if !status.peers.isEmpty { lines += [""] + PeerReport.table(status.peers, now: now, verbose: output.verbose) }
    if !status.transfers.isEmpty { lines += [""] + transfers(status.transfers) }
    let troubles = PeerReport.troubles(status.peers)
    if !troubles.isEmpty || !status.warnings.isEmpty { lines += [""] }
    lines += troubles
    lines += status.warnings.map { "warning: " + TerminalText.escape($0, doublingBackslashes: false) }
    return lines
  }

  private func transfers(_ transfers: [TransferStatus]) -> [String] {
    var table = Table([
      ("TRANSFER", .left), ("PEER", .left), ("ARTIFACT", .left), ("STATE", .left), ("DONE", .right), ("SIZE", .right),
      ("RATE", .right),
    ])
    for transfer in transfers {
      let version = transfer.version.map { "@v\($0)" } ?? ""
      table.add([
        (transfer.direction == .pull ? "pull " : "serve ") + TerminalText.escape(transfer.id),
        TerminalText.escape(transfer.peer), TerminalText.escape(transfer.artifact) + version,
        TerminalText.escape(transfer.state),
        // A server knows what it has sent, not what the other side still wants.
        transfer.bytesTotal > 0 ? Units.percent(transfer.bytes, of: transfer.bytesTotal) : Units.bytes(transfer.bytes),
        transfer.bytesTotal > 0 ? Units.bytes(transfer.bytesTotal) : "–",
        transfer.bytesPerSecond > 0 ? Units.rate(transfer.bytesPerSecond) : "–",
      ])
    }
    return table.lines
  }
}

/// `pawl id`
struct Identify: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "id", abstract: "Node id, fingerprint, addresses.")

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.id) { (identity: IdentityResult) in
      var facts = [
        ("name", TerminalText.escape(identity.name)), ("node id", identity.node), ("fingerprint", identity.fingerprint),
      ]
      for (index, address) in identity.addresses.enumerated() {
        facts.append((index == 0 ? "addresses" : "", TerminalText.escape(address)))
      }
      return Report(Table.facts(facts).map { String($0.dropFirst(2)) })
    }
  }
}

/// `pawl version`
struct PrintVersion: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "This program's version; needs no node.")

  @OptionGroup var output: OutputOptions

  func perform() throws {
    if output.json {
      Terminal.out((try? Lines.result(VersionResult())) ?? [])
    } else {
      Terminal.out("pawl \(Version.program)")
    }
  }
}
