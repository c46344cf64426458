import Artifact
import EventLoop
import Foundation
import Noise
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// A revocation that meets something half done: nothing of it is finished, and nothing of the peer is left.
@Suite(.timeLimit(.minutes(5))) struct RevokeTests {
  /// Nothing in memory, and no trace of its id in the state's files.
  private func expectForgotten(_ id: NodeID, by node: RunningNode, sourceLocation: SourceLocation = #_sourceLocation)
    async throws
  {
    #expect(await node.node.peers[id] == nil, sourceLocation: sourceLocation)
    #expect(await node.node.servers[id] == nil, sourceLocation: sourceLocation)
    #expect(try await node.node.context.database.loadPeer(id) == nil, sourceLocation: sourceLocation)
    for suffix in ["", "-wal"] {
      let file = FileManager.default.contents(atPath: node.folder.locations.databaseFile + suffix) ?? Data()
      #expect(file.range(of: Data(id.bytes)) == nil, "\(suffix)", sourceLocation: sourceLocation)
    }
  }

  private func expectSilence(_ connection: SecureConnection, sourceLocation: SourceLocation = #_sourceLocation) async {
    let word = try? await connection.receive(within: .seconds(6))
    #expect(word == nil || word == .some(nil), sourceLocation: sourceLocation)
    await connection.close()
  }

  @Test func aHandshakeThatARevocationOvertakesMakesNoLink() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let ticket = try Ticket(try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
      let stream = try await TCPStream.connect(to: studio.node.listening, on: house.loop)
      let driver = HandshakeDriver(
        stream: stream, remoteName: "studio",
        handshake: NoiseHandshake(
          .xk, role: .initiator(remoteStatic: ticket.linkKey), prologue: Array("pawl/1 link".utf8),
          staticKey: mallory.identity.linkKey(), randomness: .system),
        deadline: .after(.seconds(10)), loop: house.loop)
      // Messages 1 and 2; the third, which says who is there, comes too late.
      try await driver.open(.link, payload: [])
      _ = try await studio.node.revoke("mallory")
      let connection = try await driver.complete(payload: [])
      try? await connection.send(LinkFrame.counters([]).encoded)
      try? await connection.send(LinkFrame.bundleRequest(pattern(16)).encoded)
      await expectSilence(connection)
      try await expectForgotten(mallory.identity.id, by: studio)
    }
  }

  @Test func bundlesUnderWayLeaveNoPrekeysBehind() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      for round in 0..<8 { try await mallory.push(LinkFrame.bundleRequest(pattern(16, seed: round + 1)).encoded) }
      _ = try await studio.node.revoke("mallory")
      try await expectForgotten(mallory.identity.id, by: studio)
      try await eventually("the link ends", on: house.loop) { await mallory.isCut }
      try await expectForgotten(mallory.identity.id, by: studio)
    }
  }

  private func want(_ digest: Digest, _ connection: ConnectionID, key: SecretBox) -> Want {
    Want(
      request: 7, transfer: .random(.system), digest: digest, kind: .manifest, ranges: [], aeads: [.chachaPoly],
      connection: connection, connectionKey: key)
  }

  @Test func whatWasSaidBeforeTheRevocationIsNotActedUponAfterIt() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let shared = try await studio.share(try house.file("out/a.bin", pattern(1_000)), toAll: true)
      let digest = try #require(
        try? Digest(stride(from: 0, to: 64, by: 2).compactMap { UInt8(shared.digest.dropFirst($0).prefix(2), radix: 16) }))
      let peer = try await studio.node.peer(alias: "mallory")
      let (connection, key) = (ConnectionID.random(.system), SecretBox(Randomness.system.secret(32)))
      // A want as a session delivers it: taken from the other end of this one.
      await peer.send(ControlMessage.want(want(digest, connection, key: key)).payload) { _ in }
      try await eventually("it is delivered", on: house.loop) { await mallory.delivered.contains { $0.type == "want" } }
      let late = try #require(await mallory.delivered.last { $0.type == "want" })
      let flood = Task {
        for _ in 0..<50 { try? await mallory.say(.want(want(digest, .random(.system), key: key))) }
      }
      _ = try await studio.node.revoke("mallory")
      // It was committed before the revocation, and its turn comes after it.
      await studio.node.deliver(late, from: peer, over: .loopback)
      await flood.value
      #expect(await studio.node.servers.isEmpty)
      let stream = try await mallory.attach(connection, key)
      #expect((try? await stream.read(deadline: .after(.seconds(10)))) == nil)
      await stream.close()
      try await expectForgotten(mallory.identity.id, by: studio)
    }
  }

  @Test func aRevocationDoesNotWaitForAPeerThatReadsNothing() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let ticket = try Ticket(try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
      // A second link, from which nothing is ever read. The node sends on the newest.
      let silent = try await ForgedPeer.connect(
        .link, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: mallory.identity, on: house.loop)
      try await silent.send(LinkFrame.counters([]).encoded)
      let peer = try await studio.node.peer(alias: "mallory")
      try await eventually("both links are up", on: house.loop) { await peer.links.count == 2 }
      let link = try #require(await peer.link)
      let sent = Locked(0)
      let filling = Task {
        do {
          while true {
            try await link.connection.send([UInt8](repeating: 0, count: 60_000))
            sent.withLock { $0 += 1 }
          }
        } catch {}
      }
      // Full is when nothing more goes into it for a while.
      let last = Locked((count: 0, polls: 0))
      try await eventually("its socket is full", on: house.loop) {
        let now = sent.withLock { $0 }
        return last.withLock { last in
          last = last.count == now ? (now, last.polls + 1) : (now, 0)
          return now > 20 && last.polls > 30
        }
      }
      _ = try await studio.node.revoke("mallory")
      await filling.value
      try await expectForgotten(mallory.identity.id, by: studio)
      await silent.close()
    }
  }

  @Test func aPairingThatCrossesARevocationLeavesNobodyHalfPaired() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      for round in 0..<4 {
        let invitation = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: [])
        let ticket = try Ticket(invitation.text)
        let mallory = try await ForgedPeer.pair(with: invitation.text, as: "mallory", on: house.loop)
        house.atTheEnd { await mallory.close() }
        // The ticket is its own until it expires, and it uses it again and again.
        let repeating = Task {
          for _ in 0..<3 {
            guard
              let (connection, _) = try? await ForgedPeer.introduce(
                mallory.identity, with: ticket, as: "mallory", on: house.loop)
            else { continue }
            _ = try? await connection.receive(within: .seconds(5))
            await connection.close()
          }
        }
        try await house.loop.sleep(for: .milliseconds(10 * round))
        _ = try await studio.node.revoke("mallory")
        try await expectForgotten(mallory.identity.id, by: studio)
        await repeating.value
        try await expectForgotten(mallory.identity.id, by: studio)
        #expect(await studio.node.peerSummaries().isEmpty)
      }
    }
  }

  @Test func revokingAPeerThatIsInQuestionForgetsBoth() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let invitation = try await studio.node.invite(alias: "mallory", newMachine: true, lifeSeconds: 60, addresses: [])
      let other = try Identity.generate(.system)
      let (connection, _) = try await ForgedPeer.introduce(
        other, with: try Ticket(invitation.text), as: "other", on: house.loop)
      guard let reply = try await connection.receive(within: .seconds(10)),
        case .pairAccepted = try LinkFrame(parsing: reply.span)
      else { throw LinkEnded() }
      await connection.close()
      _ = try await studio.node.revoke("mallory")
      for id in [mallory.identity.id, other.id] { try await expectForgotten(id, by: studio) }
    }
  }

  @Test func aStartOfBeforeTheRevocationMakesNoSessionAfterANewPairing() async throws {
    try await withHouse { house in
      var studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let (id, identity) = (mallory.identity.id, mallory.identity)
      // A start from signed prekeys alone, as from a batch that is used up.
      let now = ForgedPeer.now
      var prekeys = PrekeyRing()
      _ = prekeys.refresh(at: now, crypto: .system)
      let bare = try await studio.node.prekeys.bundle(
        from: studio.node.context.identity, to: id, at: now, crypto: .system)
      var machine = PeerMachine(
        identity: identity, peer: studio.node.context.identity.record, prekeys: prekeys,
        hello: ControlMessage.hello(Hello(name: "mallory", addresses: [])).payload, crypto: .system)
      _ = try machine.start(with: bare, at: now)
      let start = try #require(machine.undelivered.first)
      @Sendable func starts(_ node: RunningNode) async throws -> Int? {
        try await node.node.context.database.loadPeer(id)?.replays.count
      }
      let before = try #require(try await starts(studio))
      try await mallory.push(start.encoded)
      let first = studio
      try await eventually("it makes a session", on: house.loop) { try await starts(first) == before + 1 }
      _ = try await studio.node.revoke("mallory")
      let invitation = try await studio.node.invite(alias: "mallory", lifeSeconds: 60, addresses: [])
      let again = try await ForgedPeer.pair(with: invitation.text, as: "mallory", identity: identity, on: house.loop)
      house.atTheEnd { await again.close() }
      try await again.ready()
      for round in 0..<2 {
        let known = try #require(try await starts(studio))
        try await again.push(start.encoded)
        // What comes after it on the same link is answered after it was looked at.
        let heard = await again.heard.count
        try await again.say(.catalogRequest(CatalogRequest(request: RequestNumber(50 + round))))
        try await eventually("the next word is answered", on: house.loop) { await again.heard.count > heard }
        #expect(try await starts(studio) == known)
        guard round == 0 else { break }
        // And after a restart.
        await studio.stop()
        studio = try await house.start("studio", port: studio.port)
        try await again.relink()
        try await again.ready()
      }
    }
  }
}
