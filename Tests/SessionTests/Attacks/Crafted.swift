import Primitives

@testable import Session

/// The first envelopes of chains that no honest ratchet begins, sealed by a hostile peer, who has all the keys that it takes: whatever is
/// odd about such a chain, everything else about it is right.
struct Crafted {
  /// dh in the header.
  var point: X25519.PublicKey
  /// DH as the receiver would compute it if it took the point.
  var agreed: [UInt8]
  /// ek768 in the header.
  var kem: MLKEM768.PublicKey
  /// Flag and ciphertexts in the header.
  var encapsulation: RatchetHeader.Encapsulation
  /// ss as the receiver would compute it if it took them.
  var shared: KEMSecret
  /// PN
  var previousCount: UInt32 = 0
  /// N
  var number: UInt32 = 0
  /// HKs
  let headerKey: SecretBox
  /// What the step goes out from.
  let roots: RootKeys

  /// What an honest initiator's first chain would be.
  init(first secrets: SessionSecrets, spk: X25519.PublicKey, crypto: SessionCrypto) throws {
    let keys = LocalRatchetKeys(crypto.randomness)
    point = keys.dh.publicKey
    agreed = try keys.dh.agreed(with: spk)
    kem = keys.kem.publicKey
    encapsulation = .none
    shared = .none
    headerKey = secrets.initiatorHeaderKey
    roots = secrets.roots
  }

  /// What the next chain of a ratchet would be whose turn it is.
  init(after ratchet: Ratchet, crypto: SessionCrypto) throws {
    guard case .turn(let turn) = ratchet.sending else { throw SessionError(.internalFailure) }
    let keys = LocalRatchetKeys(crypto.randomness)
    point = keys.dh.publicKey
    agreed = try keys.dh.agreed(with: turn.remote.dh)
    kem = keys.kem.publicKey
    let first = crypto.encapsulate768(turn.remote.kem)
    if let key = turn.confirmationKey {
      let second = crypto.encapsulate1024(key)
      encapsulation = .confirm(first.ciphertext, second.ciphertext)
      shared = .two(SecretBox(first.sharedSecret.clone()), SecretBox(second.sharedSecret.clone()))
    } else {
      encapsulation = .answer(first.ciphertext)
      shared = .one(SecretBox(first.sharedSecret.clone()))
    }
    previousCount = turn.previousCount
    headerKey = turn.headerKey
    roots = ratchet.roots
  }

  /// A chain after the one that a ratchet is in, though nobody has answered that one.
  init(beyond ratchet: Ratchet, crypto: SessionCrypto) throws {
    guard case .chain(let chain) = ratchet.sending else { throw SessionError(.internalFailure) }
    let keys = LocalRatchetKeys(crypto.randomness)
    point = keys.dh.publicKey
    agreed = try keys.dh.agreed(with: chain.keys.dh.publicKey)
    kem = keys.kem.publicKey
    let encapsulated = crypto.encapsulate768(chain.keys.kem.publicKey)
    encapsulation = .answer(encapsulated.ciphertext)
    shared = .one(SecretBox(encapsulated.sharedSecret.clone()))
    previousCount = chain.number
    headerKey = chain.nextHeaderKey
    roots = ratchet.roots
  }

  /// The envelope.
  func envelope(associatedData: [UInt8], crypto: SessionCrypto) throws -> [UInt8] {
    let step = roots.advanced(dh: SecretBytes(copying: agreed), shared: shared)
    var chain = step.chain
    for _ in 0..<number { chain = chain.stepped().next }
    let header = RatchetHeader.encode(
      dh: point, previousCount: previousCount, number: number, kemBlock: RatchetHeader.kemBlock(kem, encapsulation))
    return Envelope.seal(
      header: header, headerKey: headerKey, letter: try Letter(sequence: 1, seen: 0, payload: Array("crafted".utf8)),
      messageKey: chain.stepped().messageKey, associatedData: associatedData, crypto: crypto)
  }
}

extension RatchetPair {
  /// The pair at each moment that a chain begins, and the honest beginning: Alice's first, Bob's first, Alice's second, Bob's second.
  static func beginnings(seed: UInt64) throws -> [(pair: RatchetPair, next: Crafted, isAlices: Bool)] {
    var pair = try RatchetPair(seed: seed)
    let prekeys = try pair.b.prekeys.current()
    var all = [(pair, try Crafted(first: pair.secrets, spk: prekeys.ec.publicKey, crypto: pair.a.crypto), true)]
    try pair.toBob(try pair.fromAlice("one"))
    guard let first = pair.bob else { throw SessionError(.internalFailure) }
    all.append((pair, try Crafted(after: first, crypto: pair.b.crypto), false))
    try pair.toAlice(try pair.fromBob("two"))
    all.append((pair, try Crafted(after: pair.alice, crypto: pair.a.crypto), true))
    try pair.toBob(try pair.fromAlice("three"))
    guard let second = pair.bob else { throw SessionError(.internalFailure) }
    all.append((pair, try Crafted(after: second, crypto: pair.b.crypto), false))
    return all
  }

  /// Gives a crafted beginning to the side it is meant for; nil if it was refused, and then nothing may have changed.
  func outcome(of crafted: Crafted, isAlices: Bool) throws -> String? {
    let envelope = try crafted.envelope(associatedData: ad, crypto: isAlices ? a.crypto : b.crypto)
    var trial = self
    do {
      return try isAlices ? trial.toBob(envelope) : trial.toAlice(envelope)
    } catch let error as SessionError where error.code == .refused {
      guard trial.alice.storedBytes == alice.storedBytes, trial.bob?.storedBytes == bob?.storedBytes else {
        return "changed"
      }
      return nil
    }
  }
}
