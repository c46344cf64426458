import Primitives
import Testing

@testable import Session

/// Unknown key share: two sides agree on keys and not on whom they share them with. Mallory is paired with both, signs what it likes with
/// its own keys, and claims B's agreement key (whose private half it does not have) or A's as its own.
extension KnownAttacks {
  /// A record that Mallory's own keys sign, with another node's agreement key in it.
  private static func record(_ mallory: Party, claiming key: X25519.PublicKey) throws -> IdentityRecord {
    let body = IdentityRecord.body(
      ed25519: mallory.record.ed25519Key, mldsa: mallory.record.mldsaKey, link: mallory.record.linkKey, agree: key)
    let bytes = body + (try mallory.identity.sign(kind: .identity, body: body, crypto: mallory.crypto))
    return try IdentityRecord(parsing: bytes.span)
  }

  /// A bundle signed by Mallory's keys under the id of such a record, with another's prekeys in it.
  private static func bundle(
    _ mallory: Party, as owner: NodeID, to addressee: NodeID, with prekeys: SignedPrekeys, pairs: [OneTimePair] = []
  ) throws -> Bundle {
    let honest = try Bundle.issue(
      by: mallory.identity, to: addressee, nonce: Bundle.pushedNonce, prekeys: prekeys, pairs: pairs, at: epoch,
      crypto: mallory.crypto)
    let body = owner.bytes + honest.bytes.dropFirst(32).dropLast(SignatureKind.signatureBytes)
    return try Bundle(
      reading: body + (try mallory.identity.sign(kind: .bundle, body: body, crypto: mallory.crypto)))
  }

  /// A starts a session with Mallory, who has passed off B's prekeys as its own, and passes A's INIT on to B.
  @Test func unknownKeyShareThroughARelabelledBundleMakesNoSession() throws {
    let (a, b) = try Party.pair(seed: 640)
    let mallory = try Party(seed: 6_400)
    let claimed = try Self.record(mallory, claiming: b.record.agreeKey)
    var machine = b.machine(for: a.record)
    _ = try machine.pairingBundle(at: epoch)
    let pair = machine.pairs[0]
    let stolen = try Self.bundle(mallory, as: claimed.id, to: a.id, with: try b.prekeys.current(), pairs: [pair])
    try stolen.verify(owner: claimed, addressee: a.id, at: epoch)
    let own = try a.prekeys.bundle(from: a.identity, to: claimed.id, at: epoch, crypto: a.crypto)
    let recorded = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a.identity, peer: claimed, bundle: stolen, own: own, crypto: a.crypto)
    var ratchet = try Ratchet(
      initiating: secrets, spk: stolen.spk, confirmationPrekey: own.pqspkID, crypto: a.crypto)
    let envelope = try ratchet.seal(
      Letter(sequence: 1, seen: 0, payload: machine.hello), associatedData: secrets.associatedData, crypto: a.crypto)
    // The attack is as good as it can be: on A's own INIT0, B would compute A's very keys.
    let shared = try KeyAgreement.respond(
      identity: b.identity, peer: a.record, head: head, prekeys: try b.prekeys.current(), pair: pair)
    #expect(shared.id == secrets.id)
    // As it is, B sees that it is not the one who is meant…
    let asItIs = try machine.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch)
    #expect(asItIs.refusedInitiation == .wrongAddressee)
    // …and relabelled for B, with a bundle that A did sign for B, it gives other keys.
    for own in [own, recorded] {
      let relabelled = Initiation.Head(
        initiator: a.id, responder: b.id, ephemeral: head.ephemeral, spkID: head.spkID, pqspkID: head.pqspkID,
        pairID: head.pairID, ciphertext: head.ciphertext, bundle: own.bytes)
      let outcome = try machine.receive(.initiation(Initiation(head: relabelled, envelope: envelope)), at: epoch)
      #expect(outcome.refusedInitiation == (own == recorded ? .refused : .wrongAddressee))
    }
    #expect(machine.sessions.isEmpty && machine.pairs.map(\.id) == [pair.id])
  }

  /// A bundle of B's for A is given to A as Mallory's, unsigned by Mallory or signed by it under B's name.
  @Test func aRelabelledBundleIsNobodys() throws {
    let (a, b) = try Party.pair(seed: 641)
    let mallory = try Party(seed: 6_410)
    let genuine = try b.bundle(for: a.id).bundle
    let relabelled = try Bundle(reading: mallory.id.bytes + genuine.bytes.dropFirst(32))
    #expect(throws: SessionError(.badSignature)) { try relabelled.verify(owner: mallory.record, addressee: a.id, at: epoch) }
    #expect(throws: SessionError(.wrongOwner)) { try genuine.verify(owner: mallory.record, addressee: a.id, at: epoch) }
    let forged = try Self.bundle(mallory, as: b.id, to: a.id, with: try mallory.prekeys.current())
    #expect(throws: SessionError(.badSignature)) { try forged.verify(owner: b.record, addressee: a.id, at: epoch) }
    // For another addressee it is none either, though B signed it.
    let redirected = try Bundle(reading: b.id.bytes + mallory.id.bytes + genuine.bytes.dropFirst(64))
    #expect(throws: SessionError(.badSignature)) { try redirected.verify(owner: b.record, addressee: mallory.id, at: epoch) }
  }

  /// A starts a session with B, and Mallory, who claims A's agreement key, hands A's INIT to B as its own.
  @Test func aRelabelledSenderMakesNoSession() throws {
    let (a, b) = try Party.pair(seed: 642)
    let mallory = try Party(seed: 6_420)
    let claimed = try Self.record(mallory, claiming: a.record.agreeKey)
    // Without a one-time pair, which is minted for A alone and would stop it by itself.
    let bundle = try b.bundle(for: a.id, pairs: 0).bundle
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    var ratchet = try Ratchet(initiating: secrets, spk: bundle.spk, confirmationPrekey: own.pqspkID, crypto: a.crypto)
    let envelope = try ratchet.seal(
      Letter(sequence: 1, seen: 0, payload: a.machine(for: b.record).hello), associatedData: secrets.associatedData,
      crypto: a.crypto)
    let shared = try KeyAgreement.respond(
      identity: b.identity, peer: claimed, head: head, prekeys: try b.prekeys.current(), pair: nil)
    #expect(shared.id == secrets.id, "on A's own INIT0 the keys are the same whosever they are said to be")
    var machine = b.machine(for: claimed)
    let asItIs = try machine.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch)
    #expect(asItIs.refusedInitiation == .wrongOwner)
    let mine = try Self.bundle(mallory, as: claimed.id, to: b.id, with: try mallory.prekeys.current())
    for (own, code) in [(mine, SessionError.Code.refused), (own, .wrongOwner)] {
      let relabelled = Initiation.Head(
        initiator: claimed.id, responder: b.id, ephemeral: head.ephemeral, spkID: head.spkID, pqspkID: head.pqspkID,
        pairID: 0, ciphertext: head.ciphertext, bundle: own.bytes)
      let outcome = try machine.receive(.initiation(Initiation(head: relabelled, envelope: envelope)), at: epoch)
      #expect(outcome.refusedInitiation == code)
    }
    #expect(machine.sessions.isEmpty)
    // Told as it is, from A, B takes it.
    var honest = b.machine(for: a.record)
    let taken = try honest.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch)
    #expect(taken.isStartOfPeer)
  }
}
