import Artifact
import EventLoop
import Noise
import Primitives
import Session
import Testing
import Transfer

@testable import Node

/// A peer that is paired and holds a true session, and lies about everything else. It dials, so it dials data connections too.
actor ForgedPeer {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  nonisolated let identity: Identity
  /// The id of the node that it is paired with.
  nonisolated let node: NodeID

  private let address: PeerAddress
  private let linkKey: X25519.PublicKey
  private var machine: PeerMachine
  private var link: SecureConnection?
  private var server: ServeMachine
  private var offers: [Digest: Offer] = [:]
  private var streams: [ConnectionID: TCPStream] = [:]
  private var pumping: Set<ConnectionID> = []
  /// Frames that came are thrown away: nothing is acknowledged.
  private var isDeaf = false

  /// It acknowledges every INIT, forgets it at once, and hears no COUNTERS.
  private var isForgetful = false
  /// INITs that it has forgotten.
  private(set) var forgotten = 0

  /// Everything that its session delivered.
  private(set) var delivered: [Delivered] = []
  /// Every control message that came.
  private(set) var heard: [ControlMessage] = []
  /// Every envelope that came, as it came, deaf or not.
  private(set) var envelopes: [[UInt8]] = []
  /// COUNTERS that came.
  private(set) var countersHeard = 0

  static var now: UInt64 { Node.wallClock() }

  private init(
    identity: Identity, machine: PeerMachine, address: PeerAddress, linkKey: X25519.PublicKey, loop: EventLoop
  ) {
    self.identity = identity
    self.machine = machine
    self.address = address
    self.linkKey = linkKey
    self.loop = loop
    node = machine.peer.id
    server = ServeMachine(server: identity.id.digest, puller: machine.peer.id.digest, randomness: .system)
  }

  // MARK: Links

  /// Connects and finishes a handshake.
  static func connect(
    _ preamble: Preamble, to address: PeerAddress, remoteKey: X25519.PublicKey, as identity: Identity, psk: SecretBox? = nil,
    first: [UInt8] = [], third: [UInt8] = [], on loop: EventLoop
  ) async throws -> SecureConnection {
    let stream = try await TCPStream.connect(host: address.host, port: address.port, on: loop)
    let driver = HandshakeDriver(
      stream: stream, remoteName: "node",
      handshake: NoiseHandshake(
        preamble == .pair ? .xkpsk3 : .xk, role: .initiator(remoteStatic: remoteKey), prologue: Array(preamble.prologue.utf8),
        staticKey: identity.linkKey(), psk: psk, randomness: .system),
      deadline: .after(.seconds(10)), loop: loop)
    do {
      try await driver.open(preamble, payload: first)
      return try await driver.complete(payload: third)
    } catch {
      await stream.close()
      throw error
    }
  }

  /// Introduces an identity with a ticket, and returns before the answer.
  static func introduce(
    _ identity: Identity, with ticket: Ticket, as name: String, at addresses: [PeerAddress] = [], on loop: EventLoop
  ) async throws -> (connection: SecureConnection, prekeys: PrekeyRing) {
    var prekeys = PrekeyRing()
    _ = prekeys.refresh(at: now, crypto: .system)
    let ours = Introduction(
      record: identity.record.bytes,
      bundle: try prekeys.bundle(from: identity, to: ticket.node, at: now, crypto: .system).bytes,
      card: try Card(name: name, addresses: addresses))
    let connection = try await connect(
      .pair, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: identity, psk: ticket.psk, first: ticket.id,
      third: ours.encoded, on: loop)
    return (connection, prekeys)
  }

  /// Joins with a ticket.
  static func pair(
    with ticket: String, as name: String, at addresses: [PeerAddress] = [], identity: Identity? = nil, on loop: EventLoop
  ) async throws -> ForgedPeer {
    let ticket = try Ticket(ticket)
    let identity = try identity ?? Identity.generate(.system)
    let (connection, prekeys) = try await introduce(identity, with: ticket, as: name, at: addresses, on: loop)
    guard let reply = try await connection.receive(within: .seconds(10)),
      case .pairAccepted(let theirs) = try LinkFrame(parsing: reply.span)
    else { throw LinkEnded() }
    let (record, bundle) = try theirs.verify(by: identity.id, expecting: ticket.node, linkKey: ticket.linkKey, at: now)
    var machine = PeerMachine(
      identity: identity, peer: record, prekeys: prekeys,
      hello: ControlMessage.hello(Hello(name: name, addresses: [])).payload, crypto: .system)
    _ = try machine.start(with: bundle, at: now)
    let peer = ForgedPeer(
      identity: identity, machine: machine, address: ticket.addresses[0], linkKey: ticket.linkKey, loop: loop)
    try await peer.begin(connection)
    return peer
  }

  /// Dials a link. The node says nothing to whom it does not know.
  func relink() async throws {
    await link?.close()
    try await begin(try await Self.connect(.link, to: address, remoteKey: linkKey, as: identity, on: loop))
  }

  /// Opens a link beside the one that it has, and neither reads it nor says anything on it.
  func anotherLink() async throws -> SecureConnection {
    try await Self.connect(.link, to: address, remoteKey: linkKey, as: identity, on: loop)
  }

  private func begin(_ connection: SecureConnection) async throws {
    link = connection
    isCut = false
    let outcome = try machine.linkUp(at: Self.now)
    Task { await self.read(connection) }
    await act(on: outcome)
  }

  private func read(_ connection: SecureConnection) async {
    while let bytes = try? await connection.receive(within: .seconds(60)), let frame = try? LinkFrame(parsing: bytes.span) {
      if case .envelope(_, let envelope) = frame { envelopes.append(envelope) }
      if case .counters = frame { countersHeard += 1 }
      if case .close = frame { break }
      if isForgetful, await forget(frame) { continue }
      guard !isDeaf, let outcome = try? machine.receive(frame, at: Self.now) else { continue }
      await act(on: outcome)
    }
    machine.linkDown()
    isCut = true
    await connection.close()
  }

  /// From now on what comes is neither acted on nor acknowledged; or it is again.
  func setDeaf(_ deaf: Bool) { isDeaf = deaf }

  /// Goes on with nothing of its sessions, or with what it was given since.
  func setForgetful(_ forgetful: Bool) {
    isForgetful = forgetful
    guard forgetful else { return }
    machine = PeerMachine(
      identity: identity, peer: machine.peer, prekeys: machine.prekeys, hello: machine.hello, crypto: .system)
  }

  private func forget(_ frame: LinkFrame) async -> Bool {
    switch frame {
    case .counters: return true
    case .initiation:
      let before = machine
      let outcome = try? machine.receive(frame, at: Self.now)
      machine = before
      for case .ack(let session, let digest) in outcome?.frames ?? [] {
        try? await link?.send(LinkFrame.ack(session, digest).encoded)
        forgotten += 1
      }
      return true
    default: return false
    }
  }

  /// Drops the link without a word.
  func cutLink() async {
    await link?.close()
    link = nil
  }

  /// Waits until the session works in both directions.
  func ready() async throws {
    try await eventually("the forged peer has a session", on: loop) { await self.isReady }
  }

  var isReady: Bool { machine.isConfirmed }

  /// The session that its payloads go out in.
  var session: SessionID? { machine.currentSession }

  /// Whether the node has ended the link.
  private(set) var isCut = true

  func close() async {
    await link?.close()
    for stream in streams.values { await stream.close() }
    streams = [:]
  }

  private func act(on outcome: Outcome) async {
    for frame in outcome.frames { try? await link?.send(frame.encoded) }
    for delivered in outcome.delivered { await hear(delivered) }
  }

  // MARK: Messages

  func say(_ message: ControlMessage) async throws { try await say(message.payload) }

  func say(_ payload: [UInt8]) async throws {
    await act(on: try machine.send(payload, at: Self.now))
  }

  /// Sends a frame that the machine knows nothing of.
  func push(_ frame: [UInt8]) async throws { try await link?.send(frame) }

  private func hear(_ delivered: Delivered) async {
    self.delivered.append(delivered)
    guard let message = try? ControlMessage.parse(delivered.payload) else { return }
    heard.append(message)
    switch message {
    case .resolve(let request):
      let matching = offers.values.filter {
        $0.entry.name == request.name && (request.version == nil || $0.entry.version == request.version)
      }
      let entry = matching.max { $0.order < $1.order }?.entry
      try? await say(.resolved(Resolved(request: request.request, entry: entry)))
    case .catalogRequest(let request):
      try? await say(.catalog(Catalog.page(offers.values.map(\.entry), request: request.request, after: request.after)))
    case .want(let want):
      if let reason = refusing?(want) {
        try? await say(.deny(Deny(request: want.request, transfer: want.transfer, reason: reason)))
      } else if held != nil {
        held?.append((want, delivered.session))
      } else {
        Task { await self.serve(want, in: delivered.session) }
      }
    default: break
    }
  }

  // MARK: Serving

  private var lastOrder = 0
  /// Wants that wait until the test lets them go; nil: none is held back.
  private var held: [(want: Want, session: SessionID)]?
  /// Wants that are denied, and why.
  private var refusing: (@Sendable (Want) -> DenyReason?)?

  /// From now on wants are not answered; or those that were held back are, and further ones at once.
  func setHolding(_ holding: Bool) {
    let waiting = held ?? []
    held = holding ? waiting : nil
    guard !holding else { return }
    for (want, session) in waiting { Task { await self.serve(want, in: session) } }
  }

  /// How many wants are held back.
  var heldCount: Int { held?.count ?? 0 }

  /// From now on these wants are denied.
  func refuse(_ reason: (@Sendable (Want) -> DenyReason?)?) { refusing = reason }

  /// Claims to have an artifact. The latest claim is the answer to its name.
  func offer(_ offer: Offer) {
    var offer = offer
    lastOrder += 1
    offer.order = lastOrder
    offers[offer.entry.digest] = offer
  }

  private func serve(_ want: Want, in session: SessionID) async {
    guard let session = SegmentSession(session.bytes) else { return }
    let artifact = offers[want.digest].map {
      ServedArtifact(digest: want.digest, manifest: $0.layout, objectBytes: $0.object.count)
    }
    switch server.receive(want, artifact: artifact, session: session, at: MonotonicClock.now) {
    case .repeated: break
    case .deny(let deny): try? await say(.deny(deny))
    case .grant(let grant, newConnectionKey: nil):
      try? await say(.grant(grant))
      await pump(grant.connection)
    case .grant(let grant, newConnectionKey: .some(let key)):
      try? await say(.grant(grant))
      guard let stream = try? await attach(grant.connection, key) else { return }
      streams[grant.connection] = stream
      server.opened(grant.connection, at: MonotonicClock.now)
      Task { await self.pump(grant.connection) }
      // The puller says nothing; it ends the connection when it has what it wants.
      _ = try? await stream.read()
      await stream.close()
      streams[grant.connection] = nil
      server.closed(grant.connection)
    }
  }

  /// Opens a data connection to the node.
  func attach(_ connection: ConnectionID, _ key: SecretBox) async throws -> TCPStream {
    guard let place = SocketAddress(ip: address.host, port: address.port) else { throw LinkEnded() }
    return try await DataDialler.dial(place, connection: connection, key: key, on: loop)
  }

  private func pump(_ connection: ConnectionID) async {
    guard pumping.insert(connection).inserted else { return }
    while let stream = streams[connection], let job = server.nextJob(on: connection, at: MonotonicClock.now) {
      guard let plaintext = offers[job.digest]?.plaintext(of: job) else { break }
      var frame = [UInt8](repeating: 0, count: job.frameBytes)
      let sealed = try? frame.withUnsafeMutableBytes { room in
        try plaintext.withUnsafeBytes { try job.seal($0, into: room) }
      }
      guard sealed != nil, (try? await stream.write(frame)) != nil else { break }
    }
    pumping.remove(connection)
  }
}

