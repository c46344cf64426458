internal import Logging
internal import Session
internal import Store

/// A peer of which something that is stored does not open. Nothing is exchanged with it until it is
/// paired again; all others work on.
struct DamagedPeer: Sendable {
  let row: PeerRow
  /// Whether another node claims to be this peer.
  let isClaimed: Bool

  /// What to do about it.
  static let cure = "pair again (pawl invite, and pawl join there), or stop the node and restore its database from a backup"

  /// What a user is told in `status`.
  var warning: String {
    "\(row.alias): what is stored of its session is damaged, so nothing goes to it or comes from it; \(Self.cure)"
  }

  /// What a command about this peer ends with.
  var error: NodeError {
    NodeError(.failed, "what is stored of the session with \(row.alias) is damaged", hint: Self.cure)
  }

  /// What to tell people about it.
  func summary(_ numbers: SafetyNumbers) -> PeerSummary {
    PeerSummary(
      alias: row.alias, id: row.id.hex, name: row.name,
      addresses: AddressOrigins.read(row.addresses).addresses.map(\.description),
      isVerified: row.verified, isBlocked: row.blocked, isIdentityChanged: isClaimed, isOnline: false, added: row.added,
      lastSeen: row.lastSeen, health: "damaged", troubles: [], undelivered: nil, node: row.id,
      numbers: numbers)
  }
}

extension Node {
  /// The damaged peer of an alias.
  func damagedPeer(alias: String) -> DamagedPeer? {
    damagedPeers.values.first { $0.row.alias == alias || $0.row.id.hex == alias }
  }

  /// Forgets a damaged peer.
  func revoke(_ damaged: DamagedPeer) async throws -> (peer: PeerSummary, transfersEnded: Int) {
    let revoked = try await context.database.revoke(damaged.row.id)
    damagedPeers[damaged.row.id] = nil
    await removeOrphanedPartials()
    context.logger.info("revoked", metadata: ["peer": "\(damaged.row.alias)"])
    return (damaged.summary(context.numbers), revoked?.transfers.count ?? 0)
  }
}
