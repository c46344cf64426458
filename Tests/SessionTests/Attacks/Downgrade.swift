import Primitives
import Testing

@testable import Session

/// Taking the post-quantum half away, or making it say less.
extension KnownAttacks {
  /// A hostile peer, or a thief of the classical half, begins a chain whose flag promises less (or more) than its place asks for, and
  /// reckons with just that.
  @Test func strippingTheKEMFromAChainIsRefused() throws {
    let places = try RatchetPair.beginnings(seed: 680)
    for (index, (pair, honest, isAlices)) in places.enumerated() {
      #expect(try pair.outcome(of: honest, isAlices: isAlices) == "crafted")
      // The ciphertexts for its place, so that a wrong flag is the only thing wrong.
      let (first, second) = (places[3].next, places[1].next)
      guard case .answer(let some) = first.encapsulation, case .confirm(let one, let two) = second.encapsulation else {
        throw SessionError(.internalFailure)
      }
      let flags: [(RatchetHeader.Encapsulation, KEMSecret)] =
        switch honest.encapsulation {
        case .none: [(.answer(some), .none), (.confirm(one, two), .none)]
        case .answer(let mine): [(.none, .none), (.confirm(mine, two), honest.shared)]
        case .confirm(let mine, _):
          if case .two(let secret, _) = honest.shared { [(.none, .none), (.answer(mine), .one(secret))] } else { [] }
        }
      #expect(flags.count == 2)
      for (encapsulation, shared) in flags {
        var bad = honest
        bad.encapsulation = encapsulation
        bad.shared = shared
        #expect(try pair.outcome(of: bad, isAlices: isAlices) == nil, "place \(index): \(encapsulation)")
      }
    }
  }

  /// A header whose KEM part is cut short, or whose flag says that it is.
  @Test func aHeaderWithoutItsCiphertextIsNoHeader() throws {
    for (_, honest, _) in try RatchetPair.beginnings(seed: 681) {
      let block = RatchetHeader.kemBlock(honest.kem, honest.encapsulation)
      let header = RatchetHeader.encode(dh: honest.point, previousCount: 0, number: 0, kemBlock: block)
      #expect((try? RatchetHeader(reading: header)) != nil)
      for flag in UInt8.min...UInt8.max where flag != block[0] {
        #expect((try? RatchetHeader(reading: Array(header[..<40]) + [flag] + block.dropFirst())) == nil, "flag \(flag)")
      }
      for cut in [40, 41, 41 + MLKEM768.publicKeyBytes - 1, header.count - 1] {
        #expect((try? RatchetHeader(reading: Array(header[..<cut]))) == nil)
      }
      #expect((try? RatchetHeader(reading: header + [0])) == nil)
    }
  }

  /// Somebody between the two changes INIT0, or the bundle it is made with, to have a weaker agreement.
  @Test func downgradingAStartMakesNoSession() throws {
    let (a, b) = try Party.pair(seed: 682)
    var responder = b
    var machine = b.machine(for: a.record)
    let bundle = try machine.pairingBundle(at: epoch).bundle
    // A pair, or its KEM key, is taken out of B's bundle: it is signed as a whole.
    let bare = Array(bundle.bytes[..<1_706]) + [0, 0] + bundle.bytes.suffix(SignatureKind.signatureBytes)
    #expect(throws: SessionError(.badSignature)) {
      try Bundle(reading: bare).verify(owner: b.record, addressee: a.id, at: epoch)
    }
    var swapped = bundle.bytes
    swapped.replaceSubrange(138..<1_706, with: MLKEM1024.PrivateKey.generate(a.crypto.randomness).publicKey.bytes)
    #expect(throws: SessionError(.badSignature)) {
      try Bundle(reading: swapped).verify(owner: b.record, addressee: a.id, at: epoch)
    }
    // INIT0 is changed on its way.
    _ = responder.prekeys.refresh(at: epoch + 8 * day, crypto: b.crypto)
    machine.prekeys = responder.prekeys
    let other = try responder.prekeys.current()
    #expect(other.id != bundle.spkID)
    var starter = a.machine(for: b.record)
    guard case .initiation(let initiation)? = try Self.firstFrame(&starter, bundle) else {
      throw SessionError(.internalFailure)
    }
    let head = initiation.head
    let signed = try b.prekeys.current().kem.publicKey
    let older = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch - day, crypto: a.crypto)
    typealias Change = (name: String, spk: UInt32, pqspk: UInt32, pair: UInt32, ciphertext: [UInt8], bundle: [UInt8])
    let changes: [(Change, SessionError.Code)] = [
      (("no pair", head.spkID, head.pqspkID, 0, head.ciphertext, head.bundle), .refused),
      (
        ("no pair, re-encapsulated", head.spkID, head.pqspkID, 0, a.crypto.encapsulate1024(signed).ciphertext, head.bundle),
        .refused
      ),
      (
        (
          "a ciphertext of the attacker's", head.spkID, head.pqspkID, head.pairID,
          a.crypto.encapsulate1024(bundle.pairs[0].kem).ciphertext, head.bundle
        ), .refused
      ),
      (("two generations", head.spkID, other.id, head.pairID, head.ciphertext, head.bundle), .unknownPrekey),
      (("another generation", other.id, other.id, head.pairID, head.ciphertext, head.bundle), .refused),
      (("another bundle of A's", head.spkID, head.pqspkID, head.pairID, head.ciphertext, older.bytes), .refused),
    ]
    for (change, code) in changes {
      var trial = machine
      let changed = Initiation.Head(
        initiator: a.id, responder: b.id, ephemeral: head.ephemeral, spkID: change.spk, pqspkID: change.pqspk,
        pairID: change.pair, ciphertext: change.ciphertext, bundle: change.bundle)
      let outcome = try trial.receive(.initiation(Initiation(head: changed, envelope: initiation.envelope)), at: epoch)
      #expect(outcome.refusedInitiation == code, "\(change.name)")
      #expect(trial.sessions.isEmpty && trial.pairs.count == 1, "\(change.name)")
    }
    // Another version or suite is not spoken.
    let frame = LinkFrame.initiation(initiation).encoded
    for (offset, value): (Int, UInt8) in [(1, 0), (1, 2), (2, 1), (3, 0), (3, 2)] {
      var bytes = frame
      bytes[offset] = value
      #expect((try? LinkFrame(reading: bytes)) == nil)
    }
    // As it was sent it is taken.
    #expect(try machine.receive(.initiation(initiation), at: epoch).isStartOfPeer)
  }

  private static func firstFrame(_ machine: inout PeerMachine, _ bundle: Bundle) throws -> LinkFrame? {
    _ = try machine.start(with: bundle, at: epoch)
    return try machine.linkUp(at: epoch).frames.last
  }
}

extension RatchetHeader {
  init(reading bytes: [UInt8]) throws { try self.init(parsing: bytes.span) }
}
