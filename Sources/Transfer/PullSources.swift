internal import Artifact
internal import Primitives

/// A peer, as a transfer sees it.
struct PullSource: Sendable {
  enum State: Equatable {
    case linked(since: Duration)
    case unlinked
    case dropped
  }

  let id: SourceID
  var node: Digest
  var state: State
  /// The connection that its next requests name, if there is one.
  var connection: ConnectionID?
  /// Requests and grants under way, and the plaintext that is still to come for them.
  var outstanding = 0
  var outstandingBytes = 0
  /// Connections in a row that brought nothing.
  var failures = 0
  /// Refusals as busy since it last brought something, those of one pause counted once.
  var putOffs = 0
  /// Not asked before.
  var notBefore: Duration

  /// It is busy: each pause is twice as long as the one before. Refusals of requests that were under way together are one.
  mutating func putOff(at now: Duration) {
    guard notBefore <= now else { return }
    putOffs += 1
    notBefore = now + min(PullLimits.longestBusyPause, PullLimits.busyPause * (1 << min(putOffs - 1, 8)))
  }

  var isDropped: Bool { state == .dropped }

  var isLinked: Bool {
    if case .linked = state { true } else { false }
  }
}

/// A data connection from its first request to its end.
struct PullConnection: Sendable {
  enum State {
    /// Named in a request.
    case asked
    /// Its first grant is there.
    case opening(since: Duration)
    case open(lastFrame: Duration)
  }

  let source: SourceID
  let key: SecretBox
  var state = State.asked
  var hasBroughtSomething = false
}

/// A request that is not answered yet.
struct PendingWant: Sendable {
  let source: SourceID
  let connection: ConnectionID
  let kind: SegmentKind
  let ranges: [ChunkRange]
  let bytes: Int
  let sent: Duration
}

/// A grant with frames still to come.
struct LiveGrant: Sendable {
  let request: RequestNumber
  let source: SourceID
  let connection: ConnectionID
  let kind: SegmentKind
  let cipher: SegmentCipher
  var cursor: RangeCursor
  /// The length of the manifest object, for kind 1.
  let objectBytes: Int
}

/// An object that travels in pieces: the manifest, or a file's leaf list.
struct ObjectName: Hashable, Sendable {
  let kind: SegmentKind
  let file: Int
}

/// The pieces so far, of one grant.
struct ObjectAssembly: Sendable {
  let grant: GrantID
  var pieces: PieceAssembler
}

extension PullMachine {
  func source(_ id: SourceID) -> PullSource? { sources.first { $0.id == id } }

  mutating func update(_ id: SourceID, _ body: (inout PullSource) -> Void) {
    guard let index = sources.firstIndex(where: { $0.id == id }) else { return }
    body(&sources[index])
  }

  /// Something came: what its connection and its source failed to bring before is forgotten.
  mutating func noteArrival(_ ticket: FrameTicket) {
    connections[ticket.connection]?.hasBroughtSomething = true
    if source(ticket.source)?.putOffs != 0 { update(ticket.source) { $0.putOffs = 0 } }
  }

  mutating func available(_ id: SourceID, node: Digest, at now: Duration) {
    guard source(id) != nil else {
      sources.append(PullSource(id: id, node: node, state: .linked(since: now), notBefore: now))
      return
    }
    update(id) {
      if !$0.isDropped { $0.state = .linked(since: now) }
    }
  }

  /// A source is not asked any more. With the last one the transfer ends.
  mutating func drop(_ id: SourceID, _ failure: PullFailure, at now: Duration, _ actions: inout [PullAction]) {
    guard let dropped = source(id), !dropped.isDropped else { return }
    if let connection = dropped.connection { close(connection, at: now, &actions) }
    update(id) { $0.state = .dropped }
    actions.append(.drop(id, failure))
    if sources.allSatisfy(\.isDropped) { end(.failed(failure), &actions) }
  }

  /// Closes a connection and gives back what was still to come on it.
  mutating func close(_ id: ConnectionID, at now: Duration, _ actions: inout [PullAction]) {
    guard connections[id] != nil else { return }
    actions.append(.close(id))
    retire(id, at: now)
  }

  /// A connection is over: all that was asked for on it and has not come is to be asked for anew.
  mutating func retire(_ id: ConnectionID, at now: Duration) {
    guard let connection = connections.removeValue(forKey: id) else { return }
    for (request, want) in wants where want.connection == id {
      wants[request] = nil
      release(want.kind, want.ranges)
    }
    for (name, grant) in grants where grant.connection == id {
      grants[name] = nil
      release(grant.kind, grant.cursor.remaining)
    }
    update(connection.source) {
      $0.connection = nil
      $0.outstanding = 0
      $0.outstandingBytes = 0
      $0.failures = connection.hasBroughtSomething ? 0 : $0.failures + 1
      $0.notBefore = max($0.notBefore, now + Self.backoff(after: $0.failures))
    }
  }

  private static func backoff(after failures: Int) -> Duration {
    guard failures > 0 else { return .zero }
    return min(PullLimits.longestBackoff, PullLimits.firstBackoff * (1 << min(failures - 1, 8)))
  }

  /// Gives back chunks, leaf lists or the manifest that did not come.
  mutating func release(_ kind: SegmentKind, _ ranges: [ChunkRange]) {
    switch kind {
    case .chunks: board.releaseChunks(ranges)
    case .manifest: objects[ObjectName(kind: .manifest, file: 0)] = nil
    case .leafList:
      for range in ranges {
        objects[ObjectName(kind: .leafList, file: range.file)] = nil
        board.releaseLeaves(of: range.file)
      }
    }
  }

  /// Gives back what one frame should have brought.
  mutating func release(_ ticket: FrameTicket) {
    // An object that has been asked for again since belongs to another grant.
    if ticket.kind != .chunks {
      guard objects[ObjectName(kind: ticket.kind, file: ticket.file)]?.grant == ticket.grant else { return }
    }
    release(ticket.kind, [ChunkRange(file: ticket.file, first: ticket.chunk, count: 1)])
  }

  /// Connections that keep us waiting for longer than they may.
  func overdueConnections(at now: Duration) -> Set<ConnectionID> {
    var overdue: Set<ConnectionID> = []
    for want in wants.values {
      guard case .linked(let since) = source(want.source)?.state else { continue }
      if now - max(want.sent, since) >= PullLimits.wantPatience { overdue.insert(want.connection) }
    }
    for (id, connection) in connections {
      switch connection.state {
      case .asked: break
      case .opening(let since):
        if now - since >= PullLimits.openPatience { overdue.insert(id) }
      case .open(let lastFrame):
        guard now - lastFrame >= PullLimits.framePatience else { break }
        if grants.values.contains(where: { $0.connection == id }) { overdue.insert(id) }
      }
    }
    return overdue
  }
}
