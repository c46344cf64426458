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
        peer.blocked ? "–" : TerminalText.escape(peer.session), TerminalText.escape(peer.address ?? "–"),
      ]
      if verbose { cells += [TerminalText.escape(peer.name), peer.node] }
      table.add(cells)
    }
    return table.lines
  }

  /// What went wrong with peers lately: one line for each that had trouble, about the last of it, and one for what was lost.
  static func troubles(_ peers: [Peer]) -> [String] {
    peers.flatMap { peer in [trouble(peer), undelivered(peer)].compactMap(\.self) }
  }

  private static func undelivered(_ peer: Peer) -> String? {
    peer.undelivered.map { lost in
      let alias = TerminalText.escape(peer.alias)
      return
        "warning: \(alias): \(Units.plural(lost.count, "message")) could not be delivered, the last at \(Units.date(lost.at)); "
        + "ask again for what you miss"
    }
  }

  private static func trouble(_ peer: Peer) -> String? {
    guard let last = peer.troubles.last else { return nil }
    let more = peer.troubles.count - 1
    let others = more > 0 ? " (and \(more) more in the last 7 days: --json lists them)" : ""
    return "warning: " + text(last, with: TerminalText.escape(peer.alias)) + others
  }

  private static func text(_ trouble: Trouble, with alias: String) -> String {
    let at = Units.date(trouble.at)
    let (what, cure) =
      switch trouble.kind {
      case .rollback:
        ("our state was older than \(alias)'s at \(at) (a copied or restored state folder?)", "a fresh session was made")
      case .peerRollback:
        ("\(alias)'s state was older than ours at \(at) (a copied or restored state folder there?)", "a fresh session was made")
      case .lost:
        ("a session could not be continued here at \(at) (a restored, copied or damaged state folder?)", "it was repaired")
      case .reset:
        (
          "\(alias) could not continue a session at \(at) (a restored, copied or damaged state folder, here or there?)",
          "it was repaired"
        )
      case .fallback:
        ("a session was started without a one-time prekey at \(at), since none was at hand", "both sides confirmed it")
      default: ("something went wrong at \(at): \(TerminalText.escape(trouble.kind.rawValue))", "it was repaired")
      }
    guard let healed = trouble.healedAt else { return "\(alias): \(what); to be repaired when \(alias) is online" }
    let date = Units.date(healed)
    return "\(alias): \(what); \(cure) at \(date.prefix(10) == at.prefix(10) ? String(date.dropFirst(11)) : date)"
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
        "\(alias) takes this node for one that it knew under other keys: its user has to decide first, there: pawl verify",
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
