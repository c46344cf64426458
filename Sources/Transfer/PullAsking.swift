internal import Artifact
internal import Primitives

extension PullMachine {
  /// Asks every source that may be asked for as much as it should have under way.
  mutating func pump(at now: Duration, _ actions: inout [PullAction]) {
    guard isLive, state != .planning, !nothingToAsk else { return }
    for index in sources.indices {
      while sources[index].isLinked, sources[index].notBefore <= now,
        sources[index].outstanding < PullLimits.outstanding, let next = nextAsk(of: sources[index])
      {
        ask(next.kind, next.ranges, next.bytes, of: index, at: now, &actions)
      }
    }
  }

  /// What to ask of a source next, or nil if it has enough to do or nothing is left.
  private mutating func nextAsk(of source: PullSource) -> (kind: SegmentKind, ranges: [ChunkRange], bytes: Int)? {
    guard state == .running else { return isManifestUnderWay ? nil : (.manifest, [], 0) }
    let leaves = board.planLeaves()
    if !leaves.ranges.isEmpty { return (.leafList, leaves.ranges, leaves.bytes) }
    guard source.outstandingBytes < PullLimits.lowWaterBytes else { return nil }
    let chunks = board.planChunks()
    guard !chunks.ranges.isEmpty else {
      nothingToAsk = true
      return nil
    }
    // More files are about to become ready: better one large request than many small ones.
    if chunks.bytes < PullLimits.smallAskBytes, board.checking > 0, source.outstanding > 0 { return nil }
    return (.chunks, chunks.ranges, chunks.bytes)
  }

  private var isManifestUnderWay: Bool {
    objects[ObjectName(kind: .manifest, file: 0)] != nil || wants.values.contains { $0.kind == .manifest }
  }

  private mutating func ask(
    _ kind: SegmentKind, _ ranges: [ChunkRange], _ bytes: Int, of index: Int, at now: Duration,
    _ actions: inout [PullAction]
  ) {
    switch kind {
    case .chunks: board.claimChunks(ranges)
    case .leafList: board.claimLeaves(ranges)
    case .manifest: break
    }
    let id: ConnectionID
    var newKey: SecretBox?
    if let known = sources[index].connection {
      id = known
    } else {
      id = .random(randomness)
      let key = SecretBox(randomness.secret(TransferLimits.secretBytes))
      connections[id] = PullConnection(source: sources[index].id, key: key)
      sources[index].connection = id
      newKey = key
    }
    let request = nextRequest
    nextRequest += 1
    wants[request] = PendingWant(
      source: sources[index].id, connection: id, kind: kind, ranges: ranges, bytes: bytes, sent: now)
    sources[index].outstanding += 1
    sources[index].outstandingBytes += bytes
    actions.append(
      .send(
        sources[index].id,
        Want(
          request: request, transfer: transfer, digest: digest, kind: kind, ranges: ranges, aeads: aeads, connection: id,
          connectionKey: newKey)))
  }

  /// A grant came. One that answers nothing is not used: it may be late, or of an earlier run.
  mutating func granted(_ grant: Grant, _ session: SegmentSession, at now: Duration, _ actions: inout [PullAction]) {
    guard grant.transfer == transfer, let want = wants[grant.request], want.connection == grant.connection,
      let source = source(want.source)
    else { return }
    guard grant.kind == want.kind, grant.digest == digest, grant.ranges == want.ranges, aeads.contains(grant.aead),
      grants[grant.grant] == nil, prepareObjects(for: grant)
    else {
      drop(
        want.source, PullFailure(.protocolViolation, source: want.source, "it granted something else than it was asked for"),
        at: now, &actions)
      return
    }
    wants[grant.request] = nil
    let context = SegmentContext(session: session, server: source.node, puller: puller)
    let objectBytes = grant.objectBytes ?? 0
    update(want.source) { $0.outstandingBytes += objectBytes }
    grants[grant.grant] = LiveGrant(
      request: grant.request, source: want.source, connection: want.connection, kind: grant.kind,
      cipher: SegmentCipher(grant: grant, context: context),
      cursor: RangeCursor(
        grant.kind == .manifest
          ? [ChunkRange(file: 0, first: 0, count: PieceLayout(sizeBytes: objectBytes).count)] : grant.ranges),
      objectBytes: objectBytes)
    if case .asked = connections[want.connection]?.state, let key = connections[want.connection]?.key {
      connections[want.connection]?.state = .opening(since: now)
      actions.append(.open(want.source, want.connection, key: key))
    }
  }

  /// Makes room for what a grant of kind 1 or 2 brings. False if it announces an impossible length.
  private mutating func prepareObjects(for grant: Grant) -> Bool {
    switch grant.kind {
    case .chunks: break
    case .manifest:
      guard let bytes = grant.objectBytes,
        let pieces = PieceAssembler(sizeBytes: bytes, limit: SignedManifest.maximumEncodedBytes)
      else { return false }
      objects[ObjectName(kind: .manifest, file: 0)] = ObjectAssembly(grant: grant.grant, pieces: pieces)
    case .leafList:
      for range in grant.ranges {
        guard let list = board.layout(of: range.file)?.leafPieces,
          let pieces = PieceAssembler(sizeBytes: list.sizeBytes, limit: LeafList.maximumBytes)
        else { return false }
        objects[ObjectName(kind: .leafList, file: range.file)] = ObjectAssembly(grant: grant.grant, pieces: pieces)
      }
    }
    return true
  }

  /// A refusal came, before or after the grant.
  mutating func denied(_ deny: Deny, at now: Duration, _ actions: inout [PullAction]) {
    guard deny.transfer == transfer else { return }
    let grant = grants.values.first { $0.request == deny.request }
    guard let id = wants[deny.request]?.source ?? grant?.source,
      let connection = wants[deny.request]?.connection ?? grant?.connection
    else { return }
    switch deny.reason {
    case .notFound: drop(id, PullFailure(.notFound, source: id, "it shares no such artifact with us"), at: now, &actions)
    case .gone:
      let what = deny.path.map { "\(DisplayText.escape($0.text)) is no longer there" } ?? "the artifact is no longer there"
      drop(id, PullFailure(.gone(deny.path), source: id, what), at: now, &actions)
    case .unreadable:
      let what = deny.path.map { DisplayText.escape($0.text) } ?? "a file"
      drop(id, PullFailure(.unreadable(deny.path), source: id, "it cannot read \(what)"), at: now, &actions)
    case .badRequest: drop(id, PullFailure(.refused, source: id, "it refuses our request"), at: now, &actions)
    case .changed:
      let what = deny.path.map { DisplayText.escape($0.text) } ?? "a file"
      drop(
        id, PullFailure(.changed(deny.path), source: id, "\(what) was changed there after it was shared"), at: now, &actions)
    case .busy, .limit:
      update(id) { $0.putOff(at: now) }
      // Nothing is wrong with the connection: only this request has to be made again.
      if let want = wants.removeValue(forKey: deny.request) {
        release(want.kind, want.ranges)
        update(id) {
          $0.outstanding -= 1
          $0.outstandingBytes -= want.bytes
        }
        // A connection that is refused with its first request is not known there.
        if deny.reason == .limit { close(connection, at: now, &actions) }
      } else {
        close(connection, at: now, &actions)
      }
    case .noConnection: close(connection, at: now, &actions)
    }
  }
}
