internal import Primitives

/// The two private keys every signature of a node is made with.
final class SigningKeys: Sendable {
  let ed25519: Ed25519.PrivateKey
  let mldsa: MLDSA65.PrivateKey

  /// New ones.
  init(_ randomness: Randomness) {
    ed25519 = Ed25519.PrivateKey.generate(randomness)
    mldsa = MLDSA65.PrivateKey.generate(randomness)
  }

  /// Stored ones, 32 bytes each.
  init(ed25519 first: consuming SecretBytes, mldsa second: consuming SecretBytes) throws(CryptoError) {
    ed25519 = try Ed25519.PrivateKey(seed: first)
    mldsa = try MLDSA65.PrivateKey(seed: second)
  }

  /// `Sig(kind, body)`: Ed25519 64‖ML-DSA-65 3309.
  func sign(kind: SignatureKind, body: [UInt8], crypto: SessionCrypto) throws(CryptoError) -> [UInt8] {
    let message = kind.message(body)
    return ed25519.sign(message) + (try crypto.sign(mldsa, message))
  }

  /// Both seeds, for the identity file.
  func write(to writer: inout SecretBuffer) {
    writer.append(ed25519.cloneSeed())
    writer.append(mldsa.seed)
  }
}

/// The two private X25519 keys of a node, which never stand in for each other.
final class AgreementKeys: Sendable {
  /// The Noise static key.
  let link: X25519.PrivateKey
  /// IK of PQXDH.
  let agree: X25519.PrivateKey

  /// New ones.
  init(_ randomness: Randomness) {
    link = X25519.PrivateKey.generate(randomness)
    agree = X25519.PrivateKey.generate(randomness)
  }

  /// Stored ones, 32 bytes each.
  init(link first: consuming SecretBytes, agree second: consuming SecretBytes) throws(CryptoError) {
    link = try X25519.PrivateKey(first)
    agree = try X25519.PrivateKey(second)
  }

  /// Both, for the identity file.
  func write(to writer: inout SecretBuffer) {
    writer.append(link.secret)
    writer.append(agree.secret)
  }
}
