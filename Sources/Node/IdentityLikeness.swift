internal import Session
internal import Store

/// What a newcomer is held against: a peer that we are paired with.
struct KnownPeer: Sendable {
  let record: IdentityRecord
  /// What this node's user calls it.
  let alias: String
  /// What it last called itself.
  let name: String
  /// Where it was or claims to be reachable.
  let places: [PeerAddress]
  /// A link to it is up: it is alive under the keys that we know.
  let isLinked: Bool
  /// The newcomer that waits for the user's decision about this peer.
  let newcomer: NodeID?
}

/// Whether a node that is not known seems to be a peer under new keys.
///
/// There is no server that could say so, and a node's id is the hash of its keys: another key is another node. What is left are the
/// keys themselves, and what a machine that was set up anew keeps: its name and its place. Both are claims, and a question to the
/// user is all that follows from them.
enum IdentityLikeness {
  /// The peer that the newcomer resembles, and in what; a key in common says more than a name.
  ///
  /// - Parameter given: the alias that this node's user gave with the ticket. By that word the newcomer is none of the peers that are
  ///   called otherwise, whatever name and place they have in common: two machines behind one address may well have one host name.
  static func find(
    _ record: IdentityRecord, name: String, places: [PeerAddress], given: String?, among peers: [KnownPeer]
  ) -> (peer: NodeID, reason: ClaimReason)? {
    let others = peers.filter { $0.record.id != record.id }
    if let waiting = others.first(where: { $0.newcomer == record.id }) { return (waiting.record.id, .nameAndPlace) }
    if let owner = others.first(where: { sharesKey(record, $0.record) }) { return (owner.record.id, .sharedKey) }
    // Whom the user calls so comes before one that took to calling itself so.
    let namesakes = (others.filter { $0.alias == name } + others.filter { $0.name == name && $0.alias != name })
      .filter { given == nil || $0.alias == given }
    let namesake = namesakes.first { peer in
      if places.contains(where: peer.places.contains) { return true }
      // On another port of the same machine it is the same node only if that one is not there to contradict.
      let hosts = Set(peer.places.map(\.host))
      return !peer.isLinked && places.contains { hosts.contains($0.host) }
    }
    return namesake.map { ($0.record.id, .nameAndPlace) }
  }

  private static func sharesKey(_ one: IdentityRecord, _ other: IdentityRecord) -> Bool {
    let dhKeys = [other.linkKey, other.agreeKey]
    return one.ed25519Key == other.ed25519Key || one.mldsaKey == other.mldsaKey || dhKeys.contains(one.linkKey)
      || dhKeys.contains(one.agreeKey)
  }
}

extension Peer {
  /// What a newcomer is held against.
  var known: KnownPeer {
    KnownPeer(
      record: record, alias: row.alias, name: row.name, places: addresses, isLinked: isLinked, newcomer: claim?.newcomer.id)
  }
}

extension Node {
  /// The peer that a newcomer resembles. Peers are looked at by alias, so that the answer does not depend on chance.
  func likeness(
    of record: IdentityRecord, name: String, places: [PeerAddress], given: String?
  ) async -> (peer: NodeID, reason: ClaimReason)? {
    var known: [(alias: String, peer: KnownPeer)] = []
    for peer in peers.values { known.append((await peer.row.alias, await peer.known)) }
    known.sort { $0.alias < $1.alias }
    return IdentityLikeness.find(record, name: name, places: places, given: given, among: known.map(\.peer))
  }
}
