internal import Primitives

/// CKe and CKp: one chain of each ratchet, which step together.
struct ChainKeys: Sendable {
  let ec: SecretBox
  let pq: SecretBox

  /// The next message's key and the chain after it: `mk = HMAC(CK, 01)`, `CK = HMAC(CK, 02)` in both chains, and
  /// `prk = Extract(salt = mk_pq, ikm = mk_ec)`, so that either half alone keeps the message closed.
  func stepped() -> (messageKey: SecretBox, next: ChainKeys) {
    let classical = HMACSHA256.authenticate(key: ec.bytes, messages: (1, 2))
    let quantum = HMACSHA256.authenticate(key: pq.bytes, messages: (1, 2))
    let messageKey = SecretBox(HKDF.extract(salt: quantum.first.bytes, ikm: classical.first.bytes))
    let next = ChainKeys(ec: classical.second, pq: quantum.second)
    return (messageKey, next)
  }
}
