import Primitives
import Testing

@Suite struct BulkCipherTests {
  static let nonce = [UInt8](1...12)
  static let ad = Array("head of the frame".utf8)

  private static func cipher(_ algorithm: BulkCipher.Algorithm, seed: UInt64 = 1) -> BulkCipher {
    BulkCipher(algorithm: algorithm, key: Randomness.seeded(seed).secret(32))
  }

  @Test func whatThisMachinePrefersHoldsBothCiphersOnce() {
    #expect(Set(BulkCipher.preferred) == Set(BulkCipher.Algorithm.allCases))
    #expect(BulkCipher.preferred.count == 2)
  }

  @Test(arguments: BulkCipher.Algorithm.allCases, [0, 1, 15, 16, 17, 65_536, 1 << 20])
  func aChunkOfAnyLengthComesBack(_ algorithm: BulkCipher.Algorithm, _ count: Int) throws {
    let cipher = Self.cipher(algorithm)
    #expect(cipher.algorithm == algorithm)
    let plaintext = Randomness.seeded(9).bytes(count)
    let sealed = try cipher.seal(plaintext, nonce: Self.nonce, ad: Self.ad)
    #expect(sealed.count == count + BulkCipher.tagBytes)
    #expect(try cipher.open(sealed, nonce: Self.nonce, ad: Self.ad) == plaintext)
  }

  @Test(arguments: BulkCipher.Algorithm.allCases)
  func sealingInPlaceGivesTheSameBytes(_ algorithm: BulkCipher.Algorithm) throws {
    let cipher = Self.cipher(algorithm)
    let plaintext = Randomness.seeded(9).bytes(5_000)
    let expected = try cipher.seal(plaintext, nonce: Self.nonce, ad: Self.ad)
    var buffer = plaintext + [UInt8](repeating: 0, count: BulkCipher.tagBytes)
    try buffer.withUnsafeMutableBytes { buffer in
      try Self.nonce.withUnsafeBytes { nonce in
        try Self.ad.withUnsafeBytes { ad in
          try cipher.seal(
            UnsafeRawBufferPointer(rebasing: buffer[..<5_000]), nonce: nonce, ad: ad, into: buffer)
        }
      }
    }
    #expect(buffer == expected)
  }

  @Test(arguments: BulkCipher.Algorithm.allCases)
  func theBodyNeverRunsOnAFlippedBit(_ algorithm: BulkCipher.Algorithm) throws {
    let cipher = Self.cipher(algorithm)
    let sealed = try cipher.seal([1, 2, 3, 4], nonce: Self.nonce, ad: Self.ad)
    for bit in 0..<sealed.count * 8 {
      var changed = sealed
      changed[bit / 8] ^= 1 << (bit % 8)
      var ran = false
      #expect(throws: CryptoError(.authenticationFailed)) {
        try changed.withUnsafeBytes { changed in
          try Self.nonce.withUnsafeBytes { nonce in
            try Self.ad.withUnsafeBytes { ad in
              try cipher.open(changed, nonce: nonce, ad: ad) { _ in ran = true }
            }
          }
        }
      }
      #expect(!ran)
    }
  }

  @Test(arguments: BulkCipher.Algorithm.allCases)
  func anotherKeyNonceOrAssociatedDataOpensNothing(_ algorithm: BulkCipher.Algorithm) throws {
    let cipher = Self.cipher(algorithm)
    let sealed = try cipher.seal([1, 2, 3, 4], nonce: Self.nonce, ad: Self.ad)
    let refused = CryptoError(.authenticationFailed)
    #expect(throws: refused) { _ = try Self.cipher(algorithm, seed: 2).open(sealed, nonce: Self.nonce, ad: Self.ad) }
    #expect(throws: refused) { _ = try cipher.open(sealed, nonce: [UInt8](2...13), ad: Self.ad) }
    #expect(throws: refused) { _ = try cipher.open(sealed, nonce: Self.nonce, ad: []) }
    #expect(throws: refused) { _ = try cipher.open(sealed, nonce: [UInt8](1...11), ad: Self.ad) }
    #expect(throws: refused) { _ = try cipher.open(Array(sealed[..<15]), nonce: Self.nonce, ad: Self.ad) }
    #expect(throws: refused) { _ = try cipher.open([], nonce: Self.nonce, ad: Self.ad) }
    #expect(throws: CryptoError(.badLength)) { _ = try cipher.seal([1], nonce: [1], ad: []) }
  }

  @Test func theTwoCiphersDoNotOpenEachOther() throws {
    let sealed = try Self.cipher(.aes256gcm).seal([1, 2, 3], nonce: Self.nonce, ad: [])
    #expect(throws: CryptoError(.authenticationFailed)) {
      _ = try Self.cipher(.chachaPoly).open(sealed, nonce: Self.nonce, ad: [])
    }
  }

  @Test func whatTheBodyThrowsComesOut() throws {
    struct Stop: Error {}
    let cipher = Self.cipher(.aes256gcm)
    let sealed = try cipher.seal([1], nonce: Self.nonce, ad: [])
    #expect(throws: Stop.self) {
      try sealed.withUnsafeBytes { sealed in
        try Self.nonce.withUnsafeBytes { nonce in
          try cipher.open(sealed, nonce: nonce, ad: UnsafeRawBufferPointer(start: nil, count: 0)) { _ in throw Stop() }
        }
      }
    }
  }
}