/// What a forged peer claims to share. True as it is made; the test then changes what it wants to lie about.
struct Offer: Sendable {
  /// What it says when it is asked for the name.
  var entry: CatalogEntry
  /// By what it cuts files into chunks.
  var layout: Manifest
  /// lp(manifest) ‖ lp(signature).
  var object: [UInt8]
  /// The bytes that it sends as the files.
  var files: [[UInt8]]
  /// The leaf lists that it sends.
  var leaves: [[UInt8]]
  /// The later of two claims under one name counts.
  var order = 0

  /// An artifact of these files, in the order of their paths.
  ///
  /// - Parameter edit: changes the manifest's text before it is signed.
  init(
    _ name: String, version: ArtifactVersion = 1, files: [(path: String, bytes: [UInt8])], by publisher: Identity,
    signedBy signer: Identity? = nil, edit: (String) -> String = { $0 }
  ) throws {
    var builder = ManifestBuilder(name: try ArtifactName(name), chunkBytes: ChunkLayout.minimumChunkBytes)
    var leaves: [[UInt8]] = []
    for file in files {
      let path = try SafePath(file.path)
      let layout = try ChunkLayout(sizeBytes: UInt64(file.bytes.count), chunkBytes: ChunkLayout.minimumChunkBytes)
      var hasher = FileHasher(path: path, layout: layout)
      try hasher.update(file.bytes.span)
      let facts = try hasher.finish()
      leaves.append(LeafList(facts.leaves).bytes)
      builder.add(ManifestFile(path: path, sizeBytes: UInt64(file.bytes.count), mode: .regular, facts: facts))
    }
    let manifest = try builder.build(
      version: version, previous: nil, publisher: publisher.id.digest, created: 1_700_000_000, note: "")
    let bytes = Array(edit(String(decoding: try manifest.encoded(), as: UTF8.self)).utf8)
    let signed = try SignedManifest(
      bytes: bytes, signature: try (signer ?? publisher).sign(kind: .manifest, body: bytes, crypto: .system))
    entry = CatalogEntry(manifest, digest: signed.digest)
    layout = manifest
    object = signed.encoded
    self.files = files.map(\.bytes)
    self.leaves = leaves
  }

  /// The bytes that a job seals; zeros where there are none.
  func plaintext(of job: SealJob) -> [UInt8] {
    let whole =
      switch job.kind {
      case .manifest: object
      case .leafList: leaves[job.file]
      case .chunks: files[job.file]
      }
    let bytes = Array(whole.dropFirst(Int(job.offset)).prefix(job.plaintextBytes))
    return bytes + [UInt8](repeating: 0, count: job.plaintextBytes - bytes.count)
  }
}
