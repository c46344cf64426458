import Primitives
import Testing

@testable import Session

extension KnownAttacks {
  /// A hostile sender makes one body that opens under two message keys, to be read as two things by two receivers. The AEAD allows it; the
  /// commitment before it names one key.
  @Test func oneCiphertextOpensUnderTwoKeysAndTheCommitmentRefusesTheSecond() throws {
    let (one, other) = (try RatchetPair(seed: 740), try RatchetPair(seed: 741))
    // Of each session the next message key, and an envelope that it belongs to.
    var (first, second) = (one, other)
    let chains = try [one, other].map { pair -> SecretBox in
      guard case .chain(let chain) = pair.alice.sending else { throw SessionError(.internalFailure) }
      return chain.chain.stepped().messageKey
    }
    let honest = try first.fromAlice(String(repeating: "x", count: 236))
    _ = try second.fromAlice("x")
    let bodyStart = honest.count - 256 - 16
    let salt = Array(honest[2..<18])
    let keys = chains.map { Self.messageKeys($0, salt: salt) }
    #expect(Array(honest[bodyStart - 32..<bodyStart]) == keys[0].commitment, "the formula is the protocol's")
    var opened: [Bool] = []
    for isCommittedToSecond in [false, true] {
      let covered = Array(honest[..<(bodyStart - 32)]) + keys[isCommittedToSecond ? 1 : 0].commitment
      let sides = zip(keys, [one.ad, other.ad]).map { keys, ad in
        Poly1305Collision.Side(key: keys.key, nonce: keys.nonce, ad: ad + covered)
      }
      let mine = sides[isCommittedToSecond ? 1 : 0]
      // The text of the side that is committed to is a proper letter; somewhere in its JSON, a block has no meaning.
      var sealed: [UInt8]?
      for attempt in UInt8(0)...255 where sealed == nil {
        let letter = try Letter(sequence: 1, seen: 0, payload: [UInt8](repeating: attempt, count: 236))
        sealed = Poly1305Collision.solve(sides[0], sides[1], mine.encrypted(letter.encoded), block: 5)
      }
      let body = try #require(sealed)
      for side in sides {
        let text = try? ChaChaPoly.open(body, key: SecretBytes(copying: side.key), nonce: side.nonce, ad: side.ad)
        #expect(text?.count == 256, "without a commitment both keys open it")
      }
      let envelope = try Envelope(reading: covered + body)
      for (index, (key, ad)) in zip(chains, [one.ad, other.ad]).enumerated() {
        let letter = try? envelope.letter(under: key, associatedData: ad)
        #expect((letter != nil) == (index == (isCommittedToSecond ? 1 : 0)))
        opened.append(letter != nil)
      }
    }
    #expect(opened == [true, false, false, true])
  }

  /// `docs/PROTOCOL.md` §9.
  private static func messageKeys(
    _ messageKey: SecretBox, salt: [UInt8]
  ) -> (key: [UInt8], nonce: [UInt8], commitment: [UInt8]) {
    var material = HKDF.expand(prk: messageKey.bytes, info: Array("pawl/1 message".utf8) + salt, count: 76)
    let key = material.takeBytes(32)
    let nonce = material.takeBytes(12)
    return (key, nonce, material.takeBytes(32))
  }
}
