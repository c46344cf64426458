import Artifact
import EventLoop
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// What whoever posted a message is told, when it cannot go out or cannot arrive.
@Suite(.timeLimit(.minutes(5))) struct DeliveryTests {
  /// Posts until nothing more fits: the peer acknowledges none of it.
  private func fill(_ peer: Peer, on loop: EventLoop) async throws {
    let refusal = Locked<NodeError?>(nil)
    let payload = ControlMessage.catalog(Catalog.page([], request: 1, after: nil)).payload
    for _ in 0...PeerMachine.maximumUnacknowledged {
      await peer.send(payload) { error in refusal.withLock { $0 = error } }
    }
    try await eventually("one is refused", on: loop) { refusal.withLock { $0 != nil } }
    #expect(refusal.withLock { $0 }?.code == .noSpace)
  }

  @Test func aRequestThatFindsNoRoomFailsAtOnceAndSaysWhy() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      await mallory.setDeaf(true)
      let peer = try await studio.node.peer(alias: "mallory")
      try await fill(peer, on: house.loop)
      let failure = try await nodeError { _ = try await studio.node.list(peer: "mallory") }
      // Not what fifteen seconds without an answer come to.
      #expect(failure.code == .noSpace && failure.message.contains("does not acknowledge"))
      #expect(try await studio.node.report().warnings.contains { $0.contains("does not acknowledge") })
      let pull = try await nodeError { _ = try await studio.pull("mallory/lora", into: "\(house.path)/in") }
      #expect(pull.code == .noSpace)
      // It goes on as soon as there is room.
      await mallory.setDeaf(false)
      try await mallory.relink()
      try await eventually("all is acknowledged", on: house.loop) { await peer.machine.unacknowledged == 0 }
      #expect(try await studio.node.list(peer: "mallory").isEmpty)
      #expect(try await studio.node.report().warnings.isEmpty)
    }
  }

  @Test func aPullWhoseQuestionsFindNoRoomEndsAtOnceAndCanBeResumed() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let peer = try await studio.node.peer(alias: "mallory")
      await mallory.setDeaf(true)
      try await fill(peer, on: house.loop)
      let offer = try Offer("lora", files: [("a.bin", pattern(1_000))], by: mallory.identity)
      let puller = Puller(
        context: studio.node.context, peer: peer, transfer: .random(.system), entry: offer.entry,
        order: PullOrder(alias: "mallory", isExplicitVersion: false, destination: nil), desk: studio.node,
        publishers: studio.node
      ) { _ in }
      await puller.start(known: nil)
      let failure = try await nodeError { _ = try await puller.manifestWhenVerified() }
      #expect(failure.code == .noSpace)
    }
  }

  @Test func whatCouldNotBeDeliveredIsToldAlsoAfterRestarts() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      await mallory.setDeaf(true)
      let peer = try await studio.node.peer(alias: "mallory")
      let count = await peer.machine.unacknowledged
      for _ in 0..<2 {
        await peer.send(ControlMessage.deny(Deny(request: 1, transfer: .random(.system), reason: .gone)).payload) { _ in
          Issue.record("there is room")
        }
      }
      try await eventually("both are committed", on: house.loop) { await peer.machine.unacknowledged == count + 2 }
      await studio.stop()
      await mallory.close()
      var again = try await house.start("studio", port: studio.port)
      #expect(try await again.node.summary(of: "mallory").undelivered == nil)
      // The peer has lost its state, and pairs anew.
      let invitation = try await again.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let reborn = try await ForgedPeer.pair(
        with: invitation.text, as: "mallory", identity: mallory.identity, on: house.loop)
      house.atTheEnd { await reborn.close() }
      try await reborn.ready()
      let running = again
      try await eventually("it is told", on: house.loop) { try await running.node.summary(of: "mallory").undelivered != nil }
      for _ in 0..<2 {
        #expect(try await again.node.summary(of: "mallory").undelivered?.count == 2)
        await again.stop()
        again = try await house.start("studio", port: studio.port)
      }
    }
  }

  /// What was under way in a session that was given up is sealed again in the next, and may have arrived before.
  @Test func whatIsSaidTwiceHasOneEffect() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let shared = try await studio.share(try house.file("out/a.bin", pattern(1_000)), toAll: true)
      let offered = try #require(try await studio.node.context.database.offered(name: "a.bin", version: 1).first)
      let digest = offered.digest
      #expect(digest.hex == shared.digest)
      let transfer = TransferID.random(.system)
      let want = Want(
        request: 7, transfer: transfer, digest: digest, kind: .manifest, ranges: [], aeads: [.chachaPoly],
        connection: .random(.system), connectionKey: SecretBox(Randomness.system.secret(32)))
      let entry = CatalogEntry(
        name: try ArtifactName("a.bin"), version: 1, digest: digest, sizeBytes: offered.sizeBytes, files: offered.files,
        note: "", created: offered.created, publisher: studio.node.id.digest)
      let all: [ControlMessage] = [
        .hello(Hello(name: "mallory", addresses: ["10.9.8.7:7411"])), .want(want),
        .deny(Deny(request: 8, transfer: transfer, reason: .gone)), .resolved(Resolved(request: 9, entry: entry)),
        .catalog(Catalog.page([entry], request: 10, after: nil)),
        .resolve(Resolve(request: 11, name: entry.name, version: nil)), .catalogRequest(CatalogRequest(request: 12)),
      ]
      var states: [PeerSummary] = []
      for round in 0..<2 {
        for message in all { try await mallory.say(message) }
        // The last of them is answered when the others were.
        try await eventually("all is heard", on: house.loop) {
          await mallory.heard.count { if case .catalog = $0 { true } else { false } } == round + 1
        }
        states.append(try await studio.node.summary(of: "mallory"))
      }
      let heard = await mallory.heard
      #expect(heard.count { if case .grant = $0 { true } else { false } } == 1)
      #expect(Set(heard.filter { if case .resolved = $0 { true } else { false } }.map(\.payload)).count == 1)
      #expect(states[0].addresses == states[1].addresses && states[0].name == states[1].name)
      #expect(states[0].addresses.contains("10.9.8.7:7411"))
      #expect(await studio.node.pulls.isEmpty)
    }
  }
}
