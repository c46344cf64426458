import Primitives
import Testing

@testable import Session

/// Key-compromise impersonation: the keys of a victim are stolen, and the thief wants to be somebody else to it. The link, which would stop
/// the thief at the door, is taken away: every frame reaches the machine.
extension KnownAttacks {
  private static let hello = Array(#"{"name":"x","type":"hello"}"#.utf8)

  /// A victim B, its machine for A, the bundle it gave A, and A's own bundle for B, which travelled in an INIT once.
  private struct Scene {
    let a: Party
    let b: Party
    var machine: PeerMachine
    let bundle: Bundle
    let own: Bundle
    let thief = SessionCrypto(randomness: .seeded(1))

    init(_ seed: UInt64) throws {
      (a, b) = try Party.pair(seed: seed)
      machine = b.machine(for: a.record)
      bundle = try machine.pairingBundle(at: epoch).bundle
      own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
      _ = try machine.linkUp(at: epoch)
    }

    func forgery(dh1: [UInt8]) throws -> Forgery {
      try Forgery(of: a.id, to: b.record, bundle: bundle, own: own, dh1: dh1, crypto: thief)
    }
  }

  @Test func keyCompromiseImpersonationWithAStolenIdentityStartsNothing() throws {
    let scene = try Scene(620)
    let (a, b) = (scene.a, scene.b)
    // B's identity is stolen. DH1 = DH(IK_A, SPK_B) needs IK_A or SPK_B, neither of which is in it.
    let stolen = b.identity.agreement
    let attempts = [
      try stolen.agree.agreed(with: a.record.agreeKey), try stolen.agree.agreed(with: scene.bundle.spk),
      try stolen.link.agreed(with: a.record.agreeKey), [UInt8](repeating: 0, count: 32),
    ]
    for dh1 in attempts {
      var machine = scene.machine
      var forgery = try scene.forgery(dh1: dh1)
      let outcome = try machine.receive(try forgery.initiation(Self.hello), at: epoch)
      #expect(outcome.refusedInitiation == .refused)
      #expect(outcome.commit.isEmpty && outcome.delivered.isEmpty && machine.sessions.isEmpty)
    }
    // Nor does a bundle of A's that the thief makes up for B: B's keys do not sign for A.
    var machine = scene.machine
    let forged = try Bundle.issue(
      by: b.identity, to: b.id, nonce: Bundle.pushedNonce, prekeys: try b.prekeys.current(), pairs: [], at: epoch,
      crypto: scene.thief)
    let relabelled = try Bundle(reading: a.id.bytes + forged.bytes.dropFirst(32))
    var forgery = try Forgery(
      of: a.id, to: b.record, bundle: scene.bundle, own: relabelled,
      dh1: try b.prekeys.current().ec.agreed(with: a.record.agreeKey), crypto: scene.thief)
    #expect(try machine.receive(try forgery.initiation(Self.hello), at: epoch).refusedInitiation == .badSignature)
    // The other way round: A starts, and the thief of A's identity answers as B. It lacks DH2 and the KEM secret.
    var starter = a.machine(for: b.record)
    let started = try starter.start(with: scene.bundle, at: epoch)
    #expect(started.commit.changes.count > 1)
    let session = try #require(starter.sessions.first)
    guard case .starting(let head) = session.phase else { throw SessionError(.internalFailure) }
    let shared = SecretBytes(zeroes: 32).copyBytes()
    let guess = try Formula.secrets(
      Formula.Agreements(
        dh: [try a.identity.agreement.agree.agreed(with: scene.bundle.spk), shared, shared, shared], shared: shared), head,
      transcript: Formula.transcript(
        head, spk: scene.bundle.spk, opk: scene.bundle.pairs[0].ec, kem: scene.bundle.pairs[0].kem))
    #expect(guess.id != session.id)
  }

  /// With B's signed prekeys DH1 can be computed, and that is where X3DH's known weakness lies. The session begins, and nothing but `hello`
  /// comes of it: CONFIRM asks for A's signed prekey.
  @Test func keyCompromiseImpersonationWithAStolenSignedPrekeyGetsNoFurtherThanHello() throws {
    var scene = try Scene(621)
    let dh1 = try scene.b.prekeys.current().ec.agreed(with: scene.a.record.agreeKey)
    var forgery = try scene.forgery(dh1: dh1)
    let outcome = try scene.machine.receive(try forgery.initiation(Self.hello), at: epoch)
    #expect(outcome.isStartOfPeer && outcome.delivered.isEmpty, "it is kept, and counts when the session is confirmed")
    #expect(scene.machine.health == .unconfirmed)
    // What else comes in the first chain is dropped, and what B wants to say stays with B.
    let order = try scene.machine.receive(try forgery.initiation(json("text", "obey")), at: epoch)
    #expect(order.delivered.isEmpty && order.events == [.prematurePayload(forgery.secrets.id)])
    let said = try scene.machine.send(json("text", "secret"), at: epoch)
    #expect(said.frames.isEmpty && scene.machine.waitingCount == 1)
    // B's answer carries a secret for A's PQSPK. The thief has B's prekeys and its own, and neither opens it.
    let confirmation = try #require(outcome.envelope)
    for ring in [scene.b.prekeys, PrekeyRing()] {
      #expect(throws: SessionError(.refused)) {
        var forger = forgery
        _ = try forger.open(confirmation, prekeys: ring)
      }
    }
    // A chain that answers nothing cannot be made: its roots come from CONFIRM. A made-up one is refused.
    var blind = forgery
    blind.ratchet.sending = .chain(try Self.blindChain(forgery, crypto: scene.thief))
    let before = scene.machine
    let refused = try scene.machine.receive(.envelope(forgery.secrets.id, try blind.envelope(json("text", "obey"))), at: epoch)
    #expect(refused.commit.isEmpty && refused.delivered.isEmpty)
    #expect(scene.machine.sessions[0].ratchet.storedBytes == before.sessions[0].ratchet.storedBytes)
    #expect(scene.machine.health == .unconfirmed)
  }

