import Artifact
import Primitives
import Testing

@testable import Transfer

/// How a simulated source misbehaves; each number is "once in so many times", 0 for never.
struct Faults {
  var flipsTag = 0
  var cutsConnection = 0
  var losesLink = 0
  var repeatsFrame = 0
  var unaskedFrame = 0
  var wrongLength = 0
  var isBusy = 0
  /// Serves other bytes than the artifact's, under its own seal.
  var falseChunks = false
  var falseLeaves = false
  var falseManifest = false
  var denies: DenyReason?
  /// Chunks after which every read fails as changed.
  var changedAfter: Int?
  /// As what they fail instead.
  var failsAs = DenyReason.changed
  /// Chunks after which every grant is broken off as busy.
  var breaksOffAfter: Int?
  /// Answers nothing at all.
  var isSilent = false
}

/// One pull from several sources, all in memory, driven by one seed: envelopes and frames wait in queues, and a random one of the
/// things that can happen next happens. Time moves on when nothing else can.
final class Simulation {
  final class Host {
    let node: Digest
    var serve: ServeMachine
    var faults: Faults
    var isLinked = true
    var jobs = 0
    /// Envelopes under way.
    var toServer: [[UInt8]] = []
    var toPuller: [[UInt8]] = []

    init(_ number: Int, faults: Faults, seed: UInt64) {
      node = SHA256Hash.hash([9, UInt8(number)])
      serve = ServeMachine(server: node, puller: Nodes.puller, randomness: .seeded(seed &+ UInt64(number)))
      self.faults = faults
    }
  }

  private struct Pipe {
    let source: SourceID
    var frames: [[UInt8]] = []
  }

  let artifact: TestArtifact
  let session: SegmentSession = id(99)
  private(set) var pull: PullMachine
  private(set) var hosts: [SourceID: Host] = [:]
  private(set) var drops: [SourceID: PullFailure] = [:]
  private(set) var completed: [Int] = []
  private(set) var asked = 0
  private(set) var now = Duration.zero
  /// What the simulated worker wrote: only ever the artifact's bytes.
  private(set) var written: [Int: Set<Int>] = [:]
  private(set) var saved: ResumeMap?

  private let selection: [Int]
  private let earlier: ResumeMap?
  private let mustRehash: Bool
  private var generator: SeededGenerator
  private var pipes: [ConnectionID: Pipe] = [:]
  private var work: [(FrameTicket, [UInt8])] = []
  private var chores: [PullAction] = []
  private var sealed: Set<SealedChunk> = []

  private struct SealedChunk: Hashable {
    let grant: GrantID
    let kind: SegmentKind
    let file: Int
    let chunk: Int
  }

  init(
    _ artifact: TestArtifact, faults: [Faults], seed: UInt64, selection: [Int]? = nil, earlier: ResumeMap? = nil,
    mustRehash: Bool = false
  ) {
    self.artifact = artifact
    self.selection = selection ?? Array(artifact.contents.indices)
    self.earlier = earlier
    self.mustRehash = mustRehash
    generator = SeededGenerator(seed)
    pull = PullMachine(
      transfer: id(seed), digest: artifact.signed.digest, puller: Nodes.puller, randomness: .seeded(seed), at: .zero)
    for (number, faults) in faults.enumerated() {
      hosts[SourceID(number)] = Host(number, faults: faults, seed: seed)
    }
    for (source, host) in hosts.sorted(by: { $0.key.value < $1.key.value }) {
      act(.sourceAvailable(source, node: host.node))
    }
  }

  /// Runs until the pull ends, and returns how.
  func run(limit: Int = 200_000) throws -> PullState {
    for _ in 0..<limit {
      guard pull.isLive else { return pull.state }
      if try !step() { advance() }
    }
    Issue.record("the pull does not end")
    return pull.state
  }

  private func advance() {
    now += .seconds(1)
    for (source, host) in hosts {
      for connection in host.serve.tick(at: now) where pipes.removeValue(forKey: connection) != nil {
        act(.connectionClosed(connection))
      }
      if !host.isLinked, generator.oneIn(2) {
        host.isLinked = true
        act(.sourceAvailable(source, node: host.node))
      }
    }
    act(.tick)
  }

