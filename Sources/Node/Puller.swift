internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// One artifact on its way here: does what the ``PullMachine`` decides.
///
/// The machine says what to ask for, which frames to accept and whom to blame; this actor owns the sockets, hands frames to the
/// workers, and keeps the partial folder and the resume map in step.
actor Puller {
  /// Between two ticks of the machine.
  static let tickTime = Duration.seconds(1)

  nonisolated let context: NodeContext
  nonisolated let peer: Peer
  nonisolated let transfer: TransferID
  nonisolated let entry: CatalogEntry
  nonisolated let order: PullOrder
  nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  private let desk: any AttachmentDesk
  private let publishers: any PublisherBook
  private let progress: @Sendable (PullProgress) -> Void
  private let source = SourceID(0)
  private let frames: FrameAccount

  private var machine: PullMachine
  private var events: [PullEvent] = []
  private var isDraining = false
  /// Whether the peer can be asked.
  private(set) var isLinked = false
  /// The peer knows that this pull needs it.
  private var isWaiting = false
  private var streams: [ConnectionID: TCPStream] = [:]
  /// Data connections that were granted and have not come yet.
  private var unopened: [ConnectionID: SecretBox] = [:]
  /// What is on worker threads, or waits for them.
  var jobs = 0
  private var quiescing: [CheckedContinuation<Void, Never>] = []
  private var filesComplete = 0
  private var parked: [@Sendable () -> Void] = []
  private var ticking: Task<Void, Never>?
  var rehashing: [Int: Task<Void, Never>] = [:]
  private var meter = Meter()

  private(set) var manifest: Manifest?
  private(set) var site: PullSite?
  private let verified = Promise<Manifest>()
  let finished = Promise<Void>()
  /// The peer says that it cannot bring the rest, as things are there.
  private(set) var isHopeless = false
  /// The user gave it up: what is there goes.
  var isAbandoned = false
  /// Settled once the pull is over and what it leaves is as it stays.
  nonisolated let ended = Promise<Void>()
  /// No verified byte is here, of this attempt or an earlier one.
  var hasNothing: Bool { machine.bytesTransferred == 0 && (site?.resumedBytes ?? 0) == 0 }

  init(
    context: NodeContext, peer: Peer, transfer: TransferID, entry: CatalogEntry, order: PullOrder,
    desk: any AttachmentDesk, publishers: any PublisherBook, progress: @escaping @Sendable (PullProgress) -> Void
  ) {
    self.context = context
    self.peer = peer
    self.transfer = transfer
    self.entry = entry
    self.order = order
    self.desk = desk
    self.publishers = publishers
    self.progress = progress
    frames = context.threads.pullFrames.account()
    machine = PullMachine(
      transfer: transfer, digest: entry.digest, puller: context.identity.id.digest, randomness: context.crypto.randomness,
      at: MonotonicClock.now)
  }

  // MARK: Life

  /// Begins: with the manifest if it is known already, else by asking for it.
  func start(known: SignedManifest?) async {
    progress(PullProgress(phase: .asking, source: await peer.row.alias))
    if let known { await accept(known) }
    ticking = startTask { await self.tick() }
    await peer.beginWaiting()
    isWaiting = true
    if finished.isSettled { stopWaiting() }
  }

  private func tick() async {
    while !finished.isSettled {
      let isReady = await peer.isReady
      if isReady != isLinked {
        isLinked = isReady
        post(isReady ? .sourceAvailable(source, node: peer.id.digest) : .sourceLost(source))
      }
      await openWhatIsMissing()
      post(.tick)
      guard (try? await context.loop.sleep(for: Self.tickTime)) != nil else { return }
    }
  }

  /// The verified manifest, as soon as it is there.
  func manifestWhenVerified() async throws -> Manifest { try await verified.value() }

  /// Waits until every selected file is whole and verified in the partial folder.
  func completion() async throws { try await finished.value() }

  /// Ends the pull; what is there stays, and another pull resumes it.
  func cancel(_ error: any Error = CancellationError()) async {
    guard !finished.isSettled else { return }
    for case .persist(let files) in machine.receive(.stop, at: MonotonicClock.now) { await persist(files) }
    settle(.failure(error))
  }

  private func settle(_ result: Result<Void, any Error>) {
    guard !finished.isSettled else { return }
    finished.settle(result)
    if case .failure(let error) = result { verified.settle(.failure(error)) }
    stopWaiting()
    ticking?.cancel()
    for task in rehashing.values { task.cancel() }
    let open = streams
    streams = [:]
    for stream in open.values { startTask { await stream.close() } }
    wakeParked()
  }

  /// The peer is needed no longer.
  private func stopWaiting() {
    guard isWaiting else { return }
    isWaiting = false
    startTask { await peer.endWaiting() }
  }

  /// Waits until nothing of this pull is on a worker thread any more, whether the calling task is canceled or not: afterwards
  /// nothing touches the partial folder.
  func quiesce() async {
    while jobs > 0 { await withCheckedContinuation { quiescing.append($0) } }
  }

  func jobEnded() {
    jobs -= 1
    guard jobs == 0 else { return }
    let waiting = quiescing
    quiescing = []
    for waiter in waiting { waiter.resume() }
  }

  // MARK: Events

  /// Something happened that the machine must know.
  func post(_ event: PullEvent) {
    events.append(event)
    guard !isDraining else { return }
    isDraining = true
    startTask { await self.drain() }
  }

  private func drain() async {
    while !events.isEmpty {
      // All at once: taking the first off an array moves the rest.
      let batch = events
      events = []
      for event in batch where !finished.isSettled {
        let actions = machine.receive(event, at: MonotonicClock.now)
        if case .granted = event { wakeParked() }
        // Reported once the machine has counted it, and before anything waits.
        if case .verified(let ticket) = event { report(moved: ticket.file) }
        for action in actions where !finished.isSettled { await perform(action) }
      }
    }
    isDraining = false
  }

  private func perform(_ action: PullAction) async {
    switch action {
    case .send(_, let want):
      if let key = want.connectionKey { await desk.expect(want.connection, key: key, owner: .puller(transfer)) }
      await peer.send(ControlMessage.want(want).payload) { error in startTask { await self.cancel(error) } }
    case .open(_, let connection, let key):
      unopened[connection] = key
      await openWhatIsMissing()
    case .close(let connection):
      unopened[connection] = nil
      if let stream = streams.removeValue(forKey: connection) { await stream.close() }
    case .manifest(let bytes, _):
      let signed = try? await context.threads.files.run { try SignedManifest(encoded: bytes.span) }
      if let signed { await accept(signed) } else { post(.manifestBad("it is malformed")) }
    case .verifyLeafList(let file, let bytes): verify(leafList: bytes, file: file)
    case .rehash(let file, let leaves): rehash(file, leaves)
    case .drop(_, let failure):
      context.peerLog.note(
        .warning, "not asked again", peer: String(peer.id.hex.prefix(16)), metadata: ["why": "\(failure.reason)"])
    case .persist(let files): await persist(files)
    case .fileComplete:
      filesComplete += 1
      report()
    case .complete:
      report()
      settle(.success(()))
    case .failed(let failure):
      isHopeless = failure.isHopeless
      // A peer that cannot be heard because nothing can be stored is not to blame.
      if failure.isSilence, let cause = await peer.commitFailure { return settle(.failure(cause)) }
      settle(.failure(await failure.explained(peer: peer.row.alias, reference: "\(entry.name)@v\(entry.version)")))
    }
  }

  // MARK: Manifest

  /// Checks digest, signature and publisher, and goes on to the files.
  private func accept(_ signed: SignedManifest) async {
    let manifest: Manifest
    do { manifest = try await publishers.open(signed, entry: entry, explicitVersion: order.isExplicitVersion) } catch {
      if let error = error as? NodeError, !(error.code == .integrity && error.hint == nil) { return settle(.failure(error)) }
      return post(.manifestBad("\(error)"))
    }
    self.manifest = manifest
    verified.settle(.success(manifest))
    guard let destination = order.destination else { return settle(.success(())) }
    // Counted as a job: what it leaves on the disk is known before anybody decides what becomes of it.
    jobs += 1
    // Apart, since the caller still holds the manifest's bytes.
    startTask {
      await self.prepare(manifest, for: destination)
      self.jobEnded()
    }
  }

  /// Looks at the disk, and tells the machine what is to be fetched.
  private func prepare(_ manifest: Manifest, for destination: PullDestination) async {
    latest.source = order.alias
    announce(.examining)
    do {
      let site = try await PullSite.prepare(
        manifest, digest: entry.digest, destination: destination, transfer: transfer, peer: peer.id, context: context)
      let plan = try await site.pullPlan(manifest, context: context)
      self.site = site
      meter.begin(resumed: site.resumedBytes)
      post(.plan(plan))
    } catch { settle(.failure(error)) }
  }

  // MARK: Workers

  private func persist(_ files: [Int]) async {
    let map = machine.map
    let bits = Dictionary(files.map { ($0, map.bits(file: $0)) }, uniquingKeysWith: { _, new in new })
    do { try await context.database.saveResume(transfer.bytes, bits) } catch { settle(.failure(error)) }
  }

  // MARK: Data connections

  /// Dials what was granted and is not there yet, if it is this side's turn. Looked at again with every tick: links may have come
  /// and gone since the grant, and with them whose turn it is.
  private func openWhatIsMissing() async {
    guard !unopened.isEmpty, let address = await peer.pullerDials else { return }
    defer { unopened = [:] }
    for (connection, key) in unopened { startTask { await self.dial(address, connection, key) } }
  }

  private func dial(_ address: SocketAddress, _ connection: ConnectionID, _ key: SecretBox) async {
    do {
      adopt(try await DataDialler.dial(address, connection: connection, key: key, on: context.loop), as: connection)
    } catch { post(.connectionClosed(connection)) }
  }

  /// A data connection is there, whoever dialled it; reads it until it ends.
  func adopt(_ stream: TCPStream, as connection: ConnectionID) {
    guard !finished.isSettled, streams[connection] == nil else {
      startTask { await stream.close() }
      return
    }
    streams[connection] = stream
    unopened[connection] = nil
    post(.connectionOpened(connection))
    startTask { await self.read(stream, connection) }
  }

  private func read(_ stream: TCPStream, _ connection: ConnectionID) async {
    do {
      while streams[connection] != nil, try await readFrame(stream, connection) {}
    } catch {
      context.peerLog.note(
        .debug, "a data connection ended", peer: String(peer.id.hex.prefix(16)), metadata: ["error": "\(error)"])
    }
    streams[connection] = nil
    await stream.close()
    post(.connectionClosed(connection))
  }

  /// Reads the next frame and hands it on. False: there is none, or nobody asked for it.
  ///
  /// A function of its own, after which nothing here holds the frame: a connection that waits for its peer holds none.
  private func readFrame(_ stream: TCPStream, _ connection: ConnectionID) async throws -> Bool {
    guard let header = try await stream.read(exactly: SegmentHeader.byteCount) else { return false }
    let bodyBytes = try machine.check(SegmentHeader(parsing: header.span), on: connection)
    // Taken when its bytes are on their way, and so given back without anybody else's help.
    let frame = try await frames.take(bodyBytes: bodyBytes)
    guard streams[connection] != nil else { return false }
    frame.header.copyBytes(from: header)
    try await stream.readBody(of: frame, headerCount: header.count, count: bodyBytes, deadline: .never)
    return try await take(frame, connection)
  }

  /// Ends data connections over addresses that this machine no longer has; what is missing is asked for again.
  func endDeadConnections() async {
    for stream in streams.values where !context.network.carries(stream) { await stream.close() }
  }

  /// A whole frame is in memory. False: it was not asked for.
  private func take(_ frame: Frame, _ connection: ConnectionID) async throws -> Bool {
    let header = try SegmentHeader(parsing: Array(frame.header.prefix(SegmentHeader.byteCount)).span)
    let patience = Deadline.after(PullLimits.grantPatience)
    while !finished.isSettled {
      switch machine.take(header, on: connection, at: MonotonicClock.now) {
      case .take(let ticket):
        work(on: frame, ticket)
        return true
      case .early:
        guard !patience.isPast else { return false }
        await park()
      case .refuse(let refusal):
        context.peerLog.note(
          .warning, "a frame that nobody asked for", peer: String(peer.id.hex.prefix(16)), metadata: ["why": "\(refusal)"])
        return false
      }
    }
    return false
  }

  /// Waits for the next grant, or a while.
  private func park() async {
    let timer = startTask { [context] in
      if (try? await context.loop.sleep(for: .milliseconds(200))) != nil { self.wakeParked() }
    }
    await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in parked.append { waiter.resume() } }
    timer.cancel()
  }

  private func wakeParked() {
    defer { parked = [] }
    for resume in parked { resume() }
  }

  private func work(on frame: Frame, _ ticket: FrameTicket) {
    jobs += 1
    let partial = site?.partial
    startTask {
      let result = await FrameJob.run(frame, ticket, partial: partial, on: context.threads.open)
      self.done(ticket, result)
    }
  }

  private func done(_ ticket: FrameTicket, _ result: FrameJob.Result) {
    defer { jobEnded() }
    switch result {
    case .written:
      meter.add(ticket.plaintextBytes)
      post(.verified(ticket))
    case .piece(let bytes): post(.opened(ticket, bytes))
    case .badTag: post(.badTag(ticket))
    case .badLeaf: post(.badLeaf(ticket))
    case .lost: post(.lost(ticket))
    case .failed(let error): settle(.failure(error))
    }
  }

  // MARK: Progress

  /// Bytes of contents that travelled in this run.
  var bytesTransferred: UInt64 { machine.bytesTransferred }

  /// A phase that the machine does not know.
  func announce(_ phase: PullProgress.Phase) {
    latest.phase = phase
    progress(latest)
  }

  private func report(moved file: Int? = nil) {
    guard let manifest, let site else { return }
    var state = PullProgress(phase: .fetching)
    state.file = file.map { manifest.files[$0].path.text }
    state.filesTotal = site.plan.toFetch.count
    state.filesDone = filesComplete
    state.bytes = machine.verifiedBytes
    state.bytesTotal = machine.selectedBytes
    state.bytesResumed = site.resumedBytes
    state.bytesPerSecond = meter.rate
    state.source = order.alias
    progress(state)
    latest = state
  }

  /// The last state reported, for `status`.
  private(set) var latest = PullProgress(phase: .asking)
}
