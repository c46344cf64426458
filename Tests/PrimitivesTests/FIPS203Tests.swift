import Primitives
import Testing

/// NIST's ACVP vectors for ML-KEM, as far as seeds and encapsulation keys reach, and the modulus check of FIPS 203, section 7.2,
/// coefficient by coefficient.
@Suite struct FIPS203Tests {
  private struct KeyGenGroup: Decodable {
    let parameterSet: String
    let tests: [KeyGen]
  }

  private struct KeyGen: Decodable {
    let tcId: Int
    let d: HexBytes
    let z: HexBytes
    let ek: HexBytes
  }

  private struct KeyCheckGroup: Decodable {
    let parameterSet: String
    let tests: [KeyCheck]
  }

  private struct KeyCheck: Decodable {
    let tcId: Int
    let testPassed: Bool
    let reason: String
    let ek: HexBytes
  }

  private static func derive(_ parameterSet: String, seed: [UInt8]) -> Outcome<[UInt8]> {
    Outcome { () throws(CryptoError) in
      switch parameterSet {
      case "ML-KEM-768": try MLKEM768.PrivateKey(seed: SecretBytes(copying: seed)).publicKey.bytes
      case "ML-KEM-1024": try MLKEM1024.PrivateKey(seed: SecretBytes(copying: seed)).publicKey.bytes
      default: throw CryptoError(.invalidKey)
      }
    }
  }

  private static func read(_ parameterSet: String, key: [UInt8]) -> Outcome<[UInt8]> {
    Outcome { () throws(CryptoError) in
      switch parameterSet {
      case "ML-KEM-768": try MLKEM768.PublicKey(key).bytes
      case "ML-KEM-1024": try MLKEM1024.PublicKey(key).bytes
      default: throw CryptoError(.invalidKey)
      }
    }
  }

  @Test func everySeedGivesItsEncapsulationKey() throws {
    var ran: [String: Int] = [:]
    for group in try VectorFile<KeyGenGroup>("acvp-ml-kem-keygen").testGroups {
      for vector in group.tests {
        let key = Self.derive(group.parameterSet, seed: vector.d.bytes + vector.z.bytes)
        #expect(key == .value(vector.ek.bytes), "case \(vector.tcId)")
        ran[group.parameterSet, default: 0] += 1
      }
    }
    #expect(ran == ["ML-KEM-768": 25, "ML-KEM-1024": 25])
  }

  @Test func everyEncapsulationKeyIsCheckedAsNISTChecksIt() throws {
    var ran: [String: Int] = [:]
    for group in try VectorFile<KeyCheckGroup>("acvp-ml-kem-encapsulation-key-check").testGroups {
      for vector in group.tests {
        let outcome = Self.read(group.parameterSet, key: vector.ek.bytes)
        #expect(outcome.isRefusal != vector.testPassed, "case \(vector.tcId): \(vector.reason)")
        ran["\(group.parameterSet) \(vector.testPassed)", default: 0] += 1
      }
    }
    #expect(
      ran == ["ML-KEM-768 true": 5, "ML-KEM-768 false": 5, "ML-KEM-1024 true": 5, "ML-KEM-1024 false": 5])
  }

  /// The modulus q of FIPS 203, section 2.3. Twelve bits can hold 767 numbers that are not below it.
  private static let modulus = 3329

  /// `key` with its coefficient at `index` (12 bits, two in three bytes, FIPS 203 algorithm 5) set to `value`.
  private static func set(_ key: [UInt8], coefficient index: Int, to value: Int) -> [UInt8] {
    var key = key
    let at = index / 2 * 3
    if index.isMultiple(of: 2) {
      key[at] = UInt8(value & 0xff)
      key[at + 1] = key[at + 1] & 0xf0 | UInt8(value >> 8)
    } else {
      key[at + 1] = key[at + 1] & 0x0f | UInt8(value & 0xf) << 4
      key[at + 2] = UInt8(value >> 4)
    }
    return key
  }

  @Test(arguments: [("ML-KEM-768", 768), ("ML-KEM-1024", 1024)])
  func anyCoefficientAtOrAboveTheModulusIsRefused(parameterSet: String, coefficients: Int) throws {
    let groups = try VectorFile<KeyGenGroup>("acvp-ml-kem-keygen").testGroups
    let key = try #require(groups.first { $0.parameterSet == parameterSet }?.tests.first).ek.bytes
    #expect(key.count == coefficients * 12 / 8 + 32)
    for index in 0..<coefficients {
      let tooLarge = Self.modulus + index % (1 << 12 - Self.modulus)
      let outcome = Self.read(parameterSet, key: Self.set(key, coefficient: index, to: tooLarge))
      #expect(outcome.isRefusal, "coefficient \(index) = \(tooLarge)")
    }
    for index in [0, 1, coefficients - 1] {
      let largest = Self.set(key, coefficient: index, to: Self.modulus - 1)
      #expect(Self.read(parameterSet, key: largest) == .value(largest))
      #expect(Self.read(parameterSet, key: Self.set(key, coefficient: index, to: Self.modulus)).isRefusal)
      #expect(Self.read(parameterSet, key: Self.set(key, coefficient: index, to: 0xfff)).isRefusal)
    }
  }

  @Test func whatIsEncapsulatedDecapsulatesToTheSameSecretAndAChangedCiphertextToAnother() throws {
    let seed = [UInt8]((0..<64).map { UInt8($0) })
    let small = try MLKEM768.PrivateKey(seed: SecretBytes(copying: seed))
    let toSmall = small.publicKey.encapsulate()
    #expect(toSmall.ciphertext.count == MLKEM768.ciphertextBytes && MLKEM768.ciphertextBytes == 1088)
    #expect(try small.decapsulate(toSmall.ciphertext).isEqual(to: toSmall.sharedSecret))
    var changed = toSmall.ciphertext
    changed[500] ^= 1
    #expect(try !small.decapsulate(changed).isEqual(to: toSmall.sharedSecret))

    let large = try MLKEM1024.PrivateKey(seed: SecretBytes(copying: seed))
    let toLarge = large.publicKey.encapsulate()
    #expect(toLarge.ciphertext.count == MLKEM1024.ciphertextBytes && MLKEM1024.ciphertextBytes == 1568)
    #expect(try large.decapsulate(toLarge.ciphertext).isEqual(to: toLarge.sharedSecret))
    changed = toLarge.ciphertext
    changed[1567] ^= 0x80
    #expect(try !large.decapsulate(changed).isEqual(to: toLarge.sharedSecret))
  }
}
