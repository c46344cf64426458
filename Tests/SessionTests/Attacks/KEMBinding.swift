import Primitives
import Testing

@testable import Session

/// What the analyses of PQXDH found: a KEM need not bind a secret to the key it was encapsulated to. Somebody with one broken or stolen KEM
/// key opens the secret and encapsulates it again, to another key of the responder: both sides then hold one key and disagree on what made
/// it. ML-KEM hashes the key into the secret; our transcript does not rely on that.
extension KnownAttacks {
  /// Draws this X25519 key and this ML-KEM seed, and nothing else at random.
  private static func fixed(_ curve: UInt8, _ seed: UInt8) -> Randomness {
    Randomness { [UInt8](repeating: $0 == 32 ? curve : seed, count: $0) }
  }

  /// Starts against the key in the bundle, with a KEM so weak that its ciphertext opens to the same secret under `other`.
  private static func weak(_ a: Party, for other: MLKEM1024.PublicKey) -> SessionCrypto {
    SessionCrypto(
      randomness: a.crypto.randomness, encapsulate768: { $0.encapsulate() }, encapsulate1024: { _ in other.encapsulate() },
      sign: a.crypto.sign)
  }

  @Test func kemReEncapsulationToAnotherOneTimeKeyMakesNoSession() throws {
    let (a, b) = try Party.pair(seed: 700)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let stolen = OneTimePair(id: 7, at: epoch, randomness: Self.fixed(1, 1))
    for seed: UInt8 in [2, 1] {
      // The same id and OPK; only the KEM key is another one, or, for comparison, is not.
      let other = OneTimePair(id: 7, at: epoch, randomness: Self.fixed(1, seed))
      #expect(other.ec.publicKey == stolen.ec.publicKey && (other.kem.publicKey == stolen.kem.publicKey) == (seed == 1))
      let bundle = try Bundle.issue(
        by: b.identity, to: a.id, nonce: Bundle.pushedNonce, prekeys: try b.prekeys.current(), pairs: [stolen], at: epoch,
        crypto: b.crypto)
      let (head, secrets) = try KeyAgreement.initiate(
        identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: Self.weak(a, for: other.kem.publicKey))
      let answer = try KeyAgreement.respond(
        identity: b.identity, peer: a.record, head: head, prekeys: try b.prekeys.current(), pair: other)
      #expect((answer.id == secrets.id) == (seed == 1))
      // Everything but the transcript is one: with A's, B has A's keys.
      let prekeys = try b.prekeys.current()
      let agreements = Formula.Agreements(
        dh: [
          try prekeys.ec.agreed(with: a.record.agreeKey), try b.identity.agreement.agree.agreed(with: head.ephemeral),
          try prekeys.ec.agreed(with: head.ephemeral), try other.ec.agreed(with: head.ephemeral),
        ], shared: try other.kem.decapsulate(head.ciphertext).copyBytes())
      let transcript = Formula.transcript(
        head, spk: bundle.spk, opk: stolen.ec.publicKey, kem: stolen.kem.publicKey)
      #expect(try Formula.secrets(agreements, head, transcript: transcript).id == secrets.id)
    }
  }

  @Test func kemReEncapsulationToAnotherSignedKeyMakesNoSession() throws {
    let (a, b) = try Party.pair(seed: 701)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let stolen = SignedPrekeys(id: 9, at: epoch, randomness: Self.fixed(3, 3))
    for seed: UInt8 in [4, 3] {
      let other = SignedPrekeys(id: 9, at: epoch, randomness: Self.fixed(3, seed))
      let bundle = try Bundle.issue(
        by: b.identity, to: a.id, nonce: Bundle.pushedNonce, prekeys: stolen, pairs: [], at: epoch, crypto: b.crypto)
      let (head, secrets) = try KeyAgreement.initiate(
        identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: Self.weak(a, for: other.kem.publicKey))
      let answer = try KeyAgreement.respond(identity: b.identity, peer: a.record, head: head, prekeys: other, pair: nil)
      #expect((answer.id == secrets.id) == (seed == 3))
    }
  }

  /// With ML-KEM itself: a ciphertext gives another secret under every other key, and an INIT that names another pair is refused.
  @Test func aCiphertextForOneKeyOpensNothingUnderAnother() throws {
    let (a, b) = try Party.pair(seed: 702)
    var machine = b.machine(for: a.record)
    let first = try machine.pairingBundle(at: epoch).bundle
    let second = try machine.pairingBundle(at: epoch).bundle
    var starter = a.machine(for: b.record)
    _ = try starter.start(with: first, at: epoch)
    guard case .initiation(let initiation)? = try starter.linkUp(at: epoch).frames.last else {
      throw SessionError(.internalFailure)
    }
    let head = initiation.head
    var secrets: Set<[UInt8]> = []
    for pair in machine.pairs { secrets.insert(try pair.kem.decapsulate(head.ciphertext).copyBytes()) }
    secrets.insert(try b.prekeys.current().kem.decapsulate(head.ciphertext).copyBytes())
    #expect(secrets.count == 3)
    let relabelled = Initiation.Head(
      initiator: a.id, responder: b.id, ephemeral: head.ephemeral, spkID: head.spkID, pqspkID: head.pqspkID,
      pairID: second.pairs[0].id, ciphertext: head.ciphertext, bundle: head.bundle)
    let outcome = try machine.receive(.initiation(Initiation(head: relabelled, envelope: initiation.envelope)), at: epoch)
    #expect(outcome.refusedInitiation == .refused && machine.pairs.count == 2)
    #expect(try machine.receive(.initiation(initiation), at: epoch).refusedInitiation == nil)
  }
}
