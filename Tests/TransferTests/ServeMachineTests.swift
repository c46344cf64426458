import Artifact
import Primitives
import Testing

@testable import Transfer

@Suite struct ServeMachineTests {
  private static let chunk = TestArtifact.chunkBytes
  private let session: SegmentSession = id(50)

  private func machine(aeads: [BulkCipher.Algorithm] = [.aes256gcm, .chachaPoly]) -> ServeMachine {
    ServeMachine(server: Nodes.server, puller: Nodes.puller, aeads: aeads, randomness: .seeded(1))
  }

  private func want(
    _ artifact: TestArtifact, _ ranges: [ChunkRange], request: RequestNumber = 1, kind: SegmentKind = .chunks,
    aeads: [BulkCipher.Algorithm] = [.aes256gcm, .chachaPoly], connection: ConnectionID = id(1), key: SecretBox? = secret(1)
  ) -> Want {
    Want(
      request: request, transfer: id(9), digest: artifact.signed.digest, kind: kind, ranges: ranges, aeads: aeads,
      connection: connection, connectionKey: key)
  }

  private func reason(_ answer: ServeAnswer) -> DenyReason? {
    if case .deny(let deny) = answer { deny.reason } else { nil }
  }

  private func grant(_ answer: ServeAnswer) -> Grant? {
    if case .grant(let grant, _) = answer { grant } else { nil }
  }

  @Test func whatIsNotSharedLooksLikeWhatDoesNotExist() throws {
    let artifact = try TestArtifact(sizes: [5])
    var machine = machine()
    let ranges = [ChunkRange(file: 0, first: 0, count: 1)]
    let hidden = machine.receive(want(artifact, ranges), artifact: nil, session: session, at: .zero)
    guard case .deny(let deny) = hidden else {
      Issue.record("it must be refused")
      return
    }
    #expect(deny == Deny(request: 1, transfer: id(9), reason: .notFound))
    let senseless = machine.receive(
      want(artifact, [ChunkRange(file: 77, first: 0, count: 1)]), artifact: nil, session: session, at: .zero)
    #expect(reason(senseless) == .notFound, "also for requests that would be refused for another reason")
    #expect(machine.connectionCount == 0)
  }

