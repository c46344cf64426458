internal import API

/// How identities are shown to people: a safety number to compare, or two and a question.
enum IdentityReport {
  /// A line for each peer whose identity changed; below the table of peers.
  static func questions(_ peers: [Peer]) -> [String] {
    peers.filter { $0.identity == "changed" }.map { peer in
      let alias = TerminalText.escape(peer.alias)
      return "\(alias): identity key changed - blocked until you decide: pawl verify \(alias)"
    }
  }

  /// What `verify` says.
  static func verification(_ result: VerifyResult, now: UInt64) -> Report {
    guard let new = result.new else { return verification(result) }
    let alias = TerminalText.escape(result.peer.alias)
    let why =
      switch new.reason {
      case "shared_key": "the new node has a key of \(alias)'s old one"
      case "announced": "you said that \(alias) has a new machine, and this one came"
      default: "the new node comes under the name and from the place of \(alias)"
      }
    return Report(
      ["\(alias): identity key changed - blocked until you decide", "", "old"]
        + Table.facts([
          ("node id", result.peer.node), ("paired", Units.age(of: result.peer.paired, now: now)),
          ("last seen", result.peer.lastSeen.map { Units.age(of: $0, now: now) } ?? "never"),
          ("verified", result.peer.verified ? "yes" : "no"),
        ])
        + PeerReport.safetyNumber(result.safetyNumber) + ["", "new"]
        + Table.facts([
          ("node id", new.node), ("came", Units.age(of: new.came, now: now)), ("name", TerminalText.escape(new.name)),
          ("address", new.addresses.isEmpty ? "–" : TerminalText.escape(new.addresses.joined(separator: ", "))),
        ])
        + PeerReport.safetyNumber(new.safetyNumber),
      remarks: [
        "\(why); was the old machine set up anew, or replaced?",
        "ask them, over a call, and compare the new number; if it is the same: pawl verify \(alias) --accept-new --confirm",
        "if they know nothing of it, somebody used your ticket in their name: pawl verify \(alias) --keep-old",
      ])
  }

  private static func verification(_ result: VerifyResult) -> Report {
    let alias = TerminalText.escape(result.peer.alias)
    var remarks: [String] = []
    if result.decided == .acceptNew {
      remarks.append("what you had shared with \(alias) is shared with the new node; the old one is revoked")
    }
    if result.decided == .keepOld {
      remarks.append(
        "the new node is forgotten; if it is a teammate's other machine, give it another name: pawl up --name NAME")
    }
    if !result.peer.verified {
      remarks.append("both of you must see the same 60 digits; if you do: pawl verify \(alias) --confirm")
    }
    return Report(
      ["\(alias) is \(result.peer.verified ? "verified" : "not verified")"]
        + Table.facts([("node id", result.peer.node)]) + PeerReport.safetyNumber(result.safetyNumber),
      remarks: remarks)
  }
}
