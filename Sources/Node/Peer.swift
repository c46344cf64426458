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
  let inbox: any PeerInbox
  private var work: [Work] = []
  private var isWorking = false
  private var backlogWaiters: [CheckedContinuation<Void, Never>] = []
  var readinessWaiters: [CheckedContinuation<Void, Never>] = []
  private var idleWaiters: [CheckedContinuation<Void, Never>] = []
  var stopReason = NodeError(.unreachable, "the node is shutting down")
  private var dialling: Task<Void, Never>?
  /// When the peer may be dialed next.
  var backoff = Backoff()
  /// Commands and transfers that wait for the peer.
  var demand = 0
  /// How often a link was closed before the peer had said anything.
  var timesTurnedAway = 0
  var greeting = Greeting()
  /// How each of ``addresses`` became known.
  var origins: AddressOrigins
  /// What the peer calls itself, as long as that and its addresses are not stored.
  var unsavedName: String?
  var cardWrites = Budget(capacity: maximumCardWrites, refillSeconds: cardWriteSeconds)
  /// A link has ended beside others, and what was on it is still to go out again.
  var isRelinkDue = false
  /// When that was done last.
  var relinked: Duration?
  /// What its links have brought that was worth nothing.
  var conduct = PeerConduct()
  /// Pairings that the peer may repeat.
  var repeatedPairings = Budget(capacity: 8, refillSeconds: 10)
  /// Why the last commit came to nothing; nil: it did not.
  var commitFailure: NodeError?
  let nudge: Nudge
  /// Questions of the peer that wait for their answers.
  nonisolated let queries: DeliveryLine
  /// That what the peer says of itself is stored.
  nonisolated let greetings: DeliveryLine
  var replies = ReplyDesk()
  /// What the machine has done and the store has not.
  var deferred: DeferredCommit
  /// Whether that has waited long enough.
  var isFlushDue = false

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
    queries = DeliveryLine(limit: Self.maximumQueries, on: context.loop)
    greetings = DeliveryLine(limit: 1, on: context.loop)
    deferred = DeferredCommit(peer: record.id)
    (addresses, origins) = AddressOrigins.read(row.addresses)
    if let reached = row.reachedAddress {
      origins.noteReached(reached)
      let added = addresses.filter { [origins] in origins.origin(of: $0) == .added }
      addresses = PeerReach.merge(reached: reached, added: added, claimed: addresses)
    }
    nudge = Nudge(loop: context.loop)
  }

  // MARK: Links

  /// Takes over a link whose handshake is done, and reads it until it ends. `first` was read from it already.
  func attach(_ link: Link, first: LinkFrame? = nil) {
    guard !isStopped, !row.blocked, !isPaused else {
      startTask { await link.connection.close() }
      return
    }
    guard let link = seated(link) else {
      startTask { await link.connection.close() }
      return
    }
    links.append(link)
    if links.count > LinkPolicy.maximumPerPeer {
      let oldest = links[0]
      startTask { await self.detach(oldest, because: "there are too many") }
    }
    context.peerLog.note(
      .info, "linked", peer: row.alias,
      metadata: ["at": "\(link.connection.remoteName)", "dialled": "\(link.dialled != nil)"])
    if let address = link.dialled { startTask { await self.noteReached(address) } }
    post(.linkUp(link))
    if let first { post(.frame(first, link)) }
    startTask { await self.read(link) }
    startTask { await self.keepAlive(link) }
  }

  private func read(_ link: Link) async {
    var reason = "the peer closed it"
    do {
      while let bytes = try await link.connection.receive(within: LinkPolicy.silence) {
        accepted(link)
        let frame = try LinkFrame(parsing: bytes.span)
        if case .close = frame { break }
        noteUse(of: link, by: frame)
        while work.count >= Self.backlogLimit { await withCheckedContinuation { backlogWaiters.append($0) } }
        post(.frame(frame, link))
      }
    } catch { reason = "\(error)" }
    await detach(link, because: reason)
  }

  /// The peer has spoken: from here on the link counts.
  private func accepted(_ link: Link) {
    guard let index = links.firstIndex(where: { $0.number == link.number }), !links[index].isAccepted else { return }
    links[index].isAccepted = true
    wakeReadiness()
  }

  private func noteUse(of link: Link, by frame: LinkFrame) {
    if case .counters = frame { return }
    if let index = links.firstIndex(where: { $0.number == link.number }) { links[index].isUseful = true }
  }

  private func keepAlive(_ link: Link) async {
    while links.contains(where: { $0.number == link.number }) {
      guard (try? await context.loop.sleep(for: LinkPolicy.heartbeat)) != nil else { return }
      guard links.contains(where: { $0.number == link.number }) else { return }
      try? await link.connection.send(LinkFrame.counters([]).encoded)
    }
  }

  /// - Parameter isForConduct: we end the link because of what it brought: it counts as one that was of no use.
  func detach(_ link: Link, because reason: String, isForConduct: Bool = false) async {
    guard let index = links.firstIndex(where: { $0.number == link.number }) else { return }
    let ended = links.remove(at: index)
    let wasAccepted = ended.isAccepted
    conduct.forget(link.number)
    if !wasAccepted { timesTurnedAway += 1 }
    if isForConduct {
      work.removeAll { if case .frame(_, let from) = $0 { from.number == link.number } else { false } }
    }
    let now = MonotonicClock.now
    backoff.linkEnded(
      wasUseful: !isForConduct && ended.wasUseful(at: now), wasDialed: ended.dialled != nil, at: now,
      jitter: Double.random(in: 0...1))
    if links.isEmpty { machine.linkDown() } else { relink() }
    await nudge.fire()
    await link.connection.close()
    context.peerLog.note(.info, "link ended", peer: row.alias, metadata: ["reason": "\(reason)"])
    if wasAccepted { await noteSeen() }
  }

  /// Remembers when the peer was last there, to the minute: a peer that links up in a loop must not make as many writes.
  private func noteSeen() async {
    let now = context.now
    if let last = row.lastSeen, now >= last, now < last + 60 { return }
    try? await context.database.touch(id, lastSeen: now)
    if let row = try? await context.database.peer(id) { adopt(row: row) }
  }

  /// The link that frames go out on: the newest on which COUNTERS have gone first.
  var link: Link? { links.last(where: \.isOpen) }

  // MARK: Work

  /// Queues a payload for the session. It is delivered once as long as the session lasts, also if the link goes down in between.
  ///
  /// - Parameter refused: called once if it is not queued: nothing of it is sent then.
  func send(_ payload: [UInt8], refused: @escaping @Sendable (NodeError) -> Void) {
    post(.payload(Posted(payload: payload, refused: refused)))
  }

  /// Starts a session with the bundle that the inviter handed over.
  func start(with bundle: Bundle) { post(.start(bundle)) }

  /// Bulk bytes moved: the session may owe the other side a turn.
  func noteTraffic(bytes: Int) { post(.traffic(bytes)) }

  /// Time passed.
  func tick() async {
    post(.tick)
    await saveCardIfDue()
  }

  /// The node's signed prekeys were rotated.
  func adopt(_ ring: PrekeyRing) { post(.prekeys(ring)) }

  /// What this node says of itself from now on: in this session too, as soon as there is a link.
  func adopt(hello: [UInt8]) { post(.hello(hello)) }

  /// What waits for the store is to wait no longer.
  func flush() { post(.flush) }

  func post(_ item: Work) {
    guard !isStopped else {
      if case .payload(let posted) = item { posted.refused(stopReason) }
      return
    }
    work.append(item)
    guard !isWorking else { return }
    isWorking = true
    startTask { await self.drain() }
  }

  private func drain() async {
    while !work.isEmpty, !isStopped { await step() }
    for case .payload(let posted) in work { posted.refused(stopReason) }
    work = []
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
    var heard: AddressScope?
    var isNewHello = false
    var judged: [Judged] = []
    var taken = 0
    var queued: [Posted] = []
    loop: for item in work.prefix(Self.batchLimit) {
      if case .linkUp(let link) = item {
        // COUNTERS open a link, before anything else goes out on it: a batch of its own.
        guard taken == 0 else { break loop }
        target = link
      }
      if case .frame(_, let link) = item {
        let scope = scope(of: link)
        // What is delivered counts as said over one scope.
        if let heard, heard != scope { break loop }
        heard = scope
      }
      if case .hello = item { isNewHello = true }
      taken += 1
      var trial = next
      do {
        if let outcome = try Self.apply(item, to: &trial, at: context.now) {
          if case .frame(_, let link) = item { judged.append(Judged(outcome, on: link.number)) }
          if merged == nil { merged = outcome } else { merged?.absorb(outcome) }
        }
        next = trial
        if case .payload(let posted) = item { queued.append(posted) }
      } catch {
        if case .payload(let posted) = item {
          refuse(posted, because: error)
        } else {
          context.peerLog.note(.error, "session", peer: row.alias, metadata: ["error": "\(error)"])
        }
      }
      if target != nil { break loop }
    }
    work.removeFirst(taken)
    wakeBacklog()
    if isNewHello { greeting.markStale() }
    guard let outcome = merged else {
      machine = next
      if isNewHello { greet() }
      return
    }
    do {
      if try await commit(outcome.commit) { commitFailure = nil }
    } catch {
      // Nothing of this batch happened. What came over a link comes again; what was to be sent is reported as not sent.
      context.peerLog.note(.error, "cannot store the session", peer: row.alias, metadata: ["error": "\(error)"])
      let failure = NodeError(
        (error as? StoreError)?.code == .noSpace ? .noSpace : .failed, "the state folder cannot be written: \(error)")
      for posted in queued { posted.refused(failure) }
      replies.failAll(failure)
      commitFailure = failure
      // What the node has changed since holds all the same.
      (machine.prekeys, machine.hello) = (next.prekeys, next.hello)
      await dropLinks()
      backoff.failed(at: MonotonicClock.now, jitter: Double.random(in: 0...1))
      await nudge.fire()
      return
    }
    let linked = !links.isEmpty
    machine = next
    if !linked { machine.linkDown() }
    await act(on: outcome, target: target, heardOver: heard ?? .publicNetwork)
    await judge(judged)
  }

  private func act(on outcome: Outcome, target: Link?, heardOver scope: AddressScope) async {
    if let target, let index = links.firstIndex(where: { $0.number == target.number }) { links[index].isOpen = true }
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
    for delivered in outcome.delivered { await inbox.deliver(delivered, from: self, over: scope) }
    if target != nil || greeting.isOwed { greet() }
    wakeReadiness()
  }

  private func wakeBacklog() {
    let woken = backlogWaiters
    backlogWaiters = []
    for waiter in woken { waiter.resume() }
  }

  // MARK: Life

  /// Begins to keep a link up.
  func run() {
    guard dialling == nil, !isStopped, !row.blocked else { return }
    dialling = startTask { await self.keepLinked() }
  }

  /// Ends all links at once; nothing is sent or acted upon afterwards. Returning means that what was being committed is, so that the
  /// machine is what the store has.
  func stop(because reason: NodeError? = nil) async {
    isStopped = true
    if let reason { stopReason = reason }
    dialling?.cancel()
    await nudge.fire()
    await context.dials.release(id)
    await queries.clear()
    await greetings.clear()
    replies.failAll(stopReason)
    wakeBacklog()
    wakeReadiness()
    await dropLinks(saying: LinkFrame.close.encoded)
    while isWorking { await withCheckedContinuation { idleWaiters.append($0) } }
    await commitDeferred()
  }

  /// Side by side: each may take a moment, if the peer reads slowly on purpose.
  private func dropLinks(saying goodbye: [UInt8]? = nil) async {
    let dropped = links
    links = []
    for link in dropped { conduct.forget(link.number) }
    machine.linkDown()
    await withTaskGroup(of: Void.self) { group in
      for link in dropped { group.addTask { await link.connection.close(saying: goodbye) } }
    }
  }
}