  @Test func aGrantBecomesItsChunksInOrderOnce() throws {
    let artifact = try TestArtifact(sizes: [3 * Self.chunk + 1, 0, 10])
    var machine = machine()
    let ranges = [ChunkRange(file: 0, first: 1, count: 3), ChunkRange(file: 2, first: 0, count: 1)]
    let answer = machine.receive(want(artifact, ranges), artifact: artifact.served, session: session, at: .zero)
    guard case .grant(let grant, let newKey) = answer else {
      Issue.record("it must be granted")
      return
    }
    #expect(newKey != nil && grant.ranges == ranges && grant.aead == .aes256gcm)
    #expect(machine.nextJob(on: id(1), at: .zero) == nil, "nothing goes out before the connection is open")
    machine.opened(id(1), at: .zero)
    let context = SegmentContext(session: session, server: Nodes.server, puller: Nodes.puller)
    let cipher = SegmentCipher(grant: grant, context: context)
    var seen: [[Int]] = []
    while let job = machine.nextJob(on: id(1), at: .zero) {
      seen.append([job.file, job.chunk, Int(job.offset), job.plaintextBytes])
      let bytes = try frame(of: job, artifact.bytes(for: job))
      let opened = try bytes.withUnsafeBytes { try cipher.open($0) { [UInt8]($0) } }
      #expect(opened == artifact.bytes(for: job))
    }
    #expect(
      seen == [
        [0, 1, Self.chunk, Self.chunk], [0, 2, 2 * Self.chunk, Self.chunk], [0, 3, 3 * Self.chunk, 1], [2, 0, 0, 10],
      ])
    #expect(machine.grantCount == 0 && machine.nextJob(on: id(1), at: .zero) == nil)
  }

  @Test func noChunkIsSealedTwiceUnderAGrantWhateverHappens() throws {
    struct Sealed: Hashable {
      let grant: GrantID
      let file: Int
      let chunk: Int
    }
    let artifact = try TestArtifact(sizes: [9 * Self.chunk, 4 * Self.chunk, 7])
    for seed in UInt64(0)..<30 {
      var generator = SeededGenerator(seed)
      var machine = machine()
      var sealed: Set<Sealed> = []
      var live: [ConnectionID] = []
      for round in 0..<300 {
        switch Int.random(in: 0..<8, using: &generator) {
        case 0, 1:
          let connection: ConnectionID = id(UInt64(Int.random(in: 0..<4, using: &generator)))
          let first = Int.random(in: 0..<9, using: &generator)
          let ranges = [
            ChunkRange(file: 0, first: first, count: Int.random(in: 1...9 - first, using: &generator)),
            ChunkRange(file: 1, first: 0, count: 4),
          ]
          _ = machine.receive(
            want(artifact, ranges, request: RequestNumber(round / 2), connection: connection), artifact: artifact.served,
            session: session,
            at: .seconds(round))
          machine.opened(connection, at: .seconds(round))
          live.append(connection)
        case 2: if let connection = live.randomElement(using: &generator) { machine.closed(connection) }
        case 3: if generator.oneIn(4) { _ = machine.withdraw(artifact.signed.digest) }
        case 4: _ = machine.tick(at: .seconds(round))
        default:
          guard let connection = live.randomElement(using: &generator),
            let job = machine.nextJob(on: connection, at: .seconds(round))
          else { continue }
          #expect(sealed.insert(Sealed(grant: job.grant, file: job.file, chunk: job.chunk)).inserted, "seed \(seed)")
          if generator.oneIn(6) { _ = machine.failed(job, reason: .changed, path: nil) }
        }
      }
      #expect(!sealed.isEmpty)
    }
  }

  @Test func aRequestThatFitsNothingIsRefused() throws {
    let artifact = try TestArtifact(sizes: [3 * Self.chunk, 0])
    let large = try bareManifest(sizes: [1 << 40], chunkBytes: ChunkLayout.maximumChunkBytes)
    var machine = machine()
    func ask(_ ranges: [ChunkRange], kind: SegmentKind = .chunks, aeads: [BulkCipher.Algorithm] = [.aes256gcm]) -> DenyReason? {
      reason(
        machine.receive(
          want(artifact, ranges, kind: kind, aeads: aeads), artifact: artifact.served, session: session, at: .zero))
    }
    #expect(ask([ChunkRange(file: 0, first: 0, count: 4)]) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: 3, count: 1)]) == .badRequest)
    #expect(ask([ChunkRange(file: 1, first: 0, count: 1)]) == .badRequest, "an empty file has no chunk")
    #expect(ask([ChunkRange(file: 2, first: 0, count: 1)]) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: 0, count: 2), ChunkRange(file: 0, first: 1, count: 1)]) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: Int.max, count: Int.max)]) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: 1, count: 1)], kind: .leafList) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: 0, count: 1)], kind: .manifest) == .badRequest)
    #expect(ask([]) == .badRequest)
    #expect(ask([ChunkRange(file: 0, first: 0, count: 1)], aeads: []) == .badRequest)
    #expect(machine.connectionCount == 0, "none of these has made a connection")
    let served = ServedArtifact(digest: artifact.signed.digest, manifest: large, objectBytes: 9)
    func askLarge(_ count: Int) -> DenyReason? {
      let answer = machine.receive(
        want(artifact, [ChunkRange(file: 0, first: 0, count: count)], request: RequestNumber(count)), artifact: served,
        session: session,
        at: .zero)
      return reason(answer)
    }
    #expect(askLarge(5) == .badRequest, "80 MiB")
    #expect(askLarge(4) == nil, "64 MiB")
  }

  @Test func aesIsTakenOnlyWhereBothHaveIt() throws {
    let artifact = try TestArtifact(sizes: [5])
    func chosen(_ theirs: [BulkCipher.Algorithm], _ ours: [BulkCipher.Algorithm]) -> BulkCipher.Algorithm? {
      var machine = machine(aeads: ours)
      let ranges = [ChunkRange(file: 0, first: 0, count: 1)]
      return grant(
        machine.receive(want(artifact, ranges, aeads: theirs), artifact: artifact.served, session: session, at: .zero))?.aead
    }
    #expect(chosen([.aes256gcm, .chachaPoly], [.aes256gcm, .chachaPoly]) == .aes256gcm)
    #expect(chosen([.chachaPoly, .aes256gcm], [.aes256gcm, .chachaPoly]) == .chachaPoly)
    #expect(chosen([.aes256gcm, .chachaPoly], [.chachaPoly, .aes256gcm]) == .chachaPoly)
    #expect(chosen([.aes256gcm], [.chachaPoly, .aes256gcm]) == .aes256gcm)
    #expect(chosen([.chachaPoly], [.aes256gcm]) == nil)
  }

  @Test func aPeerHasItsShareAndNoMore() throws {
    let artifact = try TestArtifact(sizes: [5])
    var machine = machine()
    let ranges = [ChunkRange(file: 0, first: 0, count: 1)]
    for number in 0..<UInt64(TransferLimits.connectionsPerPeer) {
      #expect(
        grant(
          machine.receive(
            want(artifact, ranges, connection: id(number)), artifact: artifact.served, session: session, at: .zero)) != nil)
    }
    #expect(
      reason(
        machine.receive(want(artifact, ranges, connection: id(99)), artifact: artifact.served, session: session, at: .zero))
        == .limit)
    for number in 2...UInt64(TransferLimits.grantsPerConnection) {
      let more = want(artifact, ranges, request: number, connection: id(0), key: nil)
      #expect(grant(machine.receive(more, artifact: artifact.served, session: session, at: .zero)) != nil)
    }
    let tooMany = want(artifact, ranges, request: 100, connection: id(0), key: nil)
    #expect(reason(machine.receive(tooMany, artifact: artifact.served, session: session, at: .zero)) == .busy)
    machine.closed(id(0))
    #expect(reason(machine.receive(tooMany, artifact: artifact.served, session: session, at: .zero)) == .noConnection)
  }

  @Test func aRequestThatComesTwiceIsGrantedOnce() throws {
    let artifact = try TestArtifact(sizes: [5])
    var machine = machine()
    let twice = want(artifact, [ChunkRange(file: 0, first: 0, count: 1)])
    #expect(grant(machine.receive(twice, artifact: artifact.served, session: session, at: .zero)) != nil)
    guard case .repeated = machine.receive(twice, artifact: artifact.served, session: id(51), at: .zero) else {
      Issue.record("it must not be granted again")
      return
    }
    let stolen = want(artifact, [ChunkRange(file: 0, first: 0, count: 1)], request: 2, key: secret(2))
    #expect(
      reason(machine.receive(stolen, artifact: artifact.served, session: session, at: .zero)) == .badRequest,
      "another key for the same connection")
  }

  @Test func unopenedAndIdleConnectionsAreGivenUp() throws {
    let artifact = try TestArtifact(sizes: [5])
    var machine = machine()
    let ranges = [ChunkRange(file: 0, first: 0, count: 1)]
    for number: UInt64 in [1, 2] {
      _ = machine.receive(
        want(artifact, ranges, connection: id(number)), artifact: artifact.served, session: session, at: .zero)
    }
    machine.opened(id(2), at: .seconds(1))
    #expect(machine.tick(at: .seconds(29)).isEmpty)
    #expect(machine.tick(at: .seconds(30)) == [id(1)])
    #expect(machine.tick(at: .seconds(300)).isEmpty, "what has something to send is not idle")
    while machine.nextJob(on: id(2), at: .seconds(301)) != nil {}
    #expect(machine.tick(at: .seconds(360)).isEmpty)
    #expect(machine.tick(at: .seconds(361)) == [id(2)])
    #expect(machine.connectionCount == 0)
  }

  @Test func aFailureIsToldOnceAndEndsItsGrantAlone() throws {
    let artifact = try TestArtifact(sizes: [5 * Self.chunk])
    var machine = machine()
    for request: RequestNumber in [1, 2] {
      let ranges = [ChunkRange(file: 0, first: 0, count: 5)]
      _ = machine.receive(want(artifact, ranges, request: request), artifact: artifact.served, session: session, at: .zero)
    }
    machine.opened(id(1), at: .zero)
    let jobs = (0..<2).compactMap { _ in machine.nextJob(on: id(1), at: .zero) }
    let path = try SafePath("a")
    #expect(
      machine.failed(jobs[0], reason: .changed, path: path) == Deny(request: 1, transfer: id(9), reason: .changed, path: path))
    #expect(machine.failed(jobs[1], reason: .changed, path: path) == nil)
    let next = machine.nextJob(on: id(1), at: .zero)
    #expect(next?.grant != jobs[0].grant && next?.chunk == 0)
    #expect(machine.withdraw(artifact.signed.digest) == [Deny(request: 2, transfer: id(9), reason: .gone)])
    #expect(machine.nextJob(on: id(1), at: .zero) == nil)
  }
}
