internal import API

/// How peers are shown to people.
enum PeerReport {
  /// A table of peers.
  static func table(_ peers: [Peer], now: UInt64, verbose: Bool) -> [String] {
    var columns: [(title: String, alignment: Table.Alignment)] = [
      ("PEER", .left), ("STATE", .left), ("SEEN", .left), ("VERIFIED", .left), ("SESSION", .left), ("ADDRESS", .left),
    ]
    if verbose { columns += [("NAME", .left), ("NODE ID", .left)] }
    var table = Table(columns)
    for peer in peers {
      var cells = [
        TerminalText.escape(peer.alias), state(peer), seen(peer, now: now), peer.verified ? "yes" : "no",
        TerminalText.escape(peer.session), TerminalText.escape(peer.address ?? "–"),
      ]
      if verbose { cells += [TerminalText.escape(peer.name), peer.node] }
      table.add(cells)
    }
    return table.lines
  }

  /// After a pairing: who it is, and the number to compare.
  static func pairing(_ pairing: PairingResult) -> Report {
    let peer = pairing.peer
    let alias = TerminalText.escape(peer.alias)
    let name = TerminalText.escape(peer.name)
    let called = peer.name == peer.alias ? alias : "\(alias) (calls itself \(name))"
    var remarks: [String] = []
    if !peer.verified {
      remarks.append("compare the number with them, over a call; if it is the same: pawl verify \(alias) --confirm")
    }
    if pairing.waits == true {
      remarks += [
        "\(alias) knew another node under your name: its user has to decide first, there: pawl verify",
        "nothing more is to be done here; it links up by itself",
      ]
    } else {
      remarks.append("what they share: pawl ls \(alias)")
    }
    return Report(
      [(pairing.alreadyPaired ? "already paired with " : "paired with ") + called]
        + Table.facts([("node id", peer.node)]) + safetyNumber(pairing.safetyNumber),
      remarks: remarks)
  }

  /// The safety number, three lines of four groups.
  static func safetyNumber(_ digits: String) -> [String] {
    let lines = Fingerprint.safetyNumberLines(TerminalText.escape(digits))
    return ["  safety number"] + lines.map { "    " + $0 }
  }

  private static func state(_ peer: Peer) -> String { peer.blocked ? "BLOCKED" : peer.online ? "online" : "offline" }

  private static func seen(_ peer: Peer, now: UInt64) -> String {
    if peer.online { return "now" }
    return peer.lastSeen.map { Units.age(of: $0, now: now) } ?? "never"
  }
}
