public import Artifact
public import Primitives

/// Pulls one artifact from one or several peers: decides what to ask, of whom, and what every answer is worth.
///
/// It does nothing itself: ``receive(_:at:)`` returns what to do, ``check(_:on:)`` and ``take(_:on:at:)`` judge frames as they
/// come. One connection a source carries everything that the source sends. A chunk counts once its tag and its leaf were
/// verified and it was written; what is lost on the way is asked for again under a new grant.
///
/// Time is any clock that only moves forward. A machine that ended is not used again; the next one resumes from ``map``.
public struct PullMachine: Sendable {
  /// The pull's name: the same across restarts.
  public let transfer: TransferID
  /// The artifact.
  public let digest: Digest
  /// Where it stands.
  public internal(set) var state = PullState.manifest
  /// Plaintext of chunks that travelled and were verified in this run.
  public internal(set) var bytesTransferred: UInt64 = 0

  let puller: Digest
  let aeads: [BulkCipher.Algorithm]
  let randomness: Randomness
  var board = FileBoard()
  var sources: [PullSource] = []
  var connections: [ConnectionID: PullConnection] = [:]
  var wants: [RequestNumber: PendingWant] = [:]
  var grants: [GrantID: LiveGrant] = [:]
  var objects: [ObjectName: ObjectAssembly] = [:]
  /// Who sent the manifest that is being looked at.
  var manifestSource: SourceID?
  var nextRequest: RequestNumber
  var lastProgress: Duration
  var lastPersist: Duration
  /// Files with chunks that were verified since their maps were saved, and how many bytes those chunks have.
  var unsaved: Set<Int> = []
  var unsavedBytes = 0
  /// Nothing was left to ask for when last looked, and nothing has happened since that would change it: verified chunks,
  /// the one event that comes thousands of times, need not look again.
  var nothingToAsk = false

  /// A pull that knows nothing but the artifact's digest.
  ///
  /// - Parameters:
  ///   - transfer: new for a new pull, the same for a resumed one.
  ///   - puller: our node id.
  ///   - aeads: the ciphers that we open, best first.
  public init(
    transfer: TransferID, digest: Digest, puller: Digest, aeads: [BulkCipher.Algorithm] = BulkCipher.preferred,
    randomness: Randomness, at now: Duration
  ) {
    self.transfer = transfer
    self.digest = digest
    self.puller = puller
    self.aeads = aeads
    self.randomness = randomness
    lastProgress = now
    lastPersist = now
    // Answers to an earlier run's requests carry the same transfer id: they must not find one of ours.
    nextRequest = randomness.bytes(4).reduce(0) { $0 << 8 | RequestNumber($1) } << 16
  }

  /// Which chunks are verified: of all files, selected or not. Empty before the plan.
  public var map: ResumeMap { board.verified }
  /// The length of the selected files.
  public var selectedBytes: UInt64 { board.selectedBytes }
  /// How much of them is verified, in this run or an earlier one.
  public var verifiedBytes: UInt64 { board.verifiedBytes }
  /// Sources that have not been dropped.
  public var usableSources: [SourceID] { sources.filter { !$0.isDropped }.map(\.id) }

  /// Whether it may still act.
  var isLive: Bool {
    switch state {
    case .manifest, .planning, .running: true
    case .complete, .failed, .stopped: false
    }
  }

  /// Takes note of what happened and says what to do, in order.
  public mutating func receive(_ event: PullEvent, at now: Duration) -> [PullAction] {
    guard isLive else { return [] }
    var actions: [PullAction] = []
    if case .verified = event {} else { nothingToAsk = false }
    switch event {
    case .sourceAvailable(let id, let node): available(id, node: node, at: now)
    case .sourceLost(let id): update(id) { $0.state = $0.isDropped ? .dropped : .unlinked }
    case .manifestKnown: if state == .manifest { state = .planning }
    case .plan(let plan): begin(plan, at: now, &actions)
    case .manifestBad(let reason): manifestBad(reason, at: now, &actions)
    case .granted(let grant, let session): granted(grant, session, at: now, &actions)
    case .denied(let deny): denied(deny, at: now, &actions)
    case .connectionOpened(let id): connections[id]?.state = .open(lastFrame: now)
    case .connectionClosed(let id): retire(id, at: now)
    case .opened(let ticket, let bytes): opened(ticket, bytes, at: now, &actions)
    case .verified(let ticket): verified(ticket, at: now, &actions)
    case .badTag(let ticket):
      close(ticket.connection, at: now, &actions)
      release(ticket)
    case .badLeaf(let ticket):
      release(ticket)
      drop(
        ticket.source,
        PullFailure(.integrity, source: ticket.source, "it sent a chunk that is not the artifact's, under its own seal"),
        at: now, &actions)
    case .lost(let ticket): release(ticket)
    case .leafList(let file, let list): checked(list, of: file, at: now, &actions)
    case .rehashed(let file, let isGood):
      lastProgress = now
      note(board.rehashed(file, isGood), &actions)
      unsaved.insert(file)
    case .tick: tick(at: now, &actions)
    case .stop: end(.stopped, &actions)
    }
    finishIfComplete(&actions)
    pump(at: now, &actions)
    return actions
  }