  /// A chain under the right header key (the thief knows NHK_A: it began the session) whose roots are guessed.
  private static func blindChain(_ forgery: Forgery, crypto: SessionCrypto) throws -> Ratchet.SendingChain {
    guard case .chain(let first) = forgery.ratchet.sending else { throw SessionError(.internalFailure) }
    let keys = LocalRatchetKeys(crypto.randomness)
    let other = LocalRatchetKeys(crypto.randomness)
    let step = forgery.ratchet.roots.advanced(
      dh: try X25519.agree(keys.dh, other.dh.publicKey), shared: .one(SecretBox([UInt8](repeating: 0, count: 32))))
    return Ratchet.SendingChain(
      headerKey: first.nextHeaderKey, nextHeaderKey: step.nextHeaderKey, keys: keys,
      kemBlock: RatchetHeader.kemBlock(
        keys.kem.publicKey, .answer(crypto.encapsulate768(other.kem.publicKey).ciphertext)),
      previousCount: first.number, confirmationPrekey: 0, chain: step.chain, number: 0)
  }

  /// The control: who also has the signed prekeys of the one that it plays is that one, as far as anybody can tell. So it is CONFIRM that
  /// stops the thief above.
  @Test func keyCompromiseImpersonationNeedsTheSignedPrekeysOfBothSides() throws {
    var scene = try Scene(622)
    let dh1 = try scene.b.prekeys.current().ec.agreed(with: scene.a.record.agreeKey)
    var forgery = try scene.forgery(dh1: dh1)
    let outcome = try scene.machine.receive(try forgery.initiation(Self.hello), at: epoch)
    let answer = try forgery.open(try #require(outcome.envelope), prekeys: scene.a.prekeys)
    #expect(answer == scene.machine.hello)
    let order = try forgery.envelope(json("text", "obey"))
    let delivered = try scene.machine.receive(.envelope(forgery.secrets.id, order), at: epoch).delivered
    #expect(delivered.map(\.type) == ["hello", "text"] && scene.machine.health == .healthy)
  }

  /// The signed prekeys of both sides were stolen, A's a generation ago: the thief has a bundle that A once signed with them. B knows a
  /// newer one, and A would have put such a one into its INIT.
  @Test func keyCompromiseImpersonationWithSignedPrekeysThatWereReplacedGetsNoFurtherThanTheINIT() throws {
    for age in [8 * day, 7 * day] {
      var scene = try Scene(625)
      var later = scene.a.prekeys
      _ = later.refresh(at: epoch + age, crypto: scene.a.crypto)
      let (batch, _) = try scene.a.batch(for: scene.b.id, later, at: epoch + age)
      var outcome = Outcome(peer: scene.a.id)
      scene.machine.hold(PrekeysMessage.payload(batch), at: epoch + age, into: &outcome)
      #expect(outcome.events == [.batchHeld(pairs: 1)] && outcome.commit.changes.contains(.putState(scene.machine.book.stored)))
      // What is held may be forgotten, and a node restarted. That a newer one was there is not.
      scene.machine.dropHeldBundle(into: &outcome)
      scene.machine.carried = CarriedBundles()
      scene.machine.book = try PeerBook(stored: scene.machine.book.stored)
      let dh1 = try scene.b.prekeys.current().ec.agreed(with: scene.a.record.agreeKey)
      var forgery = try scene.forgery(dh1: dh1)
      let frame = try forgery.initiation(Self.hello)
      var other = scene.machine
      let carried = try other.receive(carried: frame.encoded, at: epoch + age)
      outcome = try scene.machine.receive(frame, at: epoch + age)
      if age > 7 * day {
        #expect(carried.refusedInitiation == .outdated && carried.frames.isEmpty)
        #expect(outcome.refusedInitiation == .outdated && scene.machine.sessions.isEmpty && outcome.delivered.isEmpty)
        #expect(outcome.frames == [.reset(.none)], "an honest starter starts again, with the bundle of today")
      } else {
        // The control: a bundle that is young enough opens the door, so it is its age that closes it.
        _ = try forgery.open(try #require(outcome.envelope), prekeys: scene.a.prekeys)
        let order = try forgery.envelope(json("text", "obey"))
        let delivered = try scene.machine.receive(.envelope(forgery.secrets.id, order), at: epoch + age).delivered
        #expect(delivered.map(\.type) == ["hello", "text"])
      }
    }
  }

  /// A clock that was ahead when a bundle came does not shut the peer out once it is right again.
  @Test func aBundleFromTheFutureMakesNoHonestOneOld() throws {
    var scene = try Scene(626)
    let (batch, _) = try scene.a.batch(for: scene.b.id, scene.a.prekeys, at: epoch + 20 * day)
    var outcome = Outcome(peer: scene.a.id)
    scene.machine.hold(PrekeysMessage.payload(batch), at: epoch + 20 * day, into: &outcome)
    #expect(scene.machine.book.newestBundle == epoch + 20 * day)
    var starter = scene.a.machine(for: scene.b.record)
    let started = try starter.start(with: scene.bundle, at: epoch)
    #expect(started.frames.isEmpty)
    let frame = try #require(starter.undelivered.first)
    #expect(try scene.machine.receive(frame, at: epoch).isStartOfPeer)
  }

  /// X25519 has fallen: IK_A follows from A's record. The start looks right, and A's ML-KEM prekey still is A's.
  @Test func keyCompromiseImpersonationWithTheClassicalHalfBrokenGetsNoFurtherThanHello() throws {
    var scene = try Scene(623)
    let dh1 = try scene.a.identity.agreement.agree.agreed(with: scene.bundle.spk)
    var forgery = try scene.forgery(dh1: dh1)
    let outcome = try scene.machine.receive(try forgery.initiation(Self.hello), at: epoch)
    #expect(outcome.isStartOfPeer && outcome.delivered.isEmpty && scene.machine.health == .unconfirmed)
    #expect(throws: SessionError(.refused)) {
      _ = try forgery.open(try #require(outcome.envelope), prekeys: PrekeyRing())
    }
  }

  /// A's signed prekeys are stolen: they let nobody be A to others, for that takes IK_A.
  @Test func stolenSignedPrekeysDoNotImpersonateTheirOwner() throws {
    var scene = try Scene(624)
    let stolen = try scene.a.prekeys.current()
    var forgery = try scene.forgery(dh1: try stolen.ec.agreed(with: scene.bundle.spk))
    #expect(try scene.machine.receive(try forgery.initiation(Self.hello), at: epoch).refusedInitiation == .refused)
    #expect(scene.machine.sessions.isEmpty)
  }
}

extension Party {
  /// A batch of one pair, with the prekeys of a later time.
  fileprivate func batch(for peer: NodeID, _ ring: PrekeyRing, at now: UInt64) throws -> (bundle: Bundle, pair: OneTimePair) {
    let pair = OneTimePair(id: 7, at: now, isBatched: true, randomness: crypto.randomness)
    let bundle = try Bundle.issue(
      by: identity, to: peer, nonce: Bundle.pushedNonce, prekeys: try ring.current(), pairs: [pair], at: now, crypto: crypto)
    return (bundle, pair)
  }
}
