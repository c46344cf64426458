import Primitives
import Testing

@testable import Session

/// A point of low order makes an agreement zero for everybody. A hostile peer puts one wherever it may put a point, and reckons with zero
/// itself: if it were taken, all would open. (Noise's agreements: `Tests/NoiseTests`.)
extension KnownAttacks {
  /// Every u-coordinate of low order in every spelling of 32 bytes: 0, 1, two of order 8, p − 1, p, p + 1, and each with bit 255.
  private static let lowOrder: [[UInt8]] = {
    let zero = [UInt8](repeating: 0, count: 32)
    func field(_ low: UInt8) -> [UInt8] { [low] + [UInt8](repeating: 0xff, count: 30) + [0x7f] }
    let orderEight: [UInt8] = [
      0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
      0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ]
    let otherOrderEight: [UInt8] = [
      0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
      0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ]
    let points = [zero, [1] + zero.dropFirst(), orderEight, otherOrderEight, field(0xec), field(0xed), field(0xee)]
    return points + points.map { $0.dropLast() + [$0[31] | 0x80] }
  }()

  private static let zero = [UInt8](repeating: 0, count: 32)

  @Test func lowOrderPointsAtEveryRatchetStepAreRefused() throws {
    for (pair, honest, isAlices) in try RatchetPair.beginnings(seed: 660) {
      #expect(try pair.outcome(of: honest, isAlices: isAlices) == "crafted", "the honest chain is taken")
      for point in Self.lowOrder {
        var bad = honest
        bad.point = try X25519.PublicKey(point)
        bad.agreed = Self.zero
        #expect(try pair.outcome(of: bad, isAlices: isAlices) == nil, "\(point)")
      }
    }
  }

  /// DH1 and DH2 to DH4 at the responder: IK_A in the record of a hostile initiator, EK_A in its INIT.
  @Test func lowOrderPointsInAnINITAreRefused() throws {
    let (a, b) = try Party.pair(seed: 661)
    for (index, point) in Self.lowOrder.enumerated() {
      let key = try X25519.PublicKey(point)
      let body = IdentityRecord.body(
        ed25519: a.record.ed25519Key, mldsa: a.record.mldsaKey, link: a.record.linkKey, agree: key)
      let bytes = body + (try a.identity.sign(kind: .identity, body: body, crypto: a.crypto))
      let record = try IdentityRecord(stored: bytes.span)
      var machine = b.machine(for: record)
      let bundle = try machine.pairingBundle(at: epoch).bundle
      let own = try Self.bundle(of: a, as: record.id, to: b.id)
      var forgery = try Forgery(of: record.id, to: b.record, bundle: bundle, own: own, dh1: Self.zero, crypto: a.crypto)
      #expect(try machine.receive(try forgery.initiation(machine.hello), at: epoch).refusedInitiation == .refused, "DH1")
      // EK_A: everything but DH1 is zero.
      guard index < 7 else { continue }
      var other = b.machine(for: a.record)
      let offer = try other.pairingBundle(at: epoch).bundle
      let mine = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
      let encapsulation = a.crypto.encapsulate1024(offer.pairs[0].kem)
      let head = Initiation.Head(
        initiator: a.id, responder: b.id, ephemeral: key, spkID: offer.spkID, pqspkID: offer.pqspkID,
        pairID: offer.pairs[0].id, ciphertext: encapsulation.ciphertext, bundle: mine.bytes)
      let secrets = try Formula.secrets(
        Formula.Agreements(
          dh: [try a.identity.agreement.agree.agreed(with: offer.spk), Self.zero, Self.zero, Self.zero],
          shared: encapsulation.sharedSecret.copyBytes()),
        head, transcript: Formula.transcript(head, spk: offer.spk, opk: offer.pairs[0].ec, kem: offer.pairs[0].kem))
      let first = try Crafted(first: secrets, spk: offer.spk, crypto: a.crypto)
      let envelope = try first.envelope(associatedData: secrets.associatedData, crypto: a.crypto)
      let outcome = try other.receive(.initiation(Initiation(head: head, envelope: envelope)), at: epoch)
      #expect(outcome.refusedInitiation == .refused && other.sessions.isEmpty && other.pairs.count == 1, "DH2")
    }
  }

  /// DH1 to DH4 at the initiator: SPK_B and OPK_B in a bundle that a hostile responder has signed, IK_B in its record.
  @Test func lowOrderPointsInABundleStartNothing() throws {
    let (a, b) = try Party.pair(seed: 662)
    for point in Self.lowOrder.prefix(7) {
      for offset in [101, 1_713] {
        let honest = try b.bundle(for: a.id).bundle
        var body = Array(honest.bytes.dropLast(SignatureKind.signatureBytes))
        body.replaceSubrange(offset..<offset + 32, with: point)
        let bad = try Bundle(reading: body + (try b.identity.sign(kind: .bundle, body: body, crypto: b.crypto)))
        try bad.verify(owner: b.record, addressee: a.id, at: epoch)
        #expect(try Self.start(a, b.record, with: bad) == .refused, "offset \(offset)")
      }
      let body = IdentityRecord.body(
        ed25519: b.record.ed25519Key, mldsa: b.record.mldsaKey, link: b.record.linkKey, agree: try X25519.PublicKey(point))
      let bytes = body + (try b.identity.sign(kind: .identity, body: body, crypto: b.crypto))
      let record = try IdentityRecord(stored: bytes.span)
      #expect(try Self.start(a, record, with: try Self.bundle(of: b, as: record.id, to: a.id)) == .refused, "IK_B")
    }
    #expect(try Self.start(a, b.record, with: try b.bundle(for: a.id).bundle) == nil, "an honest bundle starts a session")
    // Asked for over the link it is refused, not an error of ours, and may be asked for again.
    var machine = a.machine(for: b.record)
    _ = try machine.linkUp(at: epoch)
    guard case .bundleRequest(let nonce)? = try machine.receive(.counters([]), at: epoch).frames.last else {
      throw SessionError(.internalFailure)
    }
    let honest = try b.bundle(for: a.id, nonce: nonce).bundle
    var body = Array(honest.bytes.dropLast(SignatureKind.signatureBytes))
    body.replaceSubrange(101..<133, with: Self.zero)
    let bad = body + (try b.identity.sign(kind: .bundle, body: body, crypto: b.crypto))
    #expect(try machine.receive(.bundle(bad), at: epoch).events == [.refusedBundle(.refused)])
    #expect(try machine.receive(.bundle(honest.bytes), at: epoch).frames.last?.type == 2)
  }

  /// What a start with the bundle is refused for. A refusal leaves nothing behind.
  private static func start(_ a: Party, _ peer: IdentityRecord, with bundle: Bundle) throws -> SessionError.Code? {
    var machine = a.machine(for: peer)
    do throws(SessionError) {
      _ = try machine.start(with: bundle, at: epoch)
      return nil
    } catch {
      #expect(machine.sessions.isEmpty && machine.unacknowledged == 0)
      return error.code
    }
  }

  /// A bundle of a party under the id of another record of its own.
  private static func bundle(of party: Party, as owner: NodeID, to addressee: NodeID) throws -> Bundle {
    let honest = try party.prekeys.bundle(from: party.identity, to: addressee, at: epoch, crypto: party.crypto)
    let body = owner.bytes + honest.bytes.dropFirst(32).dropLast(SignatureKind.signatureBytes)
    return try Bundle(reading: body + (try party.identity.sign(kind: .bundle, body: body, crypto: party.crypto)))
  }
}
