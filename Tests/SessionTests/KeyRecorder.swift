import MemoryScan
import Synchronization

@testable import Primitives
@testable import Session

/// Notes every key that two machines ever have, masked: those they draw, those they seal under, and those in their state.
///
/// Keys pass through wiped memory alone on their way here, so that whatever is found later was left by what is tested.
final class KeyRecorder: Sendable {
  let ledger = KeyLedger()
  /// What the next draws of 32 bytes are, where that is known.
  private let names = Mutex<[String]>([])

  /// Keys that only ever meet libsodium: they must be nowhere but in locked pages.
  static let ours = [
    "identity X25519 key", "Ed25519 seed", "X25519 key", "X25519 shared secret", "root key", "header key", "chain key",
    "half of a message key", "message key", "AEAD key", "state key",
  ]
  /// Keys that swift-crypto is given, or gives, for the time of a call, and does not wipe.
  static let lent = ["ML-DSA seed", "ML-KEM seed", "ML-KEM shared secret"]

  /// The system's randomness and the library's operations, watched.
  var crypto: SessionCrypto {
    SessionCrypto(
      randomness: Randomness { self.draw($0) },
      encapsulate768: { self.watch($0.encapsulate()) },
      encapsulate1024: { self.watch($0.encapsulate()) },
      sign: { (key, message) throws(CryptoError) in key.sign(message) },
      seal: { plaintext, key, nonce, ad in
        self.note("AEAD key", key)
        return ChaChaPoly.seal(plaintext, key: key, nonce: nonce, ad: ad)
      })
  }

  /// Two parties with a state key each, all of it noted. The first has the lower id.
  func parties() throws -> (lower: Party, higher: Party) {
    let (one, other) = (try party(), try party())
    return one.id < other.id ? (one, other) : (other, one)
  }

  private func party() throws -> Party {
    // The order in which an identity draws its seeds.
    names.withLock { $0 = ["Ed25519 seed", "ML-DSA seed", "identity X25519 key", "identity X25519 key"] }
    let party = try Party(crypto)
    precondition(names.withLock { $0.isEmpty }, "an identity draws four seeds")
    return party
  }

  func note(_ kind: String, _ key: borrowing SecretBytes) { ledger.note(kind, key.span) }

  private func draw(_ count: Int) -> [UInt8] {
    let bytes = Randomness.system.bytes(count)
    if count == MLKEM.seedBytes { ledger.note("ML-KEM seed", bytes.span) }
    if count == 32 {
      let name = names.withLock { $0.isEmpty ? "X25519 key" : $0.removeFirst() }
      ledger.note(name, bytes.span)
    }
    return bytes
  }

  private func watch(_ encapsulation: consuming MLKEMEncapsulation) -> MLKEMEncapsulation {
    note("ML-KEM shared secret", encapsulation.sharedSecret)
    return encapsulation
  }

  // MARK: State

  /// Notes what a machine's sessions hold now, and what follows from it for the next messages.
  func note(_ machine: PeerMachine) {
    for session in machine.sessions {
      let ratchet = session.ratchet
      note("root key", ratchet.roots.ec.bytes)
      note("root key", ratchet.roots.pq.bytes)
      note("header key", ratchet.nextReceivingHeaderKey.bytes)
      switch ratchet.sending {
      case .turn(let turn): note("header key", turn.headerKey.bytes)
      case .chain(let chain):
        note("header key", chain.headerKey.bytes)
        note("header key", chain.nextHeaderKey.bytes)
        note(chain.chain)
      }
      if case .chain(let chain) = ratchet.receiving {
        note("header key", chain.headerKey.bytes)
        note(chain.chain)
        for key in chain.skipped { note("message key", key.messageKey.bytes) }
      }
      for chain in ratchet.skipped.chains {
        note("header key", chain.headerKey.bytes)
        for key in chain.keys { note("message key", key.messageKey.bytes) }
      }
    }
  }

  /// A chain's keys for the next ten messages.
  private func note(_ chain: ChainKeys) {
    var chain = chain
    for _ in 0..<10 {
      note("chain key", chain.ec.bytes)
      note("chain key", chain.pq.bytes)
      let half: [UInt8] = [1]
      note("half of a message key", HMACSHA256.authenticate(key: chain.ec.bytes, message: half))
      note("half of a message key", HMACSHA256.authenticate(key: chain.pq.bytes, message: half))
      let (key, next) = chain.stepped()
      note("message key", key.bytes)
      chain = next
    }
  }

  /// Notes what every two of the X25519 keys agree on.
  func noteAgreements() throws {
    let keys = try ledger.entries.filter { $0.kind.hasSuffix("X25519 key") }.map { entry in
      var secret = SecretBytes(zeroes: 32)
      var span = secret.mutableSpan
      entry.restore(into: &span)
      return try KeyBox(secret)
    }
    for (index, key) in keys.enumerated() {
      for other in keys[..<index] { note("X25519 shared secret", try X25519.agree(key.key, other.key.publicKey)) }
    }
  }

  private final class KeyBox {
    let key: X25519.PrivateKey
    init(_ secret: consuming SecretBytes) throws { key = try X25519.PrivateKey(secret) }
  }
}
