public import EventLoop
internal import Foundation
public import Logging
internal import Primitives
public import Session
public import Store
internal import Transfer

/// One running Pawl: one identity, one state folder, one loop, and the peers it is paired with.
///
/// It executes what the pure rooms decide: sessions in ``Session``, transfers in ``Transfer``, documents in ``Artifact``.
public actor Node {
  /// The loop: all of a node's state is touched on its thread alone.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  nonisolated let context: NodeContext
  nonisolated let configuration: NodeConfiguration
  /// Where the node keeps what nobody else may have.
  nonisolated let locations: Locations
  /// This node's id: the hash of its identity.
  public nonisolated let id: NodeID
  /// Where it listens: `127.0.0.1:7411`.
  public nonisolated let listening: SocketAddress
  let started: UInt64
  /// What this node calls itself.
  private(set) var ownName: String

  let listener: TCPListener
  var prekeys: PrekeyRing
  var peers: [NodeID: Peer] = [:]
  /// Somebody adds, blocks or removes peers; others wait in line.
  var isChangingPeers = false
  var changeWaiters: [CheckedContinuation<Void, Never>] = []
  nonisolated let doorway: Doorway
  /// Waiting for a ticket to be used, by ticket id.
  var ticketWaiters: [[UInt8]: [TicketWaiter]] = [:]
  var ticketNotices = TicketNotices()
  /// Data connections that were announced and have not come yet.
  var desk = AttachDesk<DataOwner>()
  var servers: [NodeID: PeerServer] = [:]
  var pulls: [TransferID: Puller] = [:]
  /// Pulls that a further command may join.
  var pullJobs: [PullIdentity: PullJob] = [:]
  /// The latest pull of each place: the next one there waits for it.
  var pullsByPlace: [PullPlace: PullJob] = [:]
  nonisolated let pullQueue = FairQueue(places: maximumPulls, waiting: maximumWaitingPulls)
  nonisolated let manifestQueue = FairQueue(places: maximumManifestQueries, waiting: maximumWaitingQueries)
  /// Peers whose stored state could not be read. They are no peers of this run.
  var damagedPeers: [NodeID: DamagedPeer] = [:]
  /// Transfers that nobody may take up now: their files are being placed, or removed.
  var heldTransfers: Set<TransferID> = []
  /// Those of them whose placement nobody has begun to end yet.
  var heldPlacements: Set<TransferID> = []
  var retaining = Retaining()
  let readBacks: ReadBackQueue
  var sourceLook = SourceLook()
  private(set) var isStopping = false
  private var housekeeping: Task<Void, Never>?
  private var accepting: Task<Void, Never>?
  private var following: Task<Void, Never>?

  /// Opens the state, creates the identity on the first run, listens, and begins to link up with its peers.
  ///
  /// Without `keys` the folder is unlocked as it can be without a passphrase.
  ///
  /// Throws ``NodeError`` or ``StoreError`` where the state cannot be used or the address is taken.
  public static func start(
    _ configuration: NodeConfiguration, folder: StateFolder, keys: Keyring? = nil, loop: EventLoop, logger: Logger,
    crypto: SessionCrypto = .system, clock: @escaping @Sendable () -> UInt64 = Node.wallClock,
    network: any NetworkView = SystemNetworkView()
  ) async throws -> Node {
    try await start(
      configuration, folder: folder, keys: keys, loop: loop, logger: logger, crypto: crypto, clock: clock, network: network,
      threads: NodeThreads(loop: loop))
  }

  static func start(
    _ configuration: NodeConfiguration, folder: StateFolder, keys: Keyring?, loop: EventLoop, logger: Logger,
    crypto: SessionCrypto, clock: @escaping @Sendable () -> UInt64, network: any NetworkView, threads: NodeThreads
  ) async throws -> Node {
    let keys = try keys ?? folder.unlock()
    let database = try Database(folder: folder, keys: keys)
    do {
      let isFirstRun = try await database.peers().isEmpty
      let identity = try Self.identity(in: folder, keys, isFirstRun: isFirstRun, crypto: crypto, logger: logger)
      let descriptors = DescriptorBudget.process
      let context = NodeContext(
        loop: loop, identity: identity, key: keys.key, database: database, crypto: crypto, clock: clock, threads: threads,
        network: network, logger: logger, peerLog: PeerLog(logger), descriptors: descriptors,
        dials: DialGate(limit: DialGate.limit(in: descriptors), on: loop),
        numbers: SafetyNumbers(of: identity.id, on: threads.open))
      var prekeys = try PrekeyRing(stored: try await database.loadPrekeys(), key: keys.key)
      let rotation = prekeys.refresh(at: context.now, crypto: crypto)
      try await database.forgetSpentInitiations(expiredAt: context.now)
      let (loaded, damaged) = try await Self.load(context: context, prekeys: prekeys)
      // What died while the node was off goes before anybody can make use of it.
      try await database.apply(loaded.map(\.expired.commit), prekeys: rotation)
      let listener = try await Self.listen(configuration, context: context)
      let node = Node(
        configuration: configuration, locations: folder.locations, context: context, prekeys: prekeys, listener: listener)
      if descriptors.limit < DescriptorLimit.comfortable {
        logger.warning(
          "few files and connections may be open at once: floods and large artifacts will be slow, or refused; raise it with ulimit -n",
          metadata: ["limit": "\(descriptors.limit)"])
      }
      await node.begin(loaded, damaged)
      return node
    } catch {
      await database.close()
      throw error
    }
  }

  /// Unix seconds of the system's clock.
  @Sendable public static func wallClock() -> UInt64 {
    UInt64(max(0, Date().timeIntervalSince1970))
  }

  private init(
    configuration: NodeConfiguration, locations: Locations, context: NodeContext, prekeys: PrekeyRing, listener: TCPListener
  ) {
    self.configuration = configuration
    ownName = configuration.name
    self.locations = locations
    self.context = context
    self.prekeys = prekeys
    self.listener = listener
    id = context.identity.id
    listening = listener.localAddress
    started = context.now
    readBacks = ReadBackQueue(context: context)
    doorway = Doorway(loop: context.loop, capacity: context.descriptors.share(of: .door))
  }

  private static func identity(
    in folder: StateFolder, _ keys: Keyring, isFirstRun: Bool, crypto: SessionCrypto, logger: Logger
  ) throws -> Identity {
    if let stored = try folder.readIdentity(keys) {
      do { return try Identity(parsing: stored.span) } catch {
        throw StoreError(.corruptIdentity, folder.locations.identityFile, detail: "The identity file is damaged.")
      }
    }
    guard isFirstRun else {
      throw NodeError(
        .failed, "\(folder.locations.identityFile) is gone, and this state belongs to it",
        hint: "put it back; to begin anew as another node, move \(folder.locations.state) away")
    }
    let identity = try Identity.generate(crypto)
    let bytes = identity.serialized()
    try folder.writeIdentity(bytes.span, keys)
    logger.info("a new identity", metadata: ["id": "\(identity.id.hex)"])
    return identity
  }

  /// A peer as it was stored, and what had its time since.
  private struct LoadedPeer {
    let row: PeerRow
    let record: IdentityRecord
    let machine: PeerMachine
    let claim: IdentityClaim?
    let expired: Outcome
  }

  /// The peers, each after a first tick, which deletes what has expired. That is to be committed before they are used. A peer of
  /// which something does not open is left out, as it is; a database that cannot be read is an error.
  private static func load(
    context: NodeContext, prekeys: PrekeyRing
  ) async throws -> (loaded: [LoadedPeer], damaged: [DamagedPeer]) {
    var loaded: [LoadedPeer] = []
    var damaged: [DamagedPeer] = []
    let claims = try await context.database.claims()
    let spent = try await context.database.spentInitiations()
    for row in try await context.database.peers() {
      do {
        guard let snapshot = try await context.database.loadPeer(row.id) else { continue }
        let record = try IdentityRecord(stored: row.record.span)
        var machine = try PeerMachine(
          identity: context.identity, snapshot: snapshot, prekeys: prekeys, hello: [], crypto: context.crypto, key: context.key)
        machine.spent = spent
        let expired = try machine.tick(at: context.now)
        loaded.append(
          LoadedPeer(
            row: row, record: record, machine: machine, claim: claims.first { $0.peer == row.id }, expired: expired))
      } catch {
        if let error = error as? StoreError, error.code != .badRecord { throw error }
        context.logger.error("a peer's state is damaged", metadata: ["peer": "\(row.alias)", "error": "\(error)"])
        damaged.append(DamagedPeer(row: row, isClaimed: claims.contains { $0.peer == row.id }))
      }
    }
    return (loaded, damaged)
  }

  private func begin(_ loaded: [LoadedPeer], _ damaged: [DamagedPeer]) async {
    for peer in damaged { damagedPeers[peer.row.id] = peer }
    let addresses = localAddresses()
    let hello = hello()
    for peer in loaded {
      var machine = peer.machine
      machine.hello = hello
      let added = add(row: peer.row, record: peer.record, machine: machine, claim: peer.claim)
      for event in peer.expired.events { await added.note(event) }
    }
    await noteKnownAddresses()
    accepting = startTask { await self.acceptConnections() }
    housekeeping = startTask { await self.keepHouse() }
    following = startTask { await self.followAddresses(since: addresses, said: hello) }
    // Only so many are dialed at once: first those that were there last.
    for peer in loaded.sorted(by: { $0.row.lastSeen ?? 0 > $1.row.lastSeen ?? 0 }) { await peers[peer.row.id]?.run() }
    await readBacks.resume()
    await holdPlacements()
    startTask { await self.finishPlacements() }
  }

  /// Makes a peer live; the caller runs it. One that is blocked is only known.
  @discardableResult
  func add(row: PeerRow, record: IdentityRecord, machine: PeerMachine, claim: IdentityClaim? = nil) -> Peer {
    let peer = Peer(context: context, row: row, record: record, machine: machine, claim: claim, inbox: self)
    peers[row.id] = peer
    damagedPeers[row.id] = nil
    // Who was paired before and pairs again: what ran over the old session ends with it.
    if let server = servers.removeValue(forKey: row.id) { startTask { await server.stop() } }
    for puller in pulls.values where puller.peer.id == row.id {
      let end = NodeError(.unreachable, "\(row.alias) was paired anew", hint: "the same command resumes where it stopped")
      startTask { await puller.cancel(end) }
    }
    return peer
  }

  /// Calls itself something else from now on, and tells its peers.
  public func rename(to name: String) async {
    guard name != ownName else { return }
    ownName = name
    let hello = hello()
    for peer in peers.values { await peer.adopt(hello: hello) }
  }

  // MARK: Time

  private func keepHouse() async {
    while !isStopping {
      guard (try? await context.loop.sleep(for: LinkPolicy.tick)) != nil else { return }
      await tick()
    }
  }

  /// One round of what time alone makes due.
  func tick() async {
    // Before the peers, whose batches name them. Costs nothing while nothing is due.
    await rotatePrekeys()
    for peer in peers.values { await peer.tick() }
    await noteKnownAddresses()
    context.peerLog.report()
    expireTickets()
    expireAnnounced()
    try? await context.database.maintain()
    for server in servers.values { await server.tick() }
    beginRetaining()
    let turn = context.loop.takeLongestTurn()
    if turn >= .milliseconds(20) { context.logger.debug("the loop was busy", metadata: ["longest turn": "\(turn)"]) }
  }

  private func rotatePrekeys() async {
    do {
      var next = prekeys
      let rotation = next.refresh(at: context.now, crypto: context.crypto)
      guard !rotation.isEmpty else { return }
      try await context.database.apply([], prekeys: rotation)
      prekeys = next
      for peer in peers.values { await peer.adopt(next) }
      // They live as long as the prekeys that they name.
      try await context.database.forgetSpentInitiations(expiredAt: context.now)
    } catch {
      context.logger.error("prekeys were not rotated", metadata: ["error": "\(error)"])
    }
  }

  // MARK: End

  /// Stops accepting, ends transfers where they can be resumed, closes links, and closes the state.
  public func stop() async {
    guard !isStopping else { return }
    isStopping = true
    // What places 100,000 files must not keep the node from ending; where it was is taken up again.
    context.threads.raiseStop()
    housekeeping?.cancel()
    accepting?.cancel()
    following?.cancel()
    await listener.close()
    await doorway.close()
    await endPulls(because: CancellationError())
    for puller in pulls.values { await puller.cancel() }
    for server in servers.values { await server.stop() }
    for waiter in ticketWaiters.values.joined() { waiter.fail(NodeError(.interrupted, "the node is shutting down")) }
    ticketWaiters = [:]
    for peer in peers.values { await peer.stop() }
    await readBacks.stop()
    context.peerLog.report(isEnd: true)
    await context.threads.stop()
    await context.database.close()
  }
}
