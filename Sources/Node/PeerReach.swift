internal import Session
internal import Store

/// Where a peer may be reached, and in what order that is tried.
enum PeerReach {
  /// The address at which the last handshake succeeded comes first and stays whatever the peer says of itself: without it, one false
  /// or outdated word would be the end of finding each other. Then those that the user added, those of links that we dialled, what the peer says now, and what
  /// it said before.
  static func merge(
    reached: PeerAddress?, added: [PeerAddress] = [], dialled: [PeerAddress] = [], claimed: [PeerAddress],
    known: [PeerAddress] = []
  ) -> [PeerAddress] {
    var merged: [PeerAddress] = []
    for address in (reached.map { [$0] } ?? []) + added + dialled + claimed + known where !merged.contains(address) {
      merged.append(address)
    }
    return Array(merged.prefix(PeerAddress.maximumCount))
  }
}

extension PeerRow {
  /// Where the last handshake succeeded that we began.
  var reachedAddress: PeerAddress? { reached.flatMap { try? PeerAddress($0) } }
}

extension Peer {
  /// What the peer says of itself now, over a link of this scope, in a session that both sides have confirmed. The alias stays what
  /// the user chose.
  func adopt(_ card: Card, toldOver scope: AddressScope) {
    let old = addresses.filter { origins.origin(of: $0) != .inherited }
    origins.note(card.addresses, toldOver: scope)
    let rules = dialRules()
    addresses = PeerReach.merge(
      reached: row.reachedAddress, added: addedAddresses, dialled: links.compactMap(\.dialled),
      claimed: card.addresses.filter(rules.mayKeep),
      known: old.filter(rules.mayKeep))
    origins.keep(only: addresses)
  }

  /// We dialled an address, and the peer proved its key there.
  func noteReached(_ address: PeerAddress) async {
    guard row.reachedAddress != address else { return }
    try? await context.database.setReached(id, address.description)
    if let row = try? await context.database.peer(id) { adopt(row: row) }
    origins.noteReached(address)
    addresses = PeerReach.merge(reached: address, added: addedAddresses, claimed: addresses)
    origins.keep(only: addresses)
  }
}
