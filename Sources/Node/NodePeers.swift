internal import Artifact
internal import EventLoop
internal import Logging
internal import Session
internal import Store
internal import Transfer

/// What is known of a peer, for people and scripts.
public struct PeerSummary: Sendable {
  /// The name that this node's user gave it.
  public let alias: String
  /// Node id, 64 hex digits.
  public let id: String
  /// The name it gives itself. Unescaped.
  public let name: String
  /// Where it may be reached, `HOST:PORT`, best first.
  public let addresses: [String]
  /// Whether the user compared safety numbers.
  public let isVerified: Bool
  /// Whether it is kept out until the user decides.
  public let isBlocked: Bool
  /// Whether that is because another node claims to be this peer.
  public let isIdentityChanged: Bool
  /// Whether a link is up.
  public let isOnline: Bool
  /// Unix seconds of the pairing.
  public let added: UInt64
  /// Unix seconds of the last sign of life; nil: none yet.
  public let lastSeen: UInt64?
  /// State of the session: none, starting, unconfirmed, healthy, quarantined; damaged: what is stored of it cannot be read.
  public let health: String
  /// What went wrong lately between the two, oldest first.
  public let troubles: [TroubleReport]
  /// What was lost with a session in the last seven days.
  public let undelivered: UndeliveredReport?
  let node: NodeID
  let numbers: SafetyNumbers

  /// 60 decimal digits that both sides see alike. The first time it takes some milliseconds, on a thread of its own.
  public func safetyNumber() async -> String { await numbers.digits(with: node) }
}

extension Peer {
  /// What to tell people about this peer.
  func summary() -> PeerSummary {
    PeerSummary(
      alias: row.alias, id: id.hex, name: row.name, addresses: addresses.map(\.description), isVerified: row.verified,
      isBlocked: row.blocked, isIdentityChanged: claim != nil, isOnline: isLinked, added: row.added,
      lastSeen: isLinked ? context.now : row.lastSeen, health: machine.health.rawValue,
      troubles: machine.troubles(at: context.now).map(TroubleReport.init),
      undelivered: machine.lostPayloads(at: context.now).map(UndeliveredReport.init), node: id, numbers: context.numbers)
  }

  /// The row was changed in the store.
  func adopt(row: PeerRow) { self.row = row }
}

extension Node {
  /// The word for every peer in an audience: no alias.
  static let everyone = "all"
  /// Hex digits of a node id that may stand for an alias.
  static let shortestIDPrefix = 8

  /// The peers, by alias.
  public func peerSummaries() async -> [PeerSummary] {
    var summaries: [PeerSummary] = []
    for peer in peers.values { summaries.append(await peer.summary()) }
    for peer in damagedPeers.values { summaries.append(peer.summary(context.numbers)) }
    return summaries.sorted { $0.alias < $1.alias }
  }

  /// The peer of an alias, or ``NodeError/Code/notFound``.
  func peer(alias: String) async throws -> Peer {
    for peer in peers.values where await peer.row.alias == alias { return peer }
    if alias.utf8.count >= Self.shortestIDPrefix {
      let digits = alias.lowercased()
      let matches = peers.values.filter { $0.id.hex.hasPrefix(digits) }
      if matches.count == 1 { return matches[0] }
    }
    if let damaged = damagedPeer(alias: alias) { throw damaged.error }
    throw await noPeer(alias)
  }

  /// The alias of a node, or the first digits of its id.
  func alias(of id: NodeID) async -> String {
    if let peer = peers[id] { return await peer.row.alias }
    if let peer = damagedPeers[id] { return peer.row.alias }
    return String(id.hex.prefix(16))
  }

  /// What is known of one peer.
  public func summary(of alias: String) async throws -> PeerSummary { try await peer(alias: alias).summary() }

  /// Gives a peer another alias.
  public func rename(_ old: String, to new: String) async throws -> PeerSummary {
    let peer = try await peer(alias: old)
    try await checkFree(alias: new, unless: peer.id)
    await peer.adopt(row: try await context.database.rename(old, to: new))
    return await peer.summary()
  }

