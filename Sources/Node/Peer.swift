internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// One teammate: the links to it, and the session that outlives them.
///
/// The rule that everything here keeps: the machine decides on a copy, what it decided is committed, and only then do frames
/// leave and payloads count. A failed commit leaves the machine as it was.
actor Peer {
  /// Items that share one commit when they are ready together.
  static let batchLimit = 64
  /// Frames of one peer that may wait for the store; its links are not read meanwhile.
  static let backlogLimit = 256

  nonisolated let context: NodeContext
  nonisolated let id: NodeID
  nonisolated let record: IdentityRecord
  /// Worked out once: it takes 5,200 rounds a side.
  nonisolated let safetyNumber: SafetyNumber
  nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  var row: PeerRow
  var machine: PeerMachine
  private(set) var links: [Link] = []
  /// Where the peer may be reached, best first.
  var addresses: [PeerAddress]
  private(set) var isStopped = false
  /// The question that keeps this peer blocked.
  nonisolated let claim: IdentityClaim?

  /// Receives what the session delivers, once a payload is committed.
  private let inbox: any PeerInbox
  private var work: [Work] = []
  private var isWorking = false
  private var backlogWaiters: [CheckedContinuation<Void, Never>] = []
  private var readinessWaiters: [CheckedContinuation<Void, Never>] = []
  private var idleWaiters: [CheckedContinuation<Void, Never>] = []
  private var stopReason = NodeError(.unreachable, "the node is shutting down")
  private var dialling: Task<Void, Never>?
  /// How long to wait before the next attempt to reach the peer.
  var backoff = Backoff()
  /// The last link was closed before the peer had said anything: dialling again at once would only repeat that.
  var isTurnedAway = false
  /// How often that has happened.
  private var timesTurnedAway = 0
  /// Whether the peer was told in this run of the node where it can be reached now.
  private var hasGreeted = false
  let nudge: Nudge
  var replies = ReplyDesk()
  var hadNews: [SessionEvent] = []

  private enum Work {
    case linkUp(Link)
    case frame(LinkFrame)
    case payload([UInt8])
    case start(Bundle)
    case traffic(Int)
    case tick
    case prekeys(PrekeyRing)
    case hello([UInt8])
  }

  init(
    context: NodeContext, row: PeerRow, record: IdentityRecord, machine: PeerMachine, claim: IdentityClaim? = nil,
    inbox: any PeerInbox
  ) {
    self.context = context
    self.claim = claim
    self.row = row
    self.record = record
    self.machine = machine
    self.inbox = inbox
    id = record.id
    safetyNumber = SafetyNumber(context.identity.id, record.id)
    addresses = row.reach
    nudge = Nudge(loop: context.loop)
  }

  // MARK: Links

  /// Takes over a link whose handshake is done, and reads it until it ends. `first` was read from it already.
  func attach(_ link: Link, first: LinkFrame? = nil) {
    guard !isStopped, !row.blocked else {
      Task { await link.connection.close() }
      return
    }
    links.append(link)
    if links.count > LinkPolicy.maximumPerPeer {
      let oldest = links.removeFirst()
      Task { await oldest.connection.close() }
    }
    context.logger.info(
      "linked", metadata: ["peer": "\(row.alias)", "at": "\(link.connection.remoteName)", "dialled": "\(link.dialled != nil)"])
    if let address = link.dialled { Task { await self.noteReached(address) } }
    post(.linkUp(link))
    if let first { post(.frame(first)) }
    Task { await self.read(link) }
    Task { await self.keepAlive(link) }
  }

  private func read(_ link: Link) async {
    var reason = "the peer closed it"
    do {
      while let bytes = try await link.connection.receive(within: LinkPolicy.silence) {
        accepted(link)
        let frame = try LinkFrame(parsing: bytes.span)
        if case .close = frame { break }
        while work.count >= Self.backlogLimit { await withCheckedContinuation { backlogWaiters.append($0) } }
        post(.frame(frame))
      }
    } catch { reason = "\(error)" }
    await detach(link, because: reason)
  }

  /// The peer has spoken: from here on the link counts.
  private func accepted(_ link: Link) {
    guard let index = links.firstIndex(where: { $0.number == link.number }), !links[index].isAccepted else { return }
    links[index].isAccepted = true
    backoff.reset()
    wakeReadiness()
  }

  private func keepAlive(_ link: Link) async {
    while links.contains(where: { $0.number == link.number }) {
      guard (try? await context.loop.sleep(for: LinkPolicy.heartbeat)) != nil else { return }
      guard links.contains(where: { $0.number == link.number }) else { return }
      try? await link.connection.send(LinkFrame.counters([]).encoded)
    }
  }

  private func detach(_ link: Link, because reason: String) async {
    guard let index = links.firstIndex(where: { $0.number == link.number }) else { return }
    let wasAccepted = links.remove(at: index).isAccepted
    if !wasAccepted { timesTurnedAway += 1 }
    isTurnedAway = !wasAccepted
    if links.isEmpty { machine.linkDown() }
    await link.connection.close()
    context.logger.info("link ended", metadata: ["peer": "\(row.alias)", "reason": "\(reason)"])
    if wasAccepted {
      try? await context.database.touch(id, lastSeen: context.now)
      if let row = try? await context.database.peer(id) { adopt(row: row) }
    }
    await nudge.fire()
  }

  /// The link that frames go out on: the newest.
  var link: Link? { links.last }

  // MARK: Work

  /// Queues a payload for the session. It is delivered once, also if the link goes down in between.
  func send(_ payload: [UInt8]) {
    post(.payload(payload))
    Task { await nudge.fire() }
  }

  /// Starts a session with the bundle that the inviter handed over.
  func start(with bundle: Bundle) { post(.start(bundle)) }

  /// Bulk bytes moved: the session may owe the other side a turn.
  func noteTraffic(bytes: Int) { post(.traffic(bytes)) }

  /// Time passed.
  func tick() { post(.tick) }

  /// The node's signed prekeys were rotated.
  func adopt(_ ring: PrekeyRing) { post(.prekeys(ring)) }

  /// What this node says of itself at the start of the next session.
  func adopt(hello: [UInt8]) { post(.hello(hello)) }

  private func post(_ item: Work) {
    guard !isStopped else { return }
    work.append(item)
    guard !isWorking else { return }
    isWorking = true
    Task { await self.drain() }
  }

  private func drain() async {
    while !work.isEmpty, !isStopped { await step() }
    isWorking = false
    let waiting = idleWaiters
    idleWaiters = []
    for waiter in waiting { waiter.resume() }
  }

  /// Decides on what is ready together, commits it, and only then acts on it.
  private func step() async {
    var next = machine
    var merged: Outcome?
    var target: Link?
    var taken = 0
    loop: for item in work.prefix(Self.batchLimit) {
      if case .linkUp(let link) = item {
        // COUNTERS open a link, before anything else goes out on it: a batch of its own.
        guard taken == 0 else { break loop }
        target = link
      }
      taken += 1
      var trial = next
      do {
        if let outcome = try Self.apply(item, to: &trial, at: context.now) {
          if merged == nil { merged = outcome } else { merged?.absorb(outcome) }
        }
        next = trial
      } catch {
        context.logger.error("session", metadata: ["peer": "\(row.alias)", "error": "\(error)"])
      }
      if target != nil { break loop }
    }
    work.removeFirst(taken)
    wakeBacklog()
    guard let outcome = merged else {
      machine = next
      return
    }
    do {
      if !outcome.commit.isEmpty { try await context.database.apply([outcome.commit]) }
    } catch {
      // Nothing of this batch happened. What came over a link comes again; what was to be sent is reported as not sent.
      context.logger.error("cannot store the session", metadata: ["peer": "\(row.alias)", "error": "\(error)"])
      replies.failAll(NodeError(.failed, "the state folder cannot be written: \(error)"))
      await dropLinks()
      return
    }
    let linked = !links.isEmpty
    machine = next
    if !linked { machine.linkDown() }
    await act(on: outcome, target: target)
  }

  private static func apply(_ item: Work, to machine: inout PeerMachine, at now: UInt64) throws -> Outcome? {
    switch item {
    case .linkUp(let link): return try machine.linkUp(at: now, peerStarts: link.peerStarts)
    case .frame(let frame): return try machine.receive(frame, at: now)
    case .payload(let payload): return try machine.send(payload, at: now)
    case .start(let bundle): return try machine.start(with: bundle, at: now)
    case .traffic(let bytes): return try machine.noteTraffic(bytes: bytes, at: now)
    case .tick: return try machine.tick(at: now)
    case .prekeys(let ring):
      machine.prekeys = ring
      return nil
    case .hello(let hello):
      machine.hello = hello
      return nil
    }
  }

  private func act(on outcome: Outcome, target: Link?) async {
    if let link = target ?? link {
      for frame in outcome.frames {
        do { try await link.connection.send(frame.encoded) } catch {
          // The frames are in the outbox, and the reader of this link is about to notice.
          await link.connection.close()
          break
        }
      }
    }
    for event in outcome.events { note(event) }
    for delivered in outcome.delivered { await inbox.deliver(delivered, from: self) }
    if target != nil { greet() }
    wakeReadiness()
  }

  /// A session outlives the process, and an address may not: without this, two nodes that move one after the other would lose
  /// each other. A session that is only beginning says it by itself.
  private func greet() {
    guard !hasGreeted, machine.isConfirmed else { return }
    hasGreeted = true
    post(.payload(machine.hello))
  }

  private func wakeBacklog() {
    let woken = backlogWaiters
    backlogWaiters = []
    for waiter in woken { waiter.resume() }
  }

  // MARK: Readiness

  /// Whether payloads can go out now and be acted on.
  var isReady: Bool { isLinked && machine.isConfirmed }

  /// Whether a link is up on which the peer has spoken.
  var isLinked: Bool { links.contains(where: \.isAccepted) }

  /// Waits for a link and a confirmed session, dialling at once if there is neither.
  func ready(by deadline: Deadline) async throws {
    if row.blocked { throw NodeError.identityChanged(row.alias) }
    let before = timesTurnedAway
    while !isReady, !isStopped {
      await nudge.fire()
      try Task.checkCancellation()
      // Once may be a node that is just shutting down.
      guard timesTurnedAway < before + 2 else {
        throw NodeError(
          .notAllowed,
          "\(row.alias) is there, but does not take this node for a peer: it may have revoked the pairing, or have to decide first",
          hint: "`pawl peers` there shows an open question; else ask for a new ticket, and run `pawl join` here")
      }
      guard let remaining = deadline.remaining, remaining > .zero else {
        throw NodeError(
          .unreachable, links.isEmpty ? "cannot reach \(row.alias)" : "\(row.alias) is there, but the session is not ready",
          hint: "is its node running? `pawl peers` shows when it was last seen")
      }
      let timer = Task { [context] in
        try? await context.loop.sleep(for: min(remaining, .seconds(1)))
        self.wakeReadiness()
      }
      await withTaskCancellationHandler {
        await withCheckedContinuation { readinessWaiters.append($0) }
      } onCancel: {
        Task { await self.wakeReadiness() }
      }
      timer.cancel()
    }
    if isStopped { throw stopReason }
  }

  private func wakeReadiness() {
    let woken = readinessWaiters
    readinessWaiters = []
    for waiter in woken { waiter.resume() }
  }

  // MARK: Life

  /// Begins to keep a link up.
  func run() {
    guard dialling == nil, !isStopped, !row.blocked else { return }
    dialling = Task { await self.keepLinked() }
  }

  /// Ends all links at once; nothing is sent or acted upon afterwards. Returning means that what was being committed is, so that the
  /// machine is what the store has.
  func stop(because reason: NodeError? = nil) async {
    isStopped = true
    if let reason { stopReason = reason }
    dialling?.cancel()
    await nudge.fire()
    replies.failAll(stopReason)
    wakeBacklog()
    wakeReadiness()
    await dropLinks(saying: LinkFrame.close.encoded)
    while isWorking { await withCheckedContinuation { idleWaiters.append($0) } }
  }

  /// Side by side: each may take a moment, if the peer reads slowly on purpose.
  private func dropLinks(saying goodbye: [UInt8]? = nil) async {
    let dropped = links
    links = []
    machine.linkDown()
    await withTaskGroup(of: Void.self) { group in
      for link in dropped { group.addTask { await link.connection.close(saying: goodbye) } }
    }
  }
}

/// Where a peer's delivered payloads go.
protocol PeerInbox: Sendable {
  /// Called in order, after the commit that made the payload count.
  func deliver(_ payload: Delivered, from peer: Peer) async
}
