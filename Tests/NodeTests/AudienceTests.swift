import Artifact
import EventLoop
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// What a peer can learn and take of what was not shared with it: nothing.
@Suite(.timeLimit(.minutes(5))) struct AudienceTests {
  private func want(_ digest: Digest, transfer: TransferID, connection: ConnectionID = .random(.system), key: SecretBox? = nil)
    -> Want
  {
    Want(
      request: 42, transfer: transfer, digest: digest, kind: .manifest, ranges: [], aeads: [.aes256gcm, .chachaPoly],
      connection: connection, connectionKey: key ?? SecretBox(Randomness.system.secret(32)))
  }

  @Test func whatIsNotSharedWithAPeerLooksLikeWhatDoesNotExist() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      _ = try await house.forge("alice", at: studio)
      let secret = try await studio.share(try house.file("out/secret.bin", pattern(1_000)), to: ["alice"])
      let hidden = try #require(try await studio.node.show("secret.bin").digest as Digest?)
      #expect(hidden.hex == secret.digest)
      let transfer = TransferID.random(.system)
      for digest in [hidden, SHA256Hash.hash([1])] { try await mallory.say(.want(want(digest, transfer: transfer))) }
      for name in ["secret.bin", "nothing.bin"] {
        try await mallory.say(.resolve(Resolve(request: 43, name: try ArtifactName(name), version: nil)))
        try await mallory.say(.resolve(Resolve(request: 43, name: try ArtifactName(name), version: 1)))
      }
      try await mallory.say(.catalogRequest(CatalogRequest(request: 44)))
      try await eventually("it is answered", on: house.loop) {
        await mallory.heard.contains { if case .catalog = $0 { true } else { false } }
      }
      let heard = await mallory.heard
      let denials = heard.filter { if case .deny = $0 { true } else { false } }.map(\.payload)
      #expect(denials.count == 2 && denials[0] == denials[1])
      let answers = heard.filter { if case .resolved = $0 { true } else { false } }.map(\.payload)
      #expect(answers.count == 4 && Set(answers).count == 1)
      guard case .catalog(let page)? = heard.last else { throw TimeoutError() }
      #expect(page.entries.isEmpty && page.next == nil)
    }
  }

  /// Asks for all chunks of the one file, reads a little, and returns the stream.
  private func beginReading(_ mallory: ForgedPeer, _ digest: Digest, chunks: Int, on loop: EventLoop) async throws -> TCPStream
  {
    let connection = ConnectionID.random(.system)
    let key = SecretBox(Randomness.system.secret(32))
    try await mallory.say(
      .want(
        Want(
          request: 1, transfer: .random(.system), digest: digest, kind: .chunks,
          ranges: [ChunkRange(file: 0, first: 0, count: chunks)], aeads: [.chachaPoly], connection: connection,
          connectionKey: key)))
    try await eventually("the grant comes", on: loop) {
      await mallory.heard.contains { if case .grant(let grant) = $0 { grant.connection == connection } else { false } }
    }
    let stream = try await mallory.attach(connection, key)
    #expect(try await stream.read(exactly: 1 << 20, deadline: .after(.seconds(10)))?.count == 1 << 20)
    return stream
  }

  /// Bytes that come until the stream ends.
  private func drain(_ stream: TCPStream) async -> Int {
    var count = 0
    while let bytes = try? await stream.read(deadline: .after(.seconds(10))) { count += bytes.count }
    await stream.close()
    return count
  }

  @Test func revokingEndsARunningTransferAtOnce() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let shared = try await studio.share(try house.file("out/big.bin", pattern(48 << 20)), to: ["mallory"])
      let digest = try #require(try? Digest(hex(shared.digest)))
      let stream = try await beginReading(mallory, digest, chunks: 48, on: house.loop)
      #expect(try await studio.node.report().transfers.count == 1)
      let (_, ended) = try await studio.node.revoke("mallory")
      #expect(ended == 1)
      #expect(try await studio.node.report().transfers.isEmpty)
      // What the sockets held may still come, and then the end.
      let began = MonotonicClock.now
      let rest = await drain(stream)
      #expect(rest < 40 << 20)
      #expect(MonotonicClock.now - began < .seconds(5))
      // And no word of it is answered any more.
      let heard = await mallory.heard.count
      try? await mallory.say(.catalogRequest(CatalogRequest(request: 9)))
      await #expect(throws: (any Error).self) {
        try await mallory.relink()
        try await mallory.push(LinkFrame.counters([]).encoded)
        while await !mallory.isCut { try await house.loop.sleep(for: .milliseconds(10)) }
        throw LinkEnded()
      }
      #expect(await mallory.heard.count == heard)
    }
  }

  @Test func withdrawingEndsARunningTransferAndSaysSo() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let shared = try await studio.share(try house.file("out/big.bin", pattern(48 << 20)), to: ["mallory"])
      let digest = try #require(try? Digest(hex(shared.digest)))
      let stream = try await beginReading(mallory, digest, chunks: 48, on: house.loop)
      _ = try await studio.node.unshare("big.bin")
      async let rest = drain(stream)
      try await eventually("the puller is told", on: house.loop) {
        await mallory.heard.contains { if case .deny(let deny) = $0 { deny.reason == .gone } else { false } }
      }
      await stream.close()
      #expect(await rest < 40 << 20)
      let transfer = TransferID.random(.system)
      for digest in [digest, SHA256Hash.hash([1])] { try await mallory.say(.want(want(digest, transfer: transfer))) }
      try await eventually("both are denied", on: house.loop) {
        await mallory.heard.count { if case .deny(let deny) = $0 { deny.transfer == transfer } else { false } } == 2
      }
      let denials = await mallory.heard.filter { if case .deny(let deny) = $0 { deny.transfer == transfer } else { false } }
      #expect(Set(denials.map(\.payload)).count == 1)
    }
  }

  @Test func sharingALaterVersionWithAPeerOpensNoEarlierOneToIt() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let first = try await studio.share(try house.file("out/lora.bin", pattern(1_000)))
      let second = try await studio.share(try house.file("out/lora.bin", pattern(1_000, seed: 5)), to: ["mallory"])
      #expect(second.version == 2 && second.opened == [2] && second.audience == ["mallory"])
      let transfer = TransferID.random(.system)
      for digest in [hex(first.digest), SHA256Hash.hash([1]).bytes] {
        try await mallory.say(.want(want(try #require(try? Digest(digest)), transfer: transfer)))
      }
      for (request, version) in [(1, nil), (2, 1), (3, 2)] as [(RequestNumber, ArtifactVersion?)] {
        try await mallory.say(.resolve(Resolve(request: request, name: try ArtifactName("lora.bin"), version: version)))
      }
      try await mallory.say(.catalogRequest(CatalogRequest(request: 4)))
      try await eventually("it is answered", on: house.loop) {
        let heard = await mallory.heard
        return heard.contains { if case .catalog = $0 { true } else { false } }
          && heard.count { if case .deny = $0 { true } else { false } } == 2
      }
      let heard = await mallory.heard
      let denials = heard.filter { if case .deny = $0 { true } else { false } }.map(\.payload)
      #expect(Set(denials).count == 1, "what is not its own looks like what does not exist")
      let resolved = heard.compactMap { if case .resolved(let answer) = $0 { answer.entry?.version } else { nil } }
      #expect(resolved == [2, 2])
      guard case .catalog(let page)? = heard.last(where: { if case .catalog = $0 { true } else { false } }) else {
        throw TimeoutError()
      }
      #expect(page.entries.map(\.version) == [2])
      // Asked for, the earlier version is opened, and it is said.
      let opened = try await studio.node.share(
        ShareCommand(path: "\(house.path)/out/lora.bin", to: ["mallory"], rule: .allVersions)
      ) { _, _ in }
      #expect(!opened.isNew && opened.opened == [1, 2])
      let only = ShareCommand(path: "\(house.path)/out/lora.bin", rule: .onlyThis)
      #expect(try await nodeError { _ = try await studio.node.share(only) { _, _ in } }.code == .usage)
      _ = try house.file("out/lora.bin", pattern(1_000, seed: 6))
      let third = try await studio.node.share(only) { _, _ in }
      #expect(third.version == 3 && third.audience.isEmpty)
    }
  }

  @Test func takingAPeerOutOfTheAudienceEndsItsTransferAndNobodyElses() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let alice = try await house.forge("alice", at: studio)
      let shared = try await studio.share(try house.file("out/big.bin", pattern(48 << 20)), to: ["mallory", "alice"])
      let digest = try #require(try? Digest(hex(shared.digest)))
      let taken = try await beginReading(mallory, digest, chunks: 48, on: house.loop)
      let kept = try await beginReading(alice, digest, chunks: 48, on: house.loop)
      let versions = try await studio.node.unshare("big.bin", from: ["mallory"]).versions
      #expect(versions == [1])
      async let rest = drain(taken)
      try await eventually("the puller is told", on: house.loop) {
        await mallory.heard.contains { if case .deny(let deny) = $0 { deny.reason == .gone } else { false } }
      }
      for _ in 0..<40 {
        #expect(try await kept.read(exactly: 1 << 20, deadline: .after(.seconds(60)))?.count == 1 << 20)
      }
      await taken.close()
      await kept.close()
      #expect(await rest < 40 << 20)
      #expect(await alice.heard.allSatisfy { if case .deny = $0 { false } else { true } })
      #expect(try await studio.node.list(peer: nil).map(\.audience) == [["alice"]])
    }
  }

  @Test func whatIsWithdrawnWhileItIsBeingOpenedIsNotServed() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let shared = try await studio.share(try house.file("out/a.bin", pattern(1_000)), to: ["mallory"])
      let digest = try #require(try? Digest(hex(shared.digest)))
      let workers = await BusyWorkers(of: studio)
      try await mallory.say(.want(want(digest, transfer: .random(.system))))
      // What is asked for later is answered: the want has come as far as the workers.
      for round in 1...4 {
        try await mallory.say(.catalogRequest(CatalogRequest(request: RequestNumber(round))))
        try await eventually("it is answered", on: house.loop) {
          await mallory.heard.count { if case .catalog = $0 { true } else { false } } == round
        }
      }
      _ = try await studio.node.unshare("a.bin", from: ["mallory"])
      try await workers.release()
      try await eventually("the want is answered", on: house.loop) {
        await mallory.heard.contains {
          switch $0 {
          case .grant, .deny: true
          default: false
          }
        }
      }
      #expect(await mallory.heard.allSatisfy { if case .grant = $0 { false } else { true } })
    }
  }

  @Test func takingAPeerOutOfWhatIsForEveryPeerSaysHow() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      _ = try await house.forge("mallory", at: studio)
      _ = try await house.forge("alice", at: studio)
      _ = try await studio.share(try house.file("out/a.bin", pattern(10)), to: ["alice"])
      _ = try await studio.share("\(house.path)/out/a.bin", toAll: true)
      func refusal(_ name: String, _ aliases: [String]) async throws -> NodeError {
        try await nodeError { _ = try await studio.node.unshare(name, from: aliases) }
      }
      let refused = try await refusal("a.bin", ["mallory"])
      #expect(refused.code == .conflict)
      #expect(refused.hint?.contains("`pawl unshare a.bin --from all` ends that for everyone not named; then the same") == true)
      // A named peer stays, which the answer says.
      let ended = try await studio.node.unshare("a.bin", from: ["all"])
      #expect(ended.versions == [1] && ended.audience == ["alice"])
      #expect(try await studio.node.list(peer: nil).map(\.audience) == [["alice"]])
      #expect(try await refusal("a.bin", ["mallory"]).code == .notFound)
      #expect(try await refusal("a.bin", ["nobody"]).code == .notFound)
      #expect(try await refusal("b.bin", ["alice"]).code == .notFound)
      #expect(try await refusal("a.bin@v2", ["alice"]).code == .notFound)
      let cut = try await studio.node.unshare("a.bin@v1", from: ["alice"])
      #expect(cut.versions == [1] && cut.audience == [])
      #expect(try await studio.node.list(peer: nil).map(\.audience) == [[]])
    }
  }

  @Test func revokingThePeerThatServesEndsOurPullAtOnceAndLeavesNothing() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      _ = try await studio.share(try house.file("out/big.bin", pattern(4 << 20)), toAll: true)
      let midway = AsyncStream.makeStream(of: Void.self)
      await meddler.lay { place, _ in
        guard place.purpose == 3, place.offset > 2 << 20 else { return .pass }
        midway.continuation.yield()
        return .withhold
      }
      let pull = Task { try await laptop.pull("studio/big.bin", into: "\(house.path)/in") }
      for await _ in midway.stream { break }
      let began = MonotonicClock.now
      _ = try await laptop.node.revoke("studio")
      let failure = try await nodeError { _ = try await pull.value }
      #expect(failure.code == .notAllowed)
      #expect(MonotonicClock.now - began < .seconds(5))
      #expect(house.tree("in").isEmpty)
      #expect(try await laptop.node.report().transfers.isEmpty)
    }
  }

  private func hex(_ text: String) -> [UInt8] {
    stride(from: 0, to: text.count, by: 2).compactMap { offset in
      UInt8(text.dropFirst(offset).prefix(2), radix: 16)
    }
  }
}
