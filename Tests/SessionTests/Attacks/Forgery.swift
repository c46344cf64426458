import Primitives
import Wire

@testable import Session

/// An INIT made by somebody who is not its initiator, and the first chain that goes with it.
struct Forgery {
  let head: Initiation.Head
  let secrets: SessionSecrets
  var ratchet: Ratchet
  let crypto: SessionCrypto
  private var sequence: UInt64 = 0
  private var seen: UInt64 = 0

  /// The public half of an initiator is known to everybody, and so is a bundle of the responder's. What is not known is DH1; the forger
  /// brings what it believes it to be.
  ///
  /// - Parameter own: a bundle that the alleged initiator once signed for the responder.
  init(
    of initiator: NodeID, to responder: IdentityRecord, bundle: Bundle, own: Bundle, dh1: [UInt8], crypto: SessionCrypto
  ) throws {
    let ephemeral = X25519.PrivateKey.generate(crypto.randomness)
    let pair = bundle.pairs.first
    let kem = pair?.kem ?? bundle.pqspk
    let encapsulation = crypto.encapsulate1024(kem)
    var agreements = Formula.Agreements(
      dh: [dh1, try ephemeral.agreed(with: responder.agreeKey), try ephemeral.agreed(with: bundle.spk)],
      shared: encapsulation.sharedSecret.copyBytes())
    if let pair { agreements.dh.append(try ephemeral.agreed(with: pair.ec)) }
    head = Initiation.Head(
      initiator: initiator, responder: responder.id, ephemeral: ephemeral.publicKey, spkID: bundle.spkID,
      pqspkID: bundle.pqspkID, pairID: pair?.id ?? 0, ciphertext: encapsulation.ciphertext, bundle: own.bytes)
    secrets = try Formula.secrets(
      agreements, head, transcript: Formula.transcript(head, spk: bundle.spk, opk: pair?.ec, kem: kem))
    ratchet = try Ratchet(initiating: secrets, spk: bundle.spk, confirmationPrekey: own.pqspkID, crypto: crypto)
    self.crypto = crypto
  }

  /// The next envelope, in an INIT.
  mutating func initiation(_ payload: [UInt8]) throws -> LinkFrame {
    .initiation(Initiation(head: head, envelope: try envelope(payload)))
  }

  /// The next envelope.
  mutating func envelope(_ payload: [UInt8]) throws -> [UInt8] {
    sequence += 1
    return try ratchet.seal(
      Letter(sequence: sequence, seen: seen, payload: payload), associatedData: secrets.associatedData, crypto: crypto)
  }

  /// Opens what came back, with such signed prekeys as the forger has.
  mutating func open(_ envelope: [UInt8], prekeys: PrekeyRing) throws -> [UInt8] {
    let opened = try ratchet.open(
      Envelope(reading: envelope), associatedData: secrets.associatedData, prekeys: prekeys, at: epoch)
    seen = opened.letter.sequence
    return opened.letter.payload
  }
}

extension Outcome {
  /// The envelope among the frames.
  var envelope: [UInt8]? {
    frames.compactMap { if case .envelope(_, let bytes) = $0 { bytes } else { nil } }.first
  }

  /// Whether an INIT of the peer's was taken.
  var isStartOfPeer: Bool { events.contains { if case .started(_, byUs: false) = $0 { true } else { false } } }

  /// What an INIT was refused for.
  var refusedInitiation: SessionError.Code? {
    events.compactMap { if case .refusedInitiation(let code) = $0 { code } else { nil } }.first
  }
}
