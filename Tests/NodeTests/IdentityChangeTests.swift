import EventLoop
import Foundation
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// A peer comes back under other keys, or somebody says so: the user decides, and until then nobody gets anything.
@Suite(.timeLimit(.minutes(5))) struct IdentityChangeTests {
  /// Studio and laptop, paired; studio shares a file with laptop alone. Then laptop is gone, and its state with it.
  private func reinstalled(_ house: House) async throws -> (studio: RunningNode, laptop: RunningNode, old: String) {
    let studio = try await house.start("studio")
    let old = try await house.start("laptop", home: "old")
    try await house.pair(studio, old)
    _ = try await studio.share(try house.file("out/a.bin", pattern(1_000)), to: ["laptop"])
    _ = try await studio.node.confirm("laptop")
    await old.stop()
    return (studio, try await house.start("laptop", home: "new", port: old.port), old.node.id.hex)
  }

  private func isBlocked(_ node: RunningNode, _ alias: String) async throws -> Bool {
    let summary = try await node.node.summary(of: alias)
    #expect(summary.isBlocked == summary.isIdentityChanged)
    #expect(!summary.isBlocked || !summary.isOnline)
    return summary.isBlocked
  }

  @Test func aNodeThatWasSetUpAnewIsAskedAboutAlsoAfterARestart() async throws {
    try await withHouse { house in
      var (studio, laptop, old) = try await reinstalled(house)
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let waiting = Task { [studio] in try await studio.node.awaitUse(of: invitation) }
      let joined = try await laptop.node.join(invitation.text, alias: nil)
      #expect(joined.isWaiting, "the joiner is told that studio's user has to decide")
      #expect(try await nodeError { _ = try await waiting.value }.code == .identityChanged)
      #expect(try await nodeError { _ = try await studio.node.awaitUse(of: invitation) }.code == .identityChanged)

      let port = studio.port
      for round in 0..<2 {
        if round == 1 {
          await studio.stop()
          studio = try await house.start("studio", port: port)
        }
        #expect(await studio.node.peerSummaries().map(\.id) == [old], "the newcomer is no peer")
        #expect(try await isBlocked(studio, "laptop"))
        let change = try #require(try await studio.node.identityChange(of: "laptop"))
        #expect(change.id == laptop.node.id.hex && change.name == "laptop" && change.reason == "name_and_place")
        #expect(await change.safetyNumber == joined.peer.safetyNumber(), "both sides see the same number")
        #expect(try await studio.node.report().warnings.contains { $0.contains("pawl verify laptop") })
        // Neither gets anything, and studio's user is told why.
        let attempts: [() async throws -> Void] = [
          { _ = try await studio.node.list(peer: "laptop") }, { _ = try await studio.pull("laptop/x", into: house.path) },
          { _ = try await studio.node.show("laptop/x") },
          { _ = try await studio.share("\(house.path)/out/a.bin", to: ["laptop"]) },
          { _ = try await studio.node.confirm("laptop") },
        ]
        for attempt in attempts {
          let failure = try await nodeError(attempt)
          #expect(failure.code == .identityChanged && failure.code.exitCode == 12)
          #expect(failure.hint?.contains("pawl verify laptop") == true)
        }
        let refusal = try await nodeError { _ = try await laptop.node.list(peer: "studio") }
        #expect(refusal.code == .unreachable, "\(refusal)")
      }

      // Accepted: alias and audience are the new one's, and everything comes up by itself.
      let accepted = try await studio.node.acceptNewIdentity(of: "laptop")
      #expect(accepted.id == laptop.node.id.hex && accepted.alias == "laptop")
      #expect(!accepted.isVerified && !accepted.isBlocked)
      try await laptop.ready(for: "studio")
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/a.bin") == pattern(1_000))
      #expect(await studio.node.peerSummaries().map(\.id) == [laptop.node.id.hex])
      #expect(try await nodeError { _ = try await studio.node.keepOldIdentity(of: "laptop") }.code == .notFound)
      // The old one, should it come back, is a stranger.
      await laptop.stop()
      let ghost = try await house.start("laptop", home: "old", port: laptop.port)
      #expect(try await nodeError { _ = try await ghost.node.list(peer: "studio") }.code == .unreachable)
    }
  }

  @Test func keepingTheOldIdentityForgetsTheNewOneAndTheSessionGoesOn() async throws {
    try await withHouse { house in
      let (studio, laptop, old) = try await reinstalled(house)
      let session = try await studio.node.peer(alias: "laptop").machine.currentSession
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      _ = try await laptop.node.join(invitation.text, alias: nil)
      #expect(try await isBlocked(studio, "laptop"))
      let kept = try await studio.node.keepOldIdentity(of: "laptop")
      #expect(kept.id == old && kept.isVerified && !kept.isBlocked)
      #expect(try await studio.node.identityChange(of: "laptop") == nil)
      let refusal = try await nodeError { _ = try await laptop.node.join(invitation.text, alias: nil) }
      #expect(refusal.code == .notAllowed, "the ticket went with the newcomer")
      await laptop.stop()
      let again = try await house.start("laptop", home: "old", port: laptop.port)
      try await again.ready(for: "studio")
      try await studio.ready(for: "laptop")
      _ = try await again.pull("studio/a.bin", into: "\(house.path)/in")
      #expect(try await studio.node.peer(alias: "laptop").machine.currentSession == session)
      #expect(try await studio.node.report().warnings.isEmpty)
    }
  }

  @Test func theJoinerAsksItsUserToo() async throws {
    try await withHouse { house in
      let (studio, laptop, _) = try await reinstalled(house)
      let invitation = try await laptop.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let refusal = try await nodeError { _ = try await studio.node.join(invitation.text, alias: nil) }
      #expect(refusal.code == .identityChanged)
      #expect(try await isBlocked(studio, "laptop"))
      // Once more changes nothing.
      #expect(
        try await nodeError { _ = try await studio.node.join(invitation.text, alias: nil) }.code == .identityChanged)
      #expect(try await studio.node.identityChange(of: "laptop")?.id == laptop.node.id.hex)
      _ = try await studio.node.acceptNewIdentity(of: "laptop")
      try await laptop.ready(for: "studio")
      try await studio.ready(for: "laptop")
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/in")
    }
  }

  @Test func aNewMachineElsewhereIsAnnouncedByTheUserOnEitherSide() async throws {
    try await withHouse { house in
      let (studio, _, _) = try await reinstalled(house)
      let desktop = try await house.start("desktop")
      let taken = try await nodeError { _ = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: []) }
      #expect(taken.code == .conflict && taken.hint?.contains("--new-machine") == true)
      let invitation = try await studio.node.invite(alias: "laptop", newMachine: true, lifeSeconds: 60, addresses: [])
      _ = try await desktop.node.join(invitation.text, alias: nil)
      #expect(try await studio.node.identityChange(of: "laptop")?.reason == "announced")
      let second = try await nodeError {
        _ = try await studio.node.invite(alias: "laptop", newMachine: true, lifeSeconds: 60, addresses: [])
      }
      #expect(second.code == .identityChanged, "one question at a time")
      _ = try await studio.node.acceptNewIdentity(of: "laptop")
      try await desktop.ready(for: "studio")

      let tower = try await house.start("tower")
      let theirs = try await tower.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await nodeError { _ = try await studio.node.join(theirs.text, alias: "laptop") }.code == .conflict)
      let refusal = try await nodeError { _ = try await studio.node.join(theirs.text, alias: "laptop", newMachine: true) }
      #expect(refusal.code == .identityChanged)
      #expect(try await studio.node.acceptNewIdentity(of: "laptop").id == tower.node.id.hex)
      try await studio.ready(for: "laptop")
      _ = try await tower.pull("studio/a.bin", into: "\(house.path)/in")
      #expect(try await nodeError { _ = try await desktop.node.list(peer: "studio") }.code == .unreachable)
    }
  }

  /// What a node answers to an introduction, frame by frame.
  private func answer(
    to identity: Identity, as name: String, at addresses: [PeerAddress] = [], from node: RunningNode, on loop: EventLoop
  ) async throws -> [LinkFrame] {
    let invitation = try await node.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
    let (connection, _) = try await ForgedPeer.introduce(
      identity, with: try Ticket(invitation.text), as: name, at: addresses, on: loop)
    var frames: [LinkFrame] = []
    while frames.count < 2, let bytes = try? await connection.receive(within: .seconds(10)) {
      frames.append(try LinkFrame(parsing: bytes.span))
    }
    await connection.close()
    return frames
  }

  @Test(arguments: 0..<4) func whoSharesAKeyWithAPeerIsNotLetInBesideIt(_ key: Int) async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let (one, other) = try Kin.pair(sharing: key, seed: 60)
      let invitation = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: [])
      let laptop = try await ForgedPeer.pair(with: invitation.text, as: "laptop", identity: one, on: house.loop)
      house.atTheEnd { await laptop.close() }
      try await laptop.ready()
      let frames = try await answer(to: other, as: "somebody", from: studio, on: house.loop)
      guard frames.count == 2, case .pairAccepted(let introduction) = frames[0] else {
        Issue.record("PAIR_OK and CLOSE were expected: \(frames.count) frames")
        return
      }
      #expect(frames[1] == .close)
      #expect(try Bundle(parsing: introduction.bundle.span).bytes.count == 5_081, "no one-time pair for one who is no peer")
      #expect(try await studio.node.identityChange(of: "laptop")?.reason == "shared_key")
      try await eventually("the peer's link ends", on: house.loop) { await laptop.isCut }
      // Neither of them is heard any more, whatever key a link shows.
      for identity in [one, other] {
        let ticket = try Ticket(try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: []).text)
        // Either side may end it first: what counts is that no word comes.
        guard
          let link = try? await ForgedPeer.connect(
            .link, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: identity, on: house.loop)
        else { continue }
        try? await link.send(LinkFrame.counters([]).encoded)
        let word = try? await link.receive(within: .seconds(6))
        #expect(word == nil || word == .some(nil))
        await link.close()
      }
    }
  }

  @Test func aNameWithoutAKeyOrAPlaceDisturbsNobody() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      let peer = try await studio.node.peer(alias: "laptop")
      let links = await peer.links.map(\.number)
      let elsewhere: [[PeerAddress]] = [
        [], [try PeerAddress("192.0.2.9:7411")], [try PeerAddress(host: "127.0.0.1", port: laptop.port &+ 1)],
      ]
      for (index, addresses) in elsewhere.enumerated() {
        let frames = try await answer(
          to: try Identity.generate(.system), as: "laptop", at: addresses, from: studio, on: house.loop)
        guard case .pairAccepted? = frames.first, case .counters? = frames.last else {
          Issue.record("it is a peer of its own")
          return
        }
        #expect(await studio.node.peerSummaries().map(\.alias).contains("laptop-\(index + 2)"))
      }
      #expect(try await !isBlocked(studio, "laptop"))
      #expect(await studio.node.peerSummaries().allSatisfy { !$0.isIdentityChanged })
      #expect(await peer.links.map(\.number) == links, "its links stood all the while")
      #expect(try await studio.node.peer(alias: "laptop") === peer)
    }
  }

  @Test func theQuestionThatTheUserSeesIsNotExchangedForAnother() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      let place = [try PeerAddress(host: "127.0.0.1", port: laptop.port)]
      let (first, second) = (try Identity.generate(.system), try Identity.generate(.system))
      #expect(try await answer(to: first, as: "laptop", at: place, from: studio, on: house.loop).last == .close)
      let open = try await studio.node.report().ticketCount
      let refused = try await answer(to: second, as: "laptop", at: place, from: studio, on: house.loop)
      #expect(refused == [.pairRefused(.spoilt)])
      #expect(try await studio.node.report().ticketCount == open + 1, "nor is its ticket used up")
      #expect(try await studio.node.identityChange(of: "laptop")?.id == first.id.hex)
    }
  }

  @Test func aFalseClaimEndsWhatIsUnderWayAndOneCommandBringsItBack() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      let meddler = try await house.meddler(before: laptop)
      try await house.pair(laptop, studio, through: meddler)
      let bytes = pattern(4 << 20)
      _ = try await laptop.share(try house.file("out/big.bin", bytes), toAll: true)
      let midway = AsyncStream.makeStream(of: Void.self)
      await meddler.lay { place, _ in
        guard place.purpose == 3, place.offset > 2 << 20 else { return .pass }
        midway.continuation.yield()
        return .withhold
      }
      let pull = Task { try await studio.pull("laptop/big.bin", into: "\(house.path)/in") }
      for await _ in midway.stream { break }
      // Mallory has a ticket, knows laptop's name and address, and is not laptop.
      let place = [try PeerAddress(host: "127.0.0.1", port: laptop.port)]
      let frames = try await answer(
        to: try Identity.generate(.system), as: "laptop", at: place, from: studio, on: house.loop)
      #expect(frames.last == .close)
      let failure = try await nodeError { _ = try await pull.value }
      #expect(failure.code == .identityChanged)
      #expect(try await studio.node.report().transfers.allSatisfy { !$0.isRunning })
      #expect(house.bytes("in/big.bin") == nil)
      await meddler.lay { _, _ in .pass }
      _ = try await studio.node.keepOldIdentity(of: "laptop")
      try await studio.ready(for: "laptop")
      let summary = try await studio.pull("laptop/big.bin", into: "\(house.path)/in")
      #expect(house.bytes("in/big.bin") == bytes)
      #expect(summary.bytesTransferred < UInt64(bytes.count), "it was resumed: nothing had been deleted")
    }
  }

  @Test func theOldIdentityThatPairsAgainDoesNotDecideTheQuestion() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      let place = [try PeerAddress(host: "127.0.0.1", port: laptop.port)]
      let claimant = try Identity.generate(.system)
      _ = try await answer(to: claimant, as: "laptop", at: place, from: studio, on: house.loop)
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await laptop.node.join(invitation.text, alias: nil).isWaiting)
      #expect(try await isBlocked(studio, "laptop"))
      #expect(try await studio.node.identityChange(of: "laptop")?.id == claimant.id.hex)
      // Nor does joining it.
      let theirs = try await laptop.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      #expect(try await nodeError { _ = try await studio.node.join(theirs.text, alias: nil) }.code == .identityChanged)
      _ = try await studio.node.keepOldIdentity(of: "laptop")
      try await laptop.ready(for: "studio")
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
    }
  }
}
