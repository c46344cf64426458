internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// Serves one peer: answers its wants with grants and streams what it granted.
actor PeerServer {
  nonisolated let context: NodeContext
  nonisolated let peer: Peer
  nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

  private let desk: any AttachmentDesk
  private var machine: ServeMachine
  private var wants: [(want: Want, session: SessionID)] = []
  private var isAnswering = false
  private var sources: [Digest: ServedSource] = [:]
  private var streams: [ConnectionID: TCPStream] = [:]
  private var sent: [ConnectionID: SentBytes] = [:]
  private var nudges: [ConnectionID: Nudge] = [:]
  private(set) var isStopped = false
  /// What the peer may still be told of the catalog.
  var queryBudget = QueryBudget()
  /// Frames on their way to this peer.
  private let frames: FrameAccount

  init(context: NodeContext, peer: Peer, desk: any AttachmentDesk) {
    self.context = context
    self.peer = peer
    self.desk = desk
    frames = context.threads.serveFrames.account()
    machine = ServeMachine(server: context.identity.id.digest, puller: peer.id.digest, randomness: context.crypto.randomness)
  }

  /// What is being served now.
  func report() -> [(connection: String, name: String, version: UInt64?, bytes: UInt64, bytesPerSecond: UInt64)] {
    streams.keys.map { connection in
      let sent = sent[connection]
      let source = sent.flatMap { sources[$0.digest] } ?? sources.values.first
      return (
        connection.hex, source?.manifest.name.text ?? "", source.map { UInt64($0.manifest.version) }, sent?.bytes ?? 0,
        sent?.meter.rate ?? 0
      )
    }
  }

  // MARK: Wants

  /// Wants of one peer that may wait for their answers: a puller has four under way in each transfer, and few transfers.
  static let maximumWants = 128

  /// Artifacts that are kept open for one peer: as many as a puller pulls at once.
  static let maximumSources = 8

  /// Answers in the order of the wants.
  func receive(_ want: Want, session: SessionID) {
    // Dropped, not denied: a peer that asks faster than the disk answers would only get another queue filled.
    guard wants.count < Self.maximumWants else { return }
    wants.append((want, session))
    guard !isAnswering else { return }
    isAnswering = true
    startTask { await self.answerWants() }
  }

  private func answerWants() async {
    while !wants.isEmpty, !isStopped {
      let (want, session) = wants.removeFirst()
      await answer(want, session: session)
    }
    isAnswering = false
  }

  private func answer(_ want: Want, session: SessionID) async {
    guard let session = SegmentSession(session.bytes) else { return }
    let source: ServedSource?
    do { source = try await self.source(want.digest) } catch {
      // It is this peer's to have, and cannot be opened.
      context.peerLog.note(
        .error, "an artifact cannot be served", peer: await peer.row.alias,
        metadata: ["digest": "\(want.digest.hex)", "error": "\(error)"])
      await note(error, of: want.digest)
      return await tell(Deny(request: want.request, transfer: want.transfer, reason: DenyReason(because: error)))
    }
    let reply = machine.receive(want, artifact: source?.served, session: session, at: MonotonicClock.now)
    switch reply {
    case .repeated: break
    case .deny(let deny):
      await tell(deny)
    case .grant(let grant, newConnectionKey: nil):
      await tell(grant)
      await nudges[grant.connection]?.fire()
    case .grant(let grant, newConnectionKey: .some(let key)):
      await desk.expect(grant.connection, key: key, owner: .server(peer.id))
      await tell(grant)
      guard let address = await peer.serverDials else { return }
      startTask { await self.dial(address, connection: grant.connection, key: key) }
    }
  }

  /// A refusal that cannot be queued is dropped: the puller hears nothing for ten seconds, and asks again.
  private func tell(_ deny: Deny) async { await peer.send(ControlMessage.deny(deny).payload) { _ in } }

  /// A grant that cannot be queued ends with its connection. The puller asks again on another one, at once or after ten seconds.
  private func tell(_ grant: Grant) async {
    await peer.send(ControlMessage.grant(grant).payload) { _ in startTask { await self.drop(grant.connection) } }
  }

  private func drop(_ connection: ConnectionID) async {
    await end(connection)
    machine.closed(connection)
  }

  private func dial(_ address: SocketAddress, connection: ConnectionID, key: SecretBox) async {
    do {
      adopt(try await DataDialler.dial(address, connection: connection, key: key, on: context.loop), as: connection)
    } catch {
      context.logger.debug("no data connection", metadata: ["to": "\(address)", "error": "\(error)"])
      machine.closed(connection)
    }
  }

  /// What a digest names, if this peer may have it now. Asked again for every want: the audience may have shrunk.
  private func source(_ digest: Digest) async throws -> ServedSource? {
    guard try await context.database.isVisible(digest, to: peer.id) else {
      sources[digest] = nil
      return nil
    }
    if let known = sources[digest] { return known }
    guard let artifact = try await context.database.published(digest: digest) else { return nil }
    let files = try await context.database.publishedFiles(digest)
    let database = context.database
    let source = try await context.threads.files.run { try ServedSource(artifact, files: files, database: database) }
    context.threads.heap.jobEnds(files: files.count)
    // Opening takes a while, and it may have been withdrawn meanwhile. After this answer nothing is waited for before the
    // grant is there to be ended.
    guard try await context.database.isVisible(digest, to: peer.id) else { return nil }
    // Each keeps its folder open. One that is needed again is opened again.
    if sources.count >= Self.maximumSources, let other = sources.keys.first { sources[other] = nil }
    sources[digest] = source
    return source
  }

  // MARK: Streams

  /// A data connection is there; serves it until it ends.
  func adopt(_ stream: TCPStream, as connection: ConnectionID) {
    guard !isStopped, streams[connection] == nil else {
      startTask { await stream.close() }
      return
    }
    machine.opened(connection, at: MonotonicClock.now)
    streams[connection] = stream
    let nudge = Nudge(loop: context.loop)
    nudges[connection] = nudge
    startTask { await self.pump(connection, stream, nudge) }
    startTask { await self.watch(connection, stream) }
  }

  /// Ends data connections over addresses that this machine no longer has.
  func endDeadConnections() async {
    for stream in streams.values where !context.network.carries(stream) { await stream.close() }
  }

  /// The puller says nothing on a data connection: whatever comes, or its end, ends it.
  private func watch(_ connection: ConnectionID, _ stream: TCPStream) async {
    _ = try? await stream.read(deadline: .never)
    await end(connection)
  }

  private func end(_ connection: ConnectionID) async {
    guard let stream = streams.removeValue(forKey: connection) else { return }
    machine.closed(connection)
    sent[connection] = nil
    await nudges.removeValue(forKey: connection)?.fire()
    await stream.close()
    // With nobody reading, the files are closed; the next want opens them again.
    if streams.isEmpty { sources = [:] }
  }

  private struct Sealing {
    let job: SealJob
    let task: Task<Frame, any Error>
  }

  /// What one connection has on its way to the socket.
  private struct Line {
    /// At the worker or sealed, in order.
    var ahead: [Sealing] = []
    /// Taken from the machine, which never gives it again, and still without a frame.
    var next: SealJob?
  }

  /// Keeps a few frames sealed ahead of the socket, and writes them in order.
  private func pump(_ connection: ConnectionID, _ stream: TCPStream, _ nudge: Nudge) async {
    var line = Line()
    var unaccounted = 0
    do {
      while streams[connection] != nil {
        try await fill(&line, for: connection)
        guard !line.ahead.isEmpty else {
          await account(&unaccounted, all: true)
          await nudge.wait(atMost: nil)
          continue
        }
        unaccounted += try await writeFirst(of: &line, to: stream, connection)
        await account(&unaccounted, all: false)
      }
    } catch {
      context.logger.debug("a data connection ended", metadata: ["error": "\(error)"])
    }
    for sealing in line.ahead { _ = try? await sealing.task.value }
    await end(connection)
  }

  /// Writes the first frame of a line, and returns how many bytes of plaintext that were. A function of its own: when it returns,
  /// nothing holds the frame any more. A variable of the loop above may live on until the loop is done waiting for the next frame,
  /// which is what no connection may do that holds one.
  private func writeFirst(of line: inout Line, to stream: TCPStream, _ connection: ConnectionID) async throws -> Int {
    let (job, task) = { ($0.job, $0.task) }(line.ahead.removeFirst())
    switch await task.result {
    case .success(let frame):
      try await stream.write(frame: frame, from: 0, count: frame.count, deadline: .after(Self.writeTime))
    case .failure(let error):
      await note(error, of: job.digest)
      await refuse(job, because: error, &line)
      return 0
    }
    sent[connection, default: SentBytes(job.digest)].add(job.plaintextBytes, of: job.digest)
    return job.plaintextBytes
  }

  /// A puller that takes nothing for this long has gone, or means to hold our memory.
  private static let writeTime = Duration.seconds(60)
  /// How far sealing runs ahead of the socket: one being written, one ready, one at the worker.
  private static let framesAhead = 3
  /// Bulk bytes between two looks at whether the session owes a turn.
  private static let accountBytes = 8 << 20

  /// Has the next frames sealed. Waits for a free frame only where none is held: connections share a budget, and one that
  /// held some while it waited for more could wait for another that does the same (``FrameBudget``). A frame that is held needs
  /// nothing but the puller's reading, and ``writeTime`` at most.
  private func fill(_ line: inout Line, for connection: ConnectionID) async throws {
    while line.ahead.count < Self.framesAhead {
      guard let job = line.next ?? machine.nextJob(on: connection, at: MonotonicClock.now) else { return }
      line.next = nil
      let source: ServedSource
      let piece: [UInt8]?
      do {
        // Closed when the last stream ended, perhaps while this one was on its way: opened again.
        let opened = if let known = sources[job.digest] { known } else { try await self.source(job.digest) }
        // Withdrawn meanwhile.
        guard let opened else { throw StoreError(.sourceMissing, detail: "it is shared no longer") }
        source = opened
        piece = try await source.piece(for: job)
      } catch {
        await refuse(job, because: error, &line)
        continue
      }
      let bodyBytes = job.plaintextBytes + BulkCipher.tagBytes
      var free = try frames.tryTake(bodyBytes: bodyBytes)
      if free == nil, line.ahead.isEmpty {
        free = try await frames.take(bodyBytes: bodyBytes)
        // It may have ended meanwhile, and others want the frame.
        guard streams[connection] != nil else { return }
      }
      guard let frame = free else {
        line.next = job
        return
      }
      let pool = context.threads.seal
      line.ahead.append(
        Sealing(
          job: job,
          task: startTask {
            do {
              try await pool.run { try source.fill(frame, for: job, piece: piece) }
            } catch let error as StoreError where error.code == .sourceTouched {
              // Nothing was sealed yet. Its leaf decides over the chunk, not the file's time.
              let leaf = try await source.leaf(for: job, on: pool)
              try await pool.run { try source.fill(frame, for: job, piece: piece, leaf: leaf) }
            }
            return frame
          }))
    }
  }

  private func refuse(_ job: SealJob, because error: any Error, _ line: inout Line) async {
    let path = sources[job.digest].flatMap { source in
      job.kind == .chunks && job.file < source.manifest.files.count ? source.manifest.files[job.file].path : nil
    }
    let reason = DenyReason(because: error)
    context.peerLog.note(
      .error, "a shared file cannot be served", peer: await peer.row.alias,
      metadata: ["reason": "\(reason.rawValue)", "file": "\(path?.text ?? "?")", "error": "\(error)"])
    // What is sealed already of this grant stays behind: the puller is told that the rest does not come.
    for sealing in line.ahead where sealing.job.grant == job.grant { _ = try? await sealing.task.value }
    line.ahead.removeAll { $0.job.grant == job.grant }
    if line.next?.grant == job.grant { line.next = nil }
    if let deny = machine.failed(job, reason: reason, path: path) { await tell(deny) }
  }

  private func account(_ bytes: inout Int, all: Bool) async {
    guard bytes > (all ? 0 : Self.accountBytes) else { return }
    await peer.noteTraffic(bytes: bytes)
    bytes = 0
  }

  // MARK: Life

  /// Time passed: connections that never came or stand idle are closed.
  func tick() async {
    for connection in machine.tick(at: MonotonicClock.now) { await end(connection) }
  }

  /// The files of an artifact lie elsewhere now.
  func forget(_ digest: Digest) { sources[digest] = nil }

  /// Artifacts were withdrawn: their grants end now.
  func withdraw(_ digests: [Digest]) async {
    for digest in digests {
      sources[digest] = nil
      for deny in machine.withdraw(digest) { await tell(deny) }
    }
  }

  /// Ends everything at once. Returns how many data connections that were.
  @discardableResult
  func stop() async -> Int {
    isStopped = true
    wants = []
    let open = Array(streams.keys)
    for connection in open { await end(connection) }
    return open.count
  }
}