  /// Marks a peer verified: the user has compared safety numbers.
  public func confirm(_ alias: String) async throws -> PeerSummary {
    let peer = try await peer(alias: alias)
    guard peer.claim == nil else {
      throw NodeError(
        .identityChanged, "\(alias): identity key changed, and --confirm alone does not say which number you compared",
        hint: "`pawl verify \(alias)` shows both; then --accept-new --confirm, or --keep-old --confirm")
    }
    try await context.database.setVerified(peer.id, true)
    if let row = try await context.database.peer(peer.id) { await peer.adopt(row: row) }
    return await peer.summary()
  }

  /// Forgets a peer: sessions, prekeys, audience and transfers go in one transaction, running transfers end at once.
  public func revoke(_ alias: String) async throws -> (peer: PeerSummary, transfersEnded: Int) {
    try await changingPeers {
      if let damaged = self.damagedPeer(alias: alias) { return try await self.revoke(damaged) }
      let peer = try await self.peer(alias: alias)
      let summary = await peer.summary()
      let pulls = self.pulls.values.filter { $0.peer.id == peer.id }
      let ended = await self.shut(peer, because: NodeError(.notAllowed, "\(summary.alias) was revoked"))
      let revoked = try await self.context.database.revoke(peer.id)
      await self.removeOrphanedPartials(after: pulls)
      self.context.logger.info("revoked", metadata: ["peer": "\(summary.alias)"])
      // Pulls that wait to be resumed end too, and those that run are among them, unless they only fetch a manifest.
      return (summary, ended.served + max(ended.pulls, revoked?.transfers.count ?? 0))
    }
  }

  /// Removes what was half fetched from revoked peers, once nothing of these pulls is written or
  /// placed any more. What somebody is at, or whose disk is away, stays on record for the next pass.
  func removeOrphanedPartials(after pulls: [Puller] = []) async {
    await cleanUp {
      for puller in pulls { try? await puller.ended.value() }
      for orphan in (try? await self.context.database.orphanedPartials()) ?? [] {
        guard let id = TransferID(hex: orphan.transfer), self.pulls[id] == nil, self.heldTransfers.insert(id).inserted else {
          continue
        }
        defer { self.heldTransfers.remove(id) }
        do {
          guard try await self.context.threads.folders.run({ try PartialFolder.discard(orphan) }) else { continue }
          try await self.context.database.forgetOrphanedPartial(orphan.transfer)
        } catch {
          self.context.logger.warning(
            "what was fetched from a revoked peer could not be removed",
            metadata: ["folder": "\(orphan.path)", "error": "\(error)"])
        }
      }
    }
  }

  /// Throws unless the alias is well-formed and nobody else has it.
  func checkFree(alias: String, unless owner: NodeID? = nil, hint: String? = nil) async throws {
    guard alias != Self.everyone else {
      throw NodeError(.usage, "“\(alias)” means every peer, so no peer can be called that", hint: "choose another alias")
    }
    guard Card.isValid(name: alias) else {
      throw NodeError(
        .usage, "“\(alias)” cannot be an alias",
        hint: "letters, digits, dots, hyphens and underscores, at most 64, beginning with a letter or digit")
    }
    if let taken = try await context.database.peer(alias: alias), taken.id != owner {
      throw NodeError(
        .conflict, "the alias \(alias) is taken",
        hint: hint.map { "\($0); else choose another alias" } ?? "choose another, or `pawl peer rename \(alias) …` first")
    }
  }

  // MARK: Ourselves

  /// Where others may reach this node: never a wildcard, loopback only if there is nothing else.
  func advertisedAddresses() -> [PeerAddress] {
    var hosts: [String] = []
    if listening.isWildcard {
      let interfaces = context.network.interfaces().filter { !$0.isLinkLocal && (listening.isIPv6 || !$0.address.isIPv6) }
      let outside = interfaces.filter { !$0.isLoopback }
      hosts = (outside.isEmpty ? interfaces : outside).map(\.address.host)
    } else {
      hosts = [listening.host]
    }
    return hosts.prefix(PeerAddress.maximumCount).compactMap { try? PeerAddress(host: $0, port: listening.port) }
  }

  /// What this node says of itself.
  func card() throws -> Card { try Card(name: ownName, addresses: advertisedAddresses()) }

  /// Node id, name and addresses for `pawl id`.
  public func whoAmI() -> (id: String, fingerprint: String, name: String, addresses: [String]) {
    (id.hex, id.fingerprint, ownName, advertisedAddresses().map(\.description))
  }
}
