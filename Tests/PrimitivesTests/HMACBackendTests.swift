import CSodium
import Primitives
import Testing

/// HMAC-SHA256 is our own where the processor has SHA instructions: libsodium has to agree at every length around a block's.
@Suite struct HMACBackendTests {
  private func reference(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var state = crypto_auth_hmacsha256_state()
    var code = [UInt8](repeating: 0, count: HMACSHA256.byteCount)
    crypto_auth_hmacsha256_init(&state, key, key.count)
    crypto_auth_hmacsha256_update(&state, message, UInt64(message.count))
    crypto_auth_hmacsha256_final(&state, &code)
    return code
  }

  @Test func everyLengthOfKeyAndMessageGivesLibsodiumsCode() {
    let bytes = Randomness.seeded(4).bytes(400)
    for keyBytes in [0, 1, 31, 32, 33, 55, 63, 64, 65, 127, 128, 129, 200] {
      let key = Array(bytes[..<keyBytes])
      for messageBytes in 0..<260 {
        let message = Array(bytes[(400 - messageBytes)...])
        let code = HMACSHA256.authenticate(key: key.span, message: message.span).copyBytes()
        #expect(code == reference(key, message), "\(keyBytes) and \(messageBytes)")
      }
    }
  }

  @Test func aMessageInTwoPiecesGivesTheCodeOfTheWhole() {
    let bytes = Randomness.seeded(5).bytes(232)
    let (key, message) = (Array(bytes[..<32]), Array(bytes[32...]))
    let whole = reference(key, message)
    for first in 0...message.count {
      var pieces = HMACSHA256.Authenticator(key: key.span)
      pieces.update(Array(message[..<first]))
      pieces.update(Array(message[first...]))
      let code = pieces.finalize().copyBytes()
      #expect(code == whole, "\(first)")
    }
  }

  @Test func aMessageInSinglesGivesTheCodeOfTheWhole() {
    let bytes = Randomness.seeded(6).bytes(232)
    let (key, message) = (Array(bytes[..<32]), Array(bytes[32...]))
    var pieces = HMACSHA256.Authenticator(key: key.span)
    for byte in message { pieces.update([byte]) }
    let code = pieces.finalize().copyBytes()
    #expect(code == reference(key, message))
  }

  @Test func twoCodesUnderOneKeyAreThoseOfEachMessage() {
    let key = Randomness.seeded(7).secret(32)
    let codes = HMACSHA256.authenticate(key: key, messages: (1, 2))
    let (first, second) = (codes.first.bytes.copyBytes(), codes.second.bytes.copyBytes())
    #expect(first == reference(key.copyBytes(), [1]))
    #expect(second == reference(key.copyBytes(), [2]))
  }
}
