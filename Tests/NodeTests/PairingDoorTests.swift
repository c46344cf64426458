import EventLoop
import Primitives
import Session
import Store
import Testing

@testable import Node

/// What becomes of a ticket in the hands of somebody who does not mean well.
@Suite(.timeLimit(.minutes(5))) struct PairingDoorTests {
  private func isSilent(_ body: () async throws -> SecureConnection) async -> Bool {
    guard let connection = try? await body() else { return true }
    let answer = (try? await connection.receive(within: .seconds(6))) ?? nil
    await connection.close()
    return answer == nil
  }

  @Test func whoDoesNotKnowTheSecretGetsSilenceAndBurnsNothing() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: "laptop", lifeSeconds: 60, addresses: [])
      let ticket = try Ticket(invitation.text)
      let stranger = try Identity.generate(.system)
      let other = SecretBox(Randomness.system.secret(32))
      func attempt(psk: SecretBox, id: [UInt8], payload: [UInt8]) async -> Bool {
        await isSilent {
          try await ForgedPeer.connect(
            .pair, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: stranger, psk: psk, first: id, third: payload,
            on: house.loop)
        }
      }
      #expect(await attempt(psk: ticket.psk, id: pattern(16), payload: [1]), "an unknown ticket")
      #expect(await attempt(psk: ticket.psk, id: [], payload: [1]), "no ticket at all")
      for _ in 0..<5 { #expect(await attempt(psk: other, id: ticket.id, payload: [1]), "the wrong secret") }
      let laptop = try await house.start("laptop")
      _ = try await laptop.node.join(invitation.text, alias: nil)
      #expect(await studio.node.peerSummaries().map(\.alias) == ["laptop"])
    }
  }

  /// Introductions that someone with the secret could send, none of which names a node.
  private func invalid(_ round: Int, to node: NodeID, as identity: Identity) throws -> [UInt8] {
    var prekeys = PrekeyRing()
    _ = prekeys.refresh(at: ForgedPeer.now, crypto: .system)
    let card = try Card(name: "mallory", addresses: [])
    let bundle = try prekeys.bundle(from: identity, to: node, at: ForgedPeer.now, crypto: .system).bytes
    switch round {
    case 0: return pattern(100)
    case 1:
      // Somebody else's record.
      let other = try Identity.generate(.system)
      return Introduction(record: other.record.bytes, bundle: bundle, card: card).encoded
    default:
      var forged = bundle
      forged[forged.count - 1] ^= 1
      return Introduction(record: identity.record.bytes, bundle: forged, card: card).encoded
    }
  }

  @Test func threeInvalidIntroductionsSpoilATicketAndTwoDoNot() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let spoilt = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let usable = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      for (invitation, rounds) in [(spoilt, 3), (usable, 2)] {
        let ticket = try Ticket(invitation.text)
        let mallory = try Identity.generate(.system)
        for round in 0..<rounds {
          let connection = try await ForgedPeer.connect(
            .pair, to: ticket.addresses[0], remoteKey: ticket.linkKey, as: mallory, psk: ticket.psk, first: ticket.id,
            third: try invalid(round, to: ticket.node, as: mallory), on: house.loop)
          let answer = try #require(try await connection.receive(within: .seconds(6)))
          #expect(try LinkFrame(parsing: answer.span) == .pairRefused(.spoilt))
          await connection.close()
        }
      }
      let laptop = try await house.start("laptop")
      let refusal = try await nodeError { _ = try await laptop.node.join(spoilt.text, alias: nil) }
      #expect(refusal.code == .notAllowed)
      #expect(await laptop.node.peerSummaries().isEmpty)
      _ = try await laptop.node.join(usable.text, alias: nil)
      #expect(await studio.node.peerSummaries().map(\.alias) == ["laptop"])
    }
  }

  @Test func aUsedTicketLetsNobodyElseIn() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let laptop = try await house.start("laptop")
      let other = try await house.start("other")
      _ = try await laptop.node.join(invitation.text, alias: nil)
      let refusal = try await nodeError { _ = try await other.node.join(invitation.text, alias: nil) }
      #expect(refusal.code == .notAllowed && refusal.message.contains("already used"))
      #expect(await studio.node.peerSummaries().map(\.alias) == ["laptop"])
      // The same joiner may repeat, as one whose answer was lost must.
      _ = try await laptop.node.join(invitation.text, alias: nil)
      try await laptop.ready(for: "studio")
      #expect(try await laptop.node.list(peer: "studio").isEmpty)
    }
  }

  @Test func whoPairsAgainIsServedAgain() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.start("laptop")
      try await house.pair(studio, laptop)
      _ = try await studio.share(try house.file("out/a.bin", pattern(1_000)), toAll: true)
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/one")
      let again = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      _ = try await laptop.node.join(again.text, alias: nil)
      try await laptop.ready(for: "studio")
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/two")
      #expect(house.bytes("two/a.bin") == pattern(1_000))
    }
  }

  @Test func oneTicketUsedTwiceAtTheSameTimeLetsOneIn() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      let first = try await house.start("first")
      let second = try await house.start("second")
      // One ticket, two joiners at once: exactly one comes in.
      async let one = try? await first.node.join(invitation.text, alias: nil)
      async let two = try? await second.node.join(invitation.text, alias: nil)
      let joined = await [one, two].compactMap { $0 }
      #expect(joined.count == 1)
      #expect(await studio.node.peerSummaries().count == 1)
    }
  }
}