  /// One of the things that can happen; false if there is none.
  private func step() throws -> Bool {
    let start = Int.random(in: 0..<5, using: &generator)
    for turn in 0..<5 {
      let happened: Bool =
        switch (start + turn) % 5 {
        case 0: deliverToServer()
        case 1: try deliverToPuller()
        case 2: try sendFrame()
        case 3: readFrame()
        default: try finishWork()
        }
      if happened { return true }
    }
    return false
  }

  private func act(_ event: PullEvent) {
    for action in pull.receive(event, at: now) {
      switch action {
      case .send(let source, let want):
        asked += 1
        #expect(ControlMessage.want(want).payload.count <= TransferLimits.payloadBytes)
        hosts[source]?.toServer.append(ControlMessage.want(want).payload)
      case .open(let source, let connection, _):
        pipes[connection] = Pipe(source: source)
        hosts[source]?.serve.opened(connection, at: now)
        act(.connectionOpened(connection))
      case .close(let connection):
        if let pipe = pipes.removeValue(forKey: connection) { hosts[pipe.source]?.serve.closed(connection) }
      case .drop(let source, let failure): drops[source] = failure
      case .fileComplete(let file): completed.append(file)
      case .persist: saved = pull.map
      case .manifest, .verifyLeafList, .rehash: chores.append(action)
      case .complete, .failed: break
      }
    }
  }

  // MARK: The envelopes

  private func deliverToServer() -> Bool {
    guard let (_, host) = hosts.filter({ $0.value.isLinked && !$0.value.toServer.isEmpty }).randomElement(using: &generator)
    else { return false }
    let payload = host.toServer.removeFirst()
    guard !host.faults.isSilent, case .want(let want) = try? ControlMessage.parse(payload) else { return true }
    var reason = host.faults.denies
    if generator.oneIn(host.faults.isBusy) { reason = .busy }
    if let reason {
      let deny = Deny(request: want.request, transfer: want.transfer, reason: reason)
      host.toPuller.append(ControlMessage.deny(deny).payload)
      return true
    }
    switch host.serve.receive(want, artifact: artifact.served, session: session, at: now) {
    case .grant(let grant, _): host.toPuller.append(ControlMessage.grant(grant).payload)
    case .deny(let deny): host.toPuller.append(ControlMessage.deny(deny).payload)
    case .repeated: break
    }
    return true
  }

