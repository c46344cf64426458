import Primitives
import Synchronization

@testable import Session

/// Remembers all that a party ever drew at random and every secret it encapsulated: what somebody has who breaks one half of the cryptography.
final class Oracle: Sendable {
  private struct Memory {
    var draws: [[UInt8]] = []
    var encapsulated: [[UInt8]: SecretBox] = [:]
  }

  private let memory = Mutex(Memory())

  /// Crypto that draws from a seeded stream and tells this oracle.
  func crypto(seed: UInt64) -> SessionCrypto {
    let stream = Randomness.seeded(seed)
    return SessionCrypto(
      randomness: Randomness { [self] count in
        let bytes = stream.bytes(count)
        memory.withLock { $0.draws.append(bytes) }
        return bytes
      },
      encapsulate768: { [self] in note($0.encapsulate()) },
      encapsulate1024: { [self] in note($0.encapsulate()) },
      sign: { (key, message) throws(CryptoError) in key.sign(message) })
  }

  private func note(_ encapsulation: consuming MLKEMEncapsulation) -> MLKEMEncapsulation {
    let secret = SecretBox(encapsulation.sharedSecret.clone())
    let ciphertext = encapsulation.ciphertext
    memory.withLock { $0.encapsulated[ciphertext] = secret }
    return encapsulation
  }

  /// Every X25519 private key ever drawn, by its public key. (Other seeds of 32 bytes are among them, and open nothing.)
  func curveKeys() throws -> [[UInt8]: SecretBox] {
    var keys: [[UInt8]: SecretBox] = [:]
    for draw in memory.withLock({ $0.draws }) where draw.count == 32 {
      let key = try X25519.PrivateKey(SecretBytes(copying: draw))
      keys[key.publicKey.bytes] = SecretBox(draw)
    }
    return keys
  }

  /// Every KEM secret ever encapsulated, by its ciphertext.
  func sharedSecrets() -> [[UInt8]: SecretBox] { memory.withLock { $0.encapsulated } }
}
