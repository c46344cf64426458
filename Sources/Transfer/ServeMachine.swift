public import Artifact
public import Primitives

/// An artifact that a peer may pull, as far as serving needs it.
public struct ServedArtifact: Sendable {
  /// The artifact digest.
  public let digest: Digest
  /// What it holds.
  public let manifest: Manifest
  /// The length of ``SignedManifest/encoded``, the object of kind 1.
  public let objectBytes: Int

  /// An artifact to serve.
  public init(digest: Digest, manifest: Manifest, objectBytes: Int) {
    self.digest = digest
    self.manifest = manifest
    self.objectBytes = objectBytes
  }
}

/// What a request comes to.
public enum ServeAnswer: Sendable {
  /// Send it in an envelope. With a key the connection is new: expect it before the grant goes out, or dial it afterwards.
  case grant(Grant, newConnectionKey: SecretBox?)
  /// Send it in an envelope.
  case deny(Deny)
  /// The request was answered before: it came twice, and nothing is to be sent.
  case repeated
}

/// Serves one peer: turns its requests into grants and grants into jobs, each chunk of a grant once.
///
/// A grant's jobs come from a cursor that only moves forward, whatever becomes of a job: files are read where they lie and may
/// change, and a second sealing of a chunk would put other bytes under the same nonce. Retries are new grants.
public struct ServeMachine: Sendable {
  private struct Connection {
    enum State {
      case expected(since: Duration)
      case open
    }

    var state: State
    let key: SecretBox
    /// In the order in which they were asked for; the first is being sent.
    var grants: [ServeGrant] = []
    var lastUse: Duration
    /// Grants that ended in a refusal: it is told once, though several jobs may fail.
    var refused: Set<GrantID> = []
    /// The latest requests: one that a new session brings once more does not make a second grant.
    var answered: [RequestNumber] = []

    mutating func remember(_ request: RequestNumber) {
      if answered.count == TransferLimits.rememberedRequests { answered.removeFirst() }
      answered.append(request)
    }

    /// True the first time. After many refusals the oldest are forgotten, and one may be told twice.
    mutating func refuse(_ grant: GrantID) -> Bool {
      if refused.count == TransferLimits.rememberedRequests { refused = [] }
      return refused.insert(grant).inserted
    }
  }

  private let server: Digest
  private let puller: Digest
  private let aeads: [BulkCipher.Algorithm]
  private let randomness: Randomness
  private var connections: [ConnectionID: Connection] = [:]

  /// A server of the node `server` for the peer `puller`.
  ///
  /// - Parameter aeads: what this machine runs, best first.
  public init(
    server: Digest, puller: Digest, aeads: [BulkCipher.Algorithm] = BulkCipher.preferred, randomness: Randomness
  ) {
    self.server = server
    self.puller = puller
    self.aeads = aeads
    self.randomness = randomness
  }

  /// Connections that are open or expected.
  public var connectionCount: Int { connections.count }

  /// Grants that have chunks left to send.
  public var grantCount: Int { connections.values.reduce(0) { $0 + $1.grants.count } }

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - artifact: what `want.digest` names, or nil if there is no such thing or this peer may not have it.
  ///   - session: the session that the answer will travel in; the grant's key binds it.
  public mutating func receive(
    _ want: Want, artifact: ServedArtifact?, session: SegmentSession, at now: Duration
  ) -> ServeAnswer {
    func deny(_ reason: DenyReason) -> ServeAnswer {
      .deny(Deny(request: want.request, transfer: want.transfer, reason: reason))
    }
    guard let artifact, artifact.digest == want.digest else { return deny(.notFound) }
    guard Self.isServable(want, artifact), let aead = choose(from: want.aeads) else { return deny(.badRequest) }
    var newKey: SecretBox?
    if let known = connections[want.connection] {
      if let key = want.connectionKey, !key.bytes.isEqual(to: known.key.bytes) { return deny(.badRequest) }
      guard !known.answered.contains(want.request) else { return .repeated }
      guard known.grants.count < TransferLimits.grantsPerConnection else { return deny(.busy) }
    } else {
      guard let key = want.connectionKey else { return deny(.noConnection) }
      guard connections.count < TransferLimits.connectionsPerPeer else { return deny(.limit) }
      connections[want.connection] = Connection(state: .expected(since: now), key: key, lastUse: now)
      newKey = key
    }
    let grant = Grant(
      request: want.request, grant: .random(randomness), secret: SecretBox(randomness.secret(TransferLimits.secretBytes)),
      kind: want.kind, aead: aead, digest: want.digest, transfer: want.transfer, ranges: want.ranges,
      connection: want.connection, objectBytes: want.kind == .manifest ? artifact.objectBytes : nil)
    let context = SegmentContext(session: session, server: server, puller: puller)
    connections[want.connection]?.grants.append(
      ServeGrant(grant, artifact: artifact, cipher: SegmentCipher(grant: grant, context: context)))
    connections[want.connection]?.lastUse = now
    connections[want.connection]?.remember(want.request)
    return .grant(grant, newConnectionKey: newKey)
  }

