import Primitives

@testable import Session

/// All keys that a thief or a breaker of one half has.
struct Loot {
  /// X25519 private keys by public key.
  var curve: [[UInt8]: SecretBox] = [:]
  /// KEM secrets by ciphertext.
  var encapsulated: [[UInt8]: SecretBox] = [:]
  /// Seeds of ML-KEM-768 keys by public key.
  var kem768: [[UInt8]: SecretBox] = [:]
  /// Seeds of ML-KEM-1024 keys by public key.
  var kem1024: [[UInt8]: SecretBox] = [:]
  /// RKe and RKp.
  var roots: [RootKeys] = []
  /// Chains, and the number of the next message of each.
  var chains: [(keys: ChainKeys, number: UInt32)] = []
  /// Keys of single messages.
  var messageKeys: [SecretBox] = []
}

extension Loot {
  /// Everything that a node holds: its identity, its prekeys, the pairs and the sessions of one peer.
  ///
  /// - Parameter generations: the ids of signed prekeys that bundles have named.
  mutating func steal(_ machine: PeerMachine, generations: [UInt32]) {
    add(machine.identity.agreement.agree)
    add(machine.identity.agreement.link)
    for generation in Set(generations).compactMap({ machine.prekeys.find($0) }) {
      add(generation.ec)
      add(generation.kem)
    }
    for pair in machine.pairs {
      add(pair.ec)
      add(pair.kem)
    }
    for session in machine.sessions { steal(session.ratchet) }
  }

  private mutating func steal(_ ratchet: Ratchet) {
    roots.append(ratchet.roots)
    if case .chain(let chain) = ratchet.sending {
      add(chain.keys.dh)
      kem768[chain.keys.kem.publicKey.bytes] = SecretBox(chain.keys.kem.seed.clone())
      chains.append((chain.chain, chain.number))
    }
    if case .chain(let chain) = ratchet.receiving {
      chains.append((chain.chain, chain.number))
      messageKeys += chain.skipped.map(\.messageKey)
    }
    for chain in ratchet.skipped.chains { messageKeys += chain.keys.map(\.messageKey) }
  }

  /// X25519 falls: every private key there ever was.
  mutating func breakCurve(_ oracle: Oracle) throws { curve.merge(try oracle.curveKeys()) { $1 } }

  /// ML-KEM falls: every secret that was ever encapsulated.
  mutating func breakKEM(_ oracle: Oracle) { encapsulated.merge(oracle.sharedSecrets()) { $1 } }

  mutating func add(_ key: borrowing X25519.PrivateKey) { curve[key.publicKey.bytes] = SecretBox(key.secret.clone()) }

  mutating func add(_ key: borrowing MLKEM1024.PrivateKey) { kem1024[key.publicKey.bytes] = SecretBox(key.seed.clone()) }
}

extension Loot {
  /// The agreement of two public keys, if one of the private ones is here.
  func agreed(_ one: X25519.PublicKey, _ other: X25519.PublicKey) throws -> [UInt8]? {
    for (ours, theirs) in [(one, other), (other, one)] {
      guard let secret = curve[ours.bytes] else { continue }
      return try X25519.PrivateKey(secret.bytes.clone()).agreed(with: theirs)
    }
    return nil
  }

  /// The secret in a ciphertext for an ML-KEM-768 key.
  func opened768(_ ciphertext: [UInt8], for key: MLKEM768.PublicKey) throws -> SecretBox? {
    if let secret = encapsulated[ciphertext] { return secret }
    guard let seed = kem768[key.bytes] else { return nil }
    return SecretBox(try MLKEM768.PrivateKey(seed: seed.bytes.clone()).decapsulate(ciphertext))
  }

  /// The secret in a ciphertext for an ML-KEM-1024 key.
  func opened1024(_ ciphertext: [UInt8], for key: MLKEM1024.PublicKey) throws -> SecretBox? {
    if let secret = encapsulated[ciphertext] { return secret }
    guard let seed = kem1024[key.bytes] else { return nil }
    return SecretBox(try MLKEM1024.PrivateKey(seed: seed.bytes.clone()).decapsulate(ciphertext))
  }
}