  private func deliverToPuller() throws -> Bool {
    let ready = hosts.filter { $0.value.isLinked && !$0.value.toPuller.isEmpty }
    guard let (source, host) = ready.randomElement(using: &generator) else { return false }
    if generator.oneIn(host.faults.losesLink) {
      host.isLinked = false
      act(.sourceLost(source))
      return true
    }
    switch try #require(try ControlMessage.parse(host.toPuller.removeFirst())) {
    case .grant(let grant): act(.granted(grant, session))
    case .deny(let deny): act(.denied(deny))
    default: Issue.record("an unexpected message")
    }
    return true
  }

  // MARK: The connections

  private func sendFrame() throws -> Bool {
    for connection in pipes.keys.shuffled(using: &generator) {
      guard let pipe = pipes[connection], let host = hosts[pipe.source], pipe.frames.count < 4,
        let job = host.serve.nextJob(on: connection, at: now)
      else { continue }
      let isNew = sealed.insert(SealedChunk(grant: job.grant, kind: job.kind, file: job.file, chunk: job.chunk)).inserted
      #expect(isNew, "a chunk was sealed twice under one grant")
      host.jobs += 1
      let isBroken = host.faults.breaksOffAfter.map { job.kind == .chunks && host.jobs > $0 } ?? false
      if isBroken, let deny = host.serve.failed(job, reason: .busy, path: nil) {
        host.toPuller.append(ControlMessage.deny(deny).payload)
      }
      if isBroken { return true }
      if let limit = host.faults.changedAfter, job.kind == .chunks, host.jobs > limit {
        if let deny = host.serve.failed(job, reason: host.faults.failsAs, path: artifact.manifest.files[job.file].path) {
          host.toPuller.append(ControlMessage.deny(deny).payload)
        }
        return true
      }
      var plaintext = artifact.bytes(for: job)
      let isFalse =
        switch job.kind {
        case .chunks: host.faults.falseChunks
        case .leafList: host.faults.falseLeaves
        case .manifest: host.faults.falseManifest
        }
      if isFalse { plaintext[plaintext.count / 2] ^= 1 }
      var bytes = try frame(of: job, plaintext)
      if generator.oneIn(host.faults.flipsTag) { bytes[bytes.count - 1] ^= 0x80 }
      if generator.oneIn(host.faults.unaskedFrame) { bytes[31] ^= 0x40 }
      if generator.oneIn(host.faults.wrongLength) { bytes[3] ^= 1 }
      pipes[connection]?.frames.append(bytes)
      if generator.oneIn(host.faults.repeatsFrame) { pipes[connection]?.frames.append(bytes) }
      if generator.oneIn(host.faults.cutsConnection) { cut(connection) }
      return true
    }
    return false
  }

  private func cut(_ connection: ConnectionID) {
    guard let pipe = pipes.removeValue(forKey: connection) else { return }
    hosts[pipe.source]?.serve.closed(connection)
    act(.connectionClosed(connection))
  }

  private func readFrame() -> Bool {
    for connection in pipes.keys.shuffled(using: &generator) {
      guard let bytes = pipes[connection]?.frames.first, work.count < 6 else { continue }
      do {
        let header = try SegmentHeader(parsing: bytes.span.extracting(first: 32))
        let sealedBytes = try pull.check(header, on: connection)
        guard sealedBytes == bytes.count - SegmentHeader.byteCount else { throw FrameRefusal.badLength }
        switch pull.take(header, on: connection, at: now) {
        case .take(let ticket):
          pipes[connection]?.frames.removeFirst()
          work.append((ticket, bytes))
          return true
        case .early: continue
        case .refuse: cut(connection)
        }
      } catch { cut(connection) }
      return true
    }
    return false
  }

  // MARK: The workers

  private func finishWork() throws -> Bool {
    if !chores.isEmpty {
      finish(chores.remove(at: Int.random(in: 0..<chores.count, using: &generator)))
      return true
    }
    guard !work.isEmpty else { return false }
    let (ticket, bytes) = work.remove(at: Int.random(in: 0..<work.count, using: &generator))
    guard ticket.kind == .chunks else {
      act(ticket.openPiece(bytes).map { .opened(ticket, $0) } ?? .badTag(ticket))
      return true
    }
    let verdict = try bytes.withUnsafeBytes { frame in
      try ticket.verify(frame) { plaintext in
        let end = Int(ticket.offset) + ticket.plaintextBytes
        #expect(
          [UInt8](plaintext) == Array(artifact.contents[ticket.file][Int(ticket.offset)..<end]), "false bytes were written")
        written[ticket.file, default: []].insert(ticket.chunk)
      }
    }
    switch verdict {
    case .good: act(.verified(ticket))
    case .badTag: act(.badTag(ticket))
    case .badLeaf: act(.badLeaf(ticket))
    }
    return true
  }

  private func finish(_ chore: PullAction) {
    switch chore {
    case .manifest(let bytes, _):
      let signed = try? SignedManifest(encoded: bytes.span)
      let manifest = try? signed?.open(digest: artifact.signed.digest, publisher: Nodes.server) { _, _ in true }
      if let manifest {
        act(.plan(PullPlan(manifest: manifest, selection: selection, verified: earlier, mustRehash: mustRehash)))
      } else {
        act(.manifestBad("it sent another manifest"))
      }
    case .verifyLeafList(let file, let bytes):
      let layout = artifact.manifest.layout(of: file)
      act(.leafList(file: file, try? LeafList(verifying: bytes.span, layout: layout, root: artifact.manifest.files[file].root)))
    case .rehash(let file, let list):
      // On the simulated disk every second chunk has survived.
      act(.rehashed(file: file, list.leaves.indices.map { $0.isMultiple(of: 2) }))
    default: break
    }
  }
}
