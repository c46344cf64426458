internal import API
internal import Artifact
internal import EventLoop
internal import Foundation
internal import Node
internal import Session
internal import Store
internal import Wire

/// The node behind the local API: turns requests into calls and what comes back into results.
struct NodeAdapter: NodeBackend {
  let node: Node
  let stateFolder: String
  let warnings: [String]

  func status() async throws -> StatusResult {
    try await translating {
      let report = try await node.report()
      return StatusResult(
        version: Version.program, pid: getpid(), node: report.id, fingerprint: Fingerprint.text(nodeID: report.id),
        name: report.name, listening: report.listening, started: report.started, state: stateFolder,
        peers: report.peers.map(API.Peer.init), shared: report.sharedCount, tickets: report.ticketCount,
        transfers: report.transfers.map(TransferStatus.init), warnings: warnings + report.warnings)
    }
  }

  func id() async throws -> IdentityResult {
    let me = await node.whoAmI()
    return IdentityResult(node: me.id, fingerprint: Fingerprint.text(nodeID: me.id), name: me.name, addresses: me.addresses)
  }

  func invite(_ request: InviteRequest, replies: Replies) async throws -> InviteResult {
    try await translating {
      let invitation = try await node.invite(
        alias: request.alias, newMachine: request.newMachine, lifeSeconds: request.expiresSeconds,
        addresses: request.addresses)
      let ticket = TicketResult(
        ticket: invitation.text, expires: invitation.expires, addresses: invitation.addresses, alias: request.alias,
        id: Hex.encode(invitation.id))
      guard request.wait else { return .ticket(ticket) }
      await replies.event(.ticket(ticket))
      let peer = try await node.awaitUse(of: invitation) { notice in startTask { await replies.event(.notice(notice)) } }
      return .paired(await PairingResult(peer))
    }
  }

  func join(_ request: JoinRequest, replies: Replies) async throws -> PairingResult {
    try await translating {
      let joined = try await node.join(request.ticket, alias: request.alias, newMachine: request.newMachine)
      var pairing = await PairingResult(joined.peer)
      if joined.isWaiting { pairing.waits = true }
      return pairing
    }
  }

  func peers() async throws -> PeersResult {
    PeersResult(peers: await node.peerSummaries().map(API.Peer.init))
  }

  func rename(_ request: RenameRequest) async throws -> RenameResult {
    try await translating {
      RenameResult(old: request.old, peer: API.Peer(try await node.rename(request.old, to: request.new)))
    }
  }

  func revoke(_ request: RevokeRequest) async throws -> RevokeResult {
    try await translating {
      let (peer, ended) = try await node.revoke(request.peer)
      return RevokeResult(alias: peer.alias, node: peer.id, transfersEnded: ended)
    }
  }
}

/// Runs a call into the node and turns what it throws into what the local API says.
func translating<Result>(_ body: () async throws -> Result) async throws -> Result {
  do { return try await body() } catch { throw Failure.translating(error) }
}

extension Failure {
  /// What the local API says of an error from the node. `CancellationError` stays what it is.
  static func translating(_ error: any Error) -> any Error {
    switch error {
    case is CancellationError, is Failure: return error
    case let error as NodeError: return Failure(Code(rawValue: error.code.rawValue), error.message, hint: error.hint)
    case let error as StoreError: return Failure(error.apiCode, error.message, hint: error.hint)
    case let error as ArtifactError: return Failure(.integrity, error.reason)
    case let error as LoopError: return Failure(.failed, "\(error)")
    // Its text is for the log, where whoever catches it puts it.
    default: return error
    }
  }
}

extension StoreError {
  /// The local API's code for a failure of the state, a source or a destination.
  var apiCode: Failure.Code {
    switch code {
    case .noSpace: .noSpace
    case .conflict, .aliasTaken: .conflict
    case .sourceMissing, .doesNotExist, .unknownPeer, .unknownTransfer: .notFound
    case .sourceChanged: .integrity
    case .emptyArtifact, .badName, .symlinkInSource, .linkLeadsOut, .specialFile, .tooManyFiles: .usage
    default: .failed
    }
  }
}

extension API.Peer {
  init(_ peer: PeerSummary) {
    self.init(
      alias: peer.alias, name: peer.name, node: peer.id, fingerprint: Fingerprint.text(nodeID: peer.id),
      verified: peer.isVerified, blocked: peer.isBlocked, identity: peer.isIdentityChanged ? "changed" : "pinned",
      online: peer.isOnline, address: peer.addresses.first,
      lastSeen: peer.lastSeen, paired: peer.added, session: peer.health,
      troubles: peer.troubles.map { Trouble(kind: Trouble.Kind(rawValue: $0.kind), at: $0.at, healedAt: $0.healedAt) },
      undelivered: peer.undelivered.map { Undelivered(count: $0.count, at: $0.at) })
  }
}

extension PairingResult {
  init(_ peer: PeerSummary) async {
    self.init(peer: API.Peer(peer), safetyNumber: await peer.safetyNumber())
  }
}

extension TransferStatus {
  init(_ transfer: TransferReport) {
    self.init(
      id: transfer.id, direction: transfer.isPull ? .pull : .serve, peer: transfer.peer, artifact: transfer.name,
      version: transfer.version.map { UInt32(clamping: $0) }, state: transfer.isRunning ? "running" : "waiting",
      bytes: transfer.bytes, bytesTotal: transfer.bytesTotal, bytesPerSecond: transfer.bytesPerSecond)
  }
}
