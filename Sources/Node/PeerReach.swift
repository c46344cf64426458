internal import Session
internal import Store

/// Where a peer may be reached, and in what order that is tried.
enum PeerReach {
  /// The address at which the last handshake succeeded comes first and stays whatever the peer says of itself: without it, one false
  /// or outdated word would be the end of finding each other. Then those of links that we dialled, what the peer says now, and what
  /// it said before.
  static func merge(
    reached: PeerAddress?, dialled: [PeerAddress] = [], claimed: [PeerAddress], known: [PeerAddress] = []
  ) -> [PeerAddress] {
    var merged: [PeerAddress] = []
    for address in (reached.map { [$0] } ?? []) + dialled + claimed + known where !merged.contains(address) {
      merged.append(address)
    }
    return Array(merged.prefix(PeerAddress.maximumCount))
  }
}

extension PeerRow {
  /// What is stored of where it may be reached, best first.
  var reach: [PeerAddress] {
    PeerReach.merge(reached: reachedAddress, claimed: addresses.compactMap { try? PeerAddress($0) })
  }

  /// Where the last handshake succeeded that we began.
  var reachedAddress: PeerAddress? { reached.flatMap { try? PeerAddress($0) } }
}

extension Peer {
  /// What the peer says of itself now, in a session that both sides have confirmed. The alias stays what the user chose.
  func adopt(_ card: Card) async {
    addresses = PeerReach.merge(
      reached: row.reachedAddress, dialled: links.compactMap(\.dialled), claimed: card.addresses, known: addresses)
    // It says the same again with each session and after each start.
    let texts = addresses.map(\.description)
    guard row.name != card.name || row.addresses != texts else { return }
    try? await context.database.setCard(id, name: card.name, addresses: texts)
    if let row = try? await context.database.peer(id) { adopt(row: row) }
  }

  /// We dialled an address, and the peer proved its key there.
  func noteReached(_ address: PeerAddress) async {
    guard row.reachedAddress != address else { return }
    try? await context.database.setReached(id, address.description)
    if let row = try? await context.database.peer(id) { adopt(row: row) }
    addresses = PeerReach.merge(reached: address, claimed: addresses)
  }
}
