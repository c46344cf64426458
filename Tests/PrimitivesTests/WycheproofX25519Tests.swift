import Primitives
import Testing

/// Wycheproof's X25519 vectors. "Acceptable" there means a library may refuse the key; ours computes with every key (RFC 7748, section 5) and refuses a
/// shared secret of zeroes, which is what a low-order point makes of any private key.
@Suite struct WycheproofX25519Tests {
  private struct Group: Decodable {
    let tests: [Case]
  }

  private struct Case: Decodable {
    let tcId: Int
    let flags: [String]
    let `public`: HexBytes
    let `private`: HexBytes
    let shared: HexBytes
    let result: ExpectedClass
  }

  private static func agree(_ vector: Case) -> Outcome<[UInt8]> {
    Outcome { () throws(CryptoError) in
      let key = try X25519.PrivateKey(SecretBytes(copying: vector.private.bytes))
      return try X25519.agree(key, X25519.PublicKey(vector.public.bytes)).copyBytes()
    }
  }

  @Test func everySharedSecretIsComputedAndEveryZeroSecretRefused() throws {
    let file = try VectorFile<Group>("wycheproof-x25519")
    var computed = 0
    var refused = 0
    for vector in file.testGroups.flatMap(\.tests) {
      let outcome = Self.agree(vector)
      if vector.flags.contains("ZeroSharedSecret") {
        #expect(outcome == .refused(.lowOrderPoint), "case \(vector.tcId)")
        refused += 1
      } else {
        #expect(vector.result != .invalid, "case \(vector.tcId): a class this test does not know")
        #expect(outcome == .value(vector.shared.bytes), "case \(vector.tcId)")
        computed += 1
      }
    }
    #expect(computed == 487)
    #expect(refused == 31)
    #expect(computed + refused == file.numberOfTests)
  }

  @Test func everyFileSaysZeroExactlyWhereItFlagsZero() throws {
    let file = try VectorFile<Group>("wycheproof-x25519")
    let zero = [UInt8](repeating: 0, count: 32)
    for vector in file.testGroups.flatMap(\.tests) {
      #expect((vector.shared.bytes == zero) == vector.flags.contains("ZeroSharedSecret"), "case \(vector.tcId)")
    }
  }
}