  /// The connection was opened and proved: jobs may be taken.
  public mutating func opened(_ connection: ConnectionID, at now: Duration) {
    connections[connection]?.state = .open
    connections[connection]?.lastUse = now
  }

  /// The connection is gone, and its grants with it.
  public mutating func closed(_ connection: ConnectionID) { connections[connection] = nil }

  /// The next chunk to send on an open connection; nil if there is none now. It is never named again.
  public mutating func nextJob(on connection: ConnectionID, at now: Duration) -> SealJob? {
    guard case .open = connections[connection]?.state else { return nil }
    connections[connection]?.lastUse = now
    while connections[connection]?.grants.isEmpty == false {
      if let job = connections[connection]?.grants[0].nextJob() { return job }
      connections[connection]?.grants.removeFirst()
    }
    return nil
  }

  /// A job's chunk cannot be read as it was published: the rest of its grant is not sent either.
  ///
  /// Returns what to tell the peer; nil if it was told already, or the connection is gone.
  public mutating func failed(_ job: SealJob, reason: DenyReason, path: SafePath?) -> Deny? {
    guard connections[job.connection]?.refuse(job.grant) == true else { return nil }
    connections[job.connection]?.grants.removeAll { $0.id == job.grant }
    return Deny(request: job.request, transfer: job.transfer, reason: reason, path: path)
  }

  /// The artifact was withdrawn, or the peer lost its right to it: nothing more of it is sent. Returns what to tell the peer.
  public mutating func withdraw(_ digest: Digest) -> [Deny] {
    var denials: [Deny] = []
    for id in connections.keys {
      for grant in connections[id]?.grants ?? [] where grant.digest == digest {
        denials.append(Deny(request: grant.request, transfer: grant.transfer, reason: .gone))
      }
      connections[id]?.grants.removeAll { $0.digest == digest }
    }
    return denials
  }

  /// Forgets connections that were never opened or are of no use any more, and returns them: close those that are open.
  public mutating func tick(at now: Duration) -> [ConnectionID] {
    let over = connections.filter { _, connection in
      switch connection.state {
      case .expected(let since): now - since >= TransferLimits.attachWindow
      case .open: connection.grants.isEmpty && now - connection.lastUse >= TransferLimits.idleConnection
      }
    }
    for id in over.keys { connections[id] = nil }
    return Array(over.keys)
  }

  /// AES-256-GCM where it comes first on both machines, that is where both have it in hardware; else the first of the asker's
  /// list that is not slow here.
  private func choose(from theirs: [BulkCipher.Algorithm]) -> BulkCipher.Algorithm? {
    let common = theirs.filter { aeads.contains($0) }
    if common.first == .aes256gcm, aeads.first == .aes256gcm { return .aes256gcm }
    return common.contains(.chachaPoly) ? .chachaPoly : common.first
  }

  /// Whether a request's ranges are in the artifact and not too much.
  private static func isServable(_ want: Want, _ artifact: ServedArtifact) -> Bool {
    guard ChunkRange.isProper(want.ranges), want.ranges.isEmpty == (want.kind == .manifest) else { return false }
    var bytes = 0
    for range in want.ranges {
      guard range.file < artifact.manifest.files.count else { return false }
      let layout = artifact.manifest.layout(of: range.file)
      switch want.kind {
      case .chunks:
        guard range.chunks.upperBound <= layout.count else { return false }
        bytes += layout.bytes(of: range.chunks)
      case .leafList:
        guard range.chunks.upperBound <= layout.leafPieces.count else { return false }
        bytes += range.chunks.reduce(0) { $0 + layout.leafPieces.length(of: $1) }
      case .manifest: return false
      }
      guard bytes <= TransferLimits.grantBytes else { return false }
    }
    return true
  }
}
