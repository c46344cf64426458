internal import Primitives

/// RKe and RKp: the roots of the classical and the post-quantum ratchet, which turn at the same instant. Shared by the copies of a ratchet.
final class RootKeys: Sendable {
  let ec: SecretBox
  let pq: SecretBox

  init(ec: SecretBox, pq: SecretBox) { (self.ec, self.pq) = (ec, pq) }

  /// What one step of both ratchets gives: new roots, a chain, and the header key of the chain after it.
  struct Step {
    let roots: RootKeys
    let chain: ChainKeys
    let nextHeaderKey: SecretBox
  }

  /// KDF_RK_HE (Double Ratchet §4.3) beside the PQ step.
  ///
  /// `HKDF(RKe, DH, "pawl/1 ratchet ec", 96) = RKe‖CKe‖NHK` and `HKDF(RKp, ss, "pawl/1 ratchet pq", 64) = RKp‖CKp`.
  func advanced(dh: borrowing SecretBytes, shared: KEMSecret) -> Step {
    var classical = HKDF.derive(salt: ec.bytes, ikm: dh, info: Array("pawl/1 ratchet ec".utf8), count: 96)
    let newEC = SecretBox(classical.take(32))
    let chainEC = SecretBox(classical.take(32))
    let header = SecretBox(classical.take(32))
    var quantum = HKDF.expand(prk: shared.extract(salt: pq.bytes), info: Array("pawl/1 ratchet pq".utf8), count: 64)
    let newPQ = SecretBox(quantum.take(32))
    let chainPQ = SecretBox(quantum.take(32))
    return Step(
      roots: RootKeys(ec: newEC, pq: newPQ), chain: ChainKeys(ec: chainEC, pq: chainPQ), nextHeaderKey: header)
  }
}

/// ss of a PQ step, which depends on the chain: nothing yet, one KEM secret, or two.
enum KEMSecret: Sendable {
  /// A's first chain: 32 zero bytes, for there is no key to encapsulate to.
  case none
  /// ss768
  case one(SecretBox)
  /// B's first chain: ss768‖ss1024
  case two(SecretBox, SecretBox)

  func extract(salt: borrowing SecretBytes) -> SecretBytes {
    var extractor = HKDF.Extractor(salt: salt.span)
    switch self {
    case .none: extractor.update([UInt8](repeating: 0, count: 32))
    case .one(let secret): extractor.update(secret.bytes)
    case .two(let first, let second):
      extractor.update(first.bytes)
      extractor.update(second.bytes)
    }
    return extractor.finalize()
  }
}
