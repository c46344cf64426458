internal import Primitives

/// Our own ratchet keys of one sending chain: DHs and the ML-KEM-768 key the other side encapsulates to.
final class LocalRatchetKeys: Sendable {
  let dh: X25519.PrivateKey
  let kem: MLKEM768.PrivateKey

  /// Fresh ones.
  init(_ randomness: Randomness) {
    dh = X25519.PrivateKey.generate(randomness)
    kem = MLKEM768.PrivateKey.generate(randomness)
  }

  /// Stored ones: 32 and 64 bytes.
  init(dh: consuming SecretBytes, kemSeed: consuming SecretBytes) throws(CryptoError) {
    self.dh = try X25519.PrivateKey(dh)
    kem = try MLKEM768.PrivateKey(seed: kemSeed)
  }
}

/// The other side's ratchet keys of the newest receiving chain: DHr and the ML-KEM-768 key we encapsulate to.
struct RemoteRatchetKeys: Sendable {
  let dh: X25519.PublicKey
  let kem: MLKEM768.PublicKey
}
