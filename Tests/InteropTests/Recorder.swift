import Synchronization
import Wire

@testable import Primitives
@testable import Session

/// What came out of the two operations whose libraries take no seed, so that writing the vectors again gives the same bytes:
/// ML-KEM encapsulation and ML-DSA signing. `primitives.json` is its memory.
final class Recorder: Sendable {
  private struct State {
    /// Cases of `primitives.json`, by what was put in.
    var known: [[UInt8]: [VectorCase]] = [:]
    /// How often an input has been used in this run.
    var uses: [[UInt8]: Int] = [:]
    /// In the order of their first use.
    var used: [VectorCase] = []
    /// Key seeds that were drawn, by the encapsulation key of both sizes.
    var seeds: [[UInt8]: [UInt8]] = [:]
  }

  private let state = Mutex(State())

  init(known: [VectorCase]) throws {
    try state.withLock { state in
      for entry in known {
        let input = try entry.hex("public key") + (entry.has("message") ? try entry.hex("message") : [])
        state.known[input, default: []].append(entry)
      }
    }
  }

  /// The cases of `primitives.json`: all that was used.
  var cases: [VectorCase] { state.withLock { $0.used } }

  /// Operations that are remembered, around a repeatable stream.
  func crypto(seed: UInt64) -> SessionCrypto {
    let stream = Randomness.seeded(seed)
    return SessionCrypto(
      randomness: Randomness { [self] count in
        let bytes = stream.bytes(count)
        if count == MLKEM.seedBytes { note(bytes) }
        return bytes
      },
      encapsulate768: { [self] in encapsulate($0) },
      encapsulate1024: { [self] in encapsulate($0) },
      sign: { [self] (key, message) throws(CryptoError) in sign(key, message) })
  }

  /// Remembers that these bytes may be the seed of a key.
  private func note(_ seed: [UInt8]) {
    guard let small = try? MLKEM768.PrivateKey(seed: SecretBytes(copying: seed)),
      let large = try? MLKEM1024.PrivateKey(seed: SecretBytes(copying: seed))
    else { return }
    let (first, second) = (small.publicKey.bytes, large.publicKey.bytes)
    state.withLock {
      $0.seeds[first] = seed
      $0.seeds[second] = seed
    }
  }

  func encapsulate<P>(_ key: MLKEMPublicKey<P>) -> MLKEMEncapsulation {
    let entry = remembered(key.bytes, once: false) {
      let fresh = key.encapsulate()
      return VectorCase().hex("ciphertext", fresh.ciphertext).hex("shared secret", fresh.sharedSecret.copyBytes())
    } make: { number, seed, fresh in
      VectorCase(
        "ML-KEM-\(256 * P.rank) encapsulation \(number)", "The seed is d and z, the key its encapsulation key.",
        op: "ml-kem-\(256 * P.rank)"
      )
      .hex("seed", seed).hex("public key", key.bytes).joining(fresh).expect(.ok)
    }
    let ciphertext = (try? entry.hex("ciphertext")) ?? []
    let secret = (try? entry.hex("shared secret")) ?? [0]
    return MLKEMEncapsulation(sharedSecret: SecretBytes(copying: secret), ciphertext: ciphertext)
  }

  func sign(_ key: borrowing MLDSA65.PrivateKey, _ message: [UInt8]) -> [UInt8] {
    let (seed, publicKey) = (key.seed.copyBytes(), key.publicKey.bytes)
    let fresh = known(publicKey + message) ? [] : key.sign(message)
    let entry = remembered(publicKey + message, once: true) {
      VectorCase().hex("signature", fresh)
    } make: { number, _, fresh in
      VectorCase("ML-DSA-65 signature \(number)", "With the empty context.", op: "ml-dsa-65")
        .hex("seed", seed).hex("public key", publicKey).hex("message", message).joining(fresh).expect(.ok)
    }
    return (try? entry.hex("signature")) ?? []
  }

  private func known(_ input: [UInt8]) -> Bool { state.withLock { !($0.known[input] ?? []).isEmpty } }

  /// The recorded result for an input, or a new one. `once`: the same input always gives the same result.
  private func remembered(
    _ input: [UInt8], once: Bool, fresh: () -> VectorCase,
    make: (_ number: Int, _ seed: [UInt8], _ fresh: VectorCase) -> VectorCase
  ) -> VectorCase {
    state.withLock { state in
      let use = once ? 0 : state.uses[input, default: 0]
      let isNew = state.uses[input, default: 0] == use
      state.uses[input] = use + 1
      let entries = state.known[input] ?? []
      let result: VectorCase
      if use < entries.count {
        result = entries[use]
      } else {
        result = fresh()
        state.known[input, default: []].append(result)
      }
      if isNew {
        let parts = ["ciphertext", "shared secret", "signature"]
        let outputs = parts.reduce(VectorCase()) { part, key in
          (try? result.hex(key)).map { part.hex(key, $0) } ?? part
        }
        state.used.append(make(state.used.count + 1, state.seeds[input] ?? [], outputs))
      }
      return result
    }
  }
}

extension VectorCase {
  /// Both cases' members.
  func joining(_ other: VectorCase) -> VectorCase {
    other.members.reduce(self) { joined, member in
      guard case .string(let text) = member.value else { return joined }
      return joined.text(member.key, text)
    }
  }
}

/// Randomness that was written down: the bytes of each length in the order in which they were used.
final class Tape: Sendable {
  private let parts: Mutex<[Int: [[UInt8]]]>
  private let ranOut = Mutex(false)

  init(_ parts: [[UInt8]]) { self.parts = Mutex(Dictionary(grouping: parts, by: \.count)) }

  /// Zeros follow its end, so that what was made with them fits nothing.
  var randomness: Randomness {
    Randomness { [self] count in
      parts.withLock { parts in
        guard parts[count]?.isEmpty == false, let next = parts[count]?.removeFirst() else {
          ranOut.withLock { $0 = true }
          return [UInt8](repeating: 0, count: count)
        }
        return next
      }
    }
  }

  /// Throws unless exactly what was written down was used.
  func finish() throws {
    let left = parts.withLock { $0.values.contains { !$0.isEmpty } }
    guard !left, !ranOut.withLock({ $0 }) else {
      throw Mismatch(description: "more or less randomness is used than was recorded")
    }
  }
}