  private mutating func begin(_ plan: PullPlan, at now: Duration, _ actions: inout [PullAction]) {
    guard state == .planning || state == .manifest else { return }
    state = .running
    lastProgress = now
    board = plan.board
    actions += plan.actions
  }

  private mutating func manifestBad(_ reason: String, at now: Duration, _ actions: inout [PullAction]) {
    guard state == .planning else { return }
    state = .manifest
    lastProgress = now
    // Nobody sent it: what was kept here was bad.
    guard let source = manifestSource else { return }
    drop(source, PullFailure(.integrity, source: source, reason), at: now, &actions)
  }

  private mutating func verified(_ ticket: FrameTicket, at now: Duration, _ actions: inout [PullAction]) {
    guard ticket.leaf != nil else { return }
    let (bytes, done) = board.mark(ticket.file, ticket.chunk)
    guard bytes > 0 else { return }
    lastProgress = now
    bytesTransferred += UInt64(bytes)
    noteArrival(ticket)
    unsaved.insert(ticket.file)
    unsavedBytes += bytes
    if unsavedBytes >= PullLimits.persistBytes { save(at: now, &actions) }
    note(done, &actions)
    // The room of its leaf list may be used for another.
    if !done.isEmpty, board.layout(of: ticket.file)?.count != 1 { nothingToAsk = false }
  }

  private mutating func note(_ more: [PullAction], _ actions: inout [PullAction]) {
    // Per chunk this is nearly always empty.
    if !more.isEmpty { actions += more }
  }

  private mutating func finishIfComplete(_ actions: inout [PullAction]) {
    guard state == .running, board.isComplete else { return }
    end(.complete, &actions)
  }

  /// Ends it: maps are saved and connections closed first.
  mutating func end(_ final: PullState, _ actions: inout [PullAction]) {
    guard isLive else { return }
    if !unsaved.isEmpty { actions.append(.persist(unsaved.sorted())) }
    actions += connections.keys.map { .close($0) }
    connections = [:]
    wants = [:]
    grants = [:]
    objects = [:]
    unsaved = []
    state = final
    switch final {
    case .complete: actions.append(.complete)
    case .failed(let failure): actions.append(.failed(failure))
    case .manifest, .planning, .running, .stopped: break
    }
  }

  private mutating func save(at now: Duration, _ actions: inout [PullAction]) {
    actions.append(.persist(unsaved.sorted()))
    unsaved.removeAll(keepingCapacity: true)
    unsavedBytes = 0
    lastPersist = now
  }

  private mutating func tick(at now: Duration, _ actions: inout [PullAction]) {
    for id in overdueConnections(at: now) { close(id, at: now, &actions) }
    if !unsaved.isEmpty, now - lastPersist >= PullLimits.persistInterval { save(at: now, &actions) }
    // While the user decides or the disk is being read, nobody else is waited for.
    guard state != .planning, board.checking == 0 else {
      lastProgress = now
      return
    }
    guard now - lastProgress >= PullLimits.stall else { return }
    end(.failed(stalled()), &actions)
  }

  /// Why nothing came.
  private func stalled() -> PullFailure {
    let linked = sources.filter(\.isLinked)
    guard !linked.isEmpty else { return PullFailure(.unreachable, "no peer that has it can be reached") }
    if let busy = linked.first(where: { $0.putOffs > 0 }) {
      return PullFailure(.busy, source: busy.id, "it was busy each of the \(busy.putOffs) times it was asked")
    }
    return PullFailure(.stalled, "nothing has come for \(PullLimits.stall.components.seconds) seconds")
  }
}
