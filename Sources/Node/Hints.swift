internal import Artifact
internal import Session
internal import Store

/// What a user probably meant.
extension Node {
  /// Says why no peer is meant by a text, and what to write instead.
  func noPeer(_ text: String) async -> NodeError {
    var aliases: [String] = []
    for peer in peers.values { aliases.append(await peer.row.alias) }
    let list = "`pawl peers` lists them"
    if aliases.isEmpty {
      return NodeError(
        .notFound, "no peer is called “\(text)”: there are no peers yet",
        hint: "pair with one: pawl invite, or pawl join TICKET")
    }
    if let slash = text.firstIndex(of: "/"), aliases.contains(String(text[..<slash])) {
      return NodeError(
        .notFound, "“\(text)” is an artifact of \(text[..<slash]), not a peer", hint: "to see what is in it: pawl show \(text)")
    }
    if text == configuration.name {
      return NodeError(
        .notFound, "“\(text)” is this node itself, not a peer", hint: "what is shared from here: pawl ls; \(list)")
    }
    if let artifact = try? await context.database.published(name: text, version: nil) {
      return NodeError(
        .notFound, "“\(text)” is an artifact that is shared from here, not a peer",
        hint: "to see what is in it: pawl show \(artifact.name)")
    }
    let digits = text.lowercased()
    let matches = peers.values.count { !digits.isEmpty && $0.id.hex.hasPrefix(digits) }
    if matches > 0 {
      return digits.utf8.count < Self.shortestIDPrefix
        ? NodeError(
          .notFound, "no peer is called “\(text)”",
          hint: "of a node id the first \(Self.shortestIDPrefix) digits are needed, at least; \(list)")
        : NodeError(.notFound, "the node ids of \(matches) peers begin with \(text)", hint: "give more digits; \(list)")
    }
    let near = NearName.nearest(to: text, in: aliases).map { "did you mean \($0)? " }
    return NodeError(.notFound, "no peer is called “\(text)”", hint: "\(near ?? "")\(list)")
  }

  /// Says that a reference to a peer's artifact lacks the peer.
  func withoutPeer(_ reference: ArtifactReference) async -> NodeError {
    let name = reference.name.text
    var aliases: [String] = []
    for peer in peers.values { aliases.append(await peer.row.alias) }
    if aliases.contains(name) {
      return NodeError(
        .usage, "“\(name)” is a peer: say which of its artifacts, \(name)/NAME", hint: "what it shares: pawl ls \(name)")
    }
    if aliases.count == 1 {
      return NodeError(
        .usage, "say from whom: PEER/\(reference)", hint: "from your only peer: pawl pull \(aliases[0])/\(reference)")
    }
    return NodeError(
      .usage, "say from whom: PEER/\(reference)",
      hint: aliases.isEmpty ? "there are no peers yet; pair with one: pawl invite" : "`pawl peers` lists the peers")
  }

  /// Says that nothing is shared from here under a reference.
  func nothingShared(_ reference: ArtifactReference) async -> NodeError {
    let name = reference.name.text
    for peer in peers.values where await peer.row.alias == name {
      return NodeError(
        .notFound, "nothing is shared from here as \(reference), which is a peer", hint: "what it shares: pawl ls \(name)")
    }
    let versions = (try? await context.database.offered(name: name, version: nil)) ?? []
    if reference.version != nil, let newest = versions.map(\.version).max() {
      return NodeError(
        .notFound, "nothing is shared as \(reference)",
        hint: "the newest version is \(name)@v\(newest); `pawl ls` lists them all")
    }
    // A hint is not worth a look at a hundred thousand names.
    let first = (try? await context.database.offered(after: .start, limit: 1_000)) ?? []
    let near = NearName.nearest(to: name, in: first.map(\.version.name)).map { "did you mean \($0)? " }
    return NodeError(.notFound, "nothing is shared as \(reference)", hint: "\(near ?? "")`pawl ls` lists what is")
  }
}

/// Names that differ by a slip of the finger.
enum NearName {
  /// Longer names are not compared: a few of them would cost more than the hint is worth.
  private static let longest = 64

  /// The only or first of the names that is a typing error away: one edit for short ones, two from six letters on.
  static func nearest(to text: String, in names: [String]) -> String? {
    let wanted = Array(text.lowercased().unicodeScalars)
    guard !wanted.isEmpty, wanted.count <= longest else { return nil }
    let allowed = wanted.count < 3 ? 0 : wanted.count < 6 ? 1 : 2
    let near = names.compactMap { name -> (distance: Int, name: String)? in
      let other = Array(name.lowercased().unicodeScalars)
      guard abs(other.count - wanted.count) <= allowed else { return nil }
      let distance = distance(wanted, other)
      return distance <= allowed ? (distance, name) : nil
    }
    return near.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
  }

  /// Insertions, deletions, replacements, and two neighbors swapped, each counted once (optimal string alignment).
  static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    var before: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
      var next = [row + 1]
      for column in right.indices {
        var best = min(last[column + 1] + 1, next[column] + 1, last[column] + (left[row] == right[column] ? 0 : 1))
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          best = min(best, before[column - 1] + 1)
        }
        next.append(best)
      }
      (before, last) = (last, next)
    }
    return last[right.count]
  }
}
