internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// A peer whose identity changed: the node we paired with, and the one that came in its place.
public struct IdentityChange: Sendable {
  /// The new node's id, 64 hex digits.
  public let id: String
  /// What it calls itself. Unescaped.
  public let name: String
  /// Where it says it may be reached, `HOST:PORT`.
  public let addresses: [String]
  /// 60 digits that it and this node see alike.
  public let safetyNumber: String
  /// Unix seconds of its coming.
  public let came: UInt64
  /// Why it is taken for the peer: `shared_key`, `name_and_place`, `announced`.
  public let reason: String
}

extension NodeError {
  /// Nothing is exchanged with this peer until the user has decided.
  static func identityChanged(_ alias: String) -> NodeError {
    NodeError(
      .identityChanged, "\(alias): identity key changed - blocked until you decide", hint: "see both with: pawl verify \(alias)"
    )
  }
}

extension Node {
  // MARK: One change at a time

  /// Runs what adds, blocks or removes peers, one after the other: between its steps no other such change happens.
  func changingPeers<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    if isChangingPeers { await withCheckedContinuation { changeWaiters.append($0) } }
    isChangingPeers = true
    defer { if changeWaiters.isEmpty { isChangingPeers = false } else { changeWaiters.removeFirst().resume() } }
    return try await body()
  }

  /// Ends at once whatever is under way with a peer: its links, what it is served, what is pulled from it. The node does not know it
  /// afterwards: nothing that it said before is acted upon any more.
  func shut(_ peer: Peer, because reason: NodeError) async -> (pulls: Int, served: Int) {
    if peers[peer.id] === peer { peers[peer.id] = nil }
    let served = await servers.removeValue(forKey: peer.id)?.stop() ?? 0
    let ended = pulls.values.filter { $0.peer.id == peer.id }
    await endPulls(from: peer.id, because: reason)
    for puller in ended { await puller.cancel(reason) }
    await peer.stop(because: reason)
    return (ended.count, served)
  }

  // MARK: The question

  /// Somebody came who seems to be a peer under new keys. The store has it; from now on the peer waits for the user.
  func block(_ claim: IdentityClaim) async throws {
    guard let row = try await context.database.peer(claim.peer), let peer = peers[claim.peer] else { return }
    _ = await shut(peer, because: .identityChanged(row.alias))
    add(row: row, record: peer.record, machine: await peer.machine, claim: claim)
    context.logger.warning(
      "identity key changed - blocked until you decide",
      metadata: [
        "peer": "\(row.alias)", "old": "\(claim.peer.hex)", "new": "\(claim.newcomer.id.hex)",
        "because": "\(claim.reason.rawValue)", "see": "pawl verify \(row.alias)",
      ])
  }

  /// The new identity that waits for a decision about a peer; nil: there is none.
  public func identityChange(of alias: String) async throws -> IdentityChange? {
    guard let claim = try await peer(alias: alias).claim else { return nil }
    return IdentityChange(
      id: claim.newcomer.id.hex, name: claim.newcomer.name,
      addresses: AddressOrigins.read(claim.newcomer.addresses).addresses.map(\.description),
      safetyNumber: await context.numbers.digits(with: claim.newcomer.id), came: claim.newcomer.added,
      reason: claim.reason.rawValue)
  }

  // MARK: The decision

  /// The new identity is the peer from now on, under the old one's alias and with what that might see. The old one is revoked.
  public func acceptNewIdentity(of alias: String) async throws -> PeerSummary {
    try await changingPeers {
      let (peer, claim) = try await self.question(about: alias)
      let old = await peer.row.alias
      let record = try IdentityRecord(stored: claim.newcomer.record.span)
      let now = self.context.now
      var machine = try await self.machine(for: record)
      var commits: [SessionCommit] = []
      // We joined it: the session is ours to start. Too late for that, the link's two ends find to one by themselves.
      if let bundle = claim.bundle.flatMap({ try? Bundle(parsing: $0.span) }),
        (try? bundle.verify(owner: record, addressee: self.id, at: now)) != nil
      {
        commits = [try machine.start(with: bundle, at: now).commit]
      }
      guard let (row, _) = try await self.context.database.acceptClaim(on: peer.id, commits: commits, now: now) else {
        throw Self.noQuestion(alias)
      }
      let pulls = self.pulls.values.filter { $0.peer.id == peer.id }
      _ = await self.shut(peer, because: NodeError(.notAllowed, "\(old) is another node now"))
      await self.removeOrphanedPartials(after: pulls)
      let successor = self.add(row: row, record: record, machine: machine)
      await successor.run()
      self.context.logger.info(
        "new identity accepted", metadata: ["peer": "\(row.alias)", "old": "\(peer.id.hex)", "new": "\(row.id.hex)"])
      return await successor.summary()
    }
  }

  /// The new identity is forgotten, and the peer is what it was.
  public func keepOldIdentity(of alias: String) async throws -> PeerSummary {
    try await changingPeers {
      let (peer, claim) = try await self.question(about: alias)
      guard let row = try await self.context.database.dropClaim(on: peer.id) else { throw Self.noQuestion(alias) }
      _ = await self.shut(peer, because: NodeError(.unreachable, "\(row.alias) was unblocked", hint: "try again"))
      var machine = await peer.machine
      // What changed while it was blocked.
      machine.prekeys = self.prekeys
      machine.hello = self.hello()
      let same = self.add(row: row, record: peer.record, machine: machine)
      await same.run()
      self.context.logger.info(
        "old identity kept", metadata: ["peer": "\(row.alias)", "old": "\(row.id.hex)", "new": "\(claim.newcomer.id.hex)"])
      return await same.summary()
    }
  }

  private func question(about alias: String) async throws -> (Peer, IdentityClaim) {
    let peer = try await peer(alias: alias)
    guard let claim = peer.claim else { throw Self.noQuestion(alias) }
    return (peer, claim)
  }

  private static func noQuestion(_ alias: String) -> NodeError {
    NodeError(
      .notFound, "there is nothing to decide about \(alias): its identity key has not changed",
      hint: "its safety number: pawl verify \(alias); to be rid of the peer: pawl revoke \(alias)")
  }
}
