import Primitives
import Testing

@testable import Noise

@Suite struct NonceTests {
  @Test func theLastNonceIsNeverUsed() throws {
    let key = [UInt8](repeating: 3, count: 32)
    let none: [UInt8] = []
    var sender = CipherState(key: SecretBytes(copying: key), counter: .max - 1)
    var receiver = CipherState(key: SecretBytes(copying: key), counter: .max - 1)
    let sealed = try sender.encrypt(none.span, ad: none.span)
    #expect(try receiver.decrypt(sealed.span, ad: none.span) == [])
    #expect(refusal { () throws(NoiseError) in _ = try sender.encrypt(none.span, ad: none.span) } == .exhausted)
    #expect(refusal { () throws(NoiseError) in _ = try receiver.decrypt(sealed.span, ad: none.span) } == .exhausted)
    // It stays refused: the counter does not wrap.
    #expect(refusal { () throws(NoiseError) in _ = try sender.encrypt(none.span, ad: none.span) } == .exhausted)
  }

  @Test func theNonceIsFourZeroBytesAndTheCounterLittleEndian() throws {
    let key = [UInt8](repeating: 3, count: 32)
    let none: [UInt8] = []
    var cipher = CipherState(key: SecretBytes(copying: key), counter: 0x0102_0304_0506_0708)
    let sealed = try cipher.encrypt([9].span, ad: none.span)
    let nonce: [UInt8] = [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]
    #expect(try ChaChaPoly.open(sealed, key: SecretBytes(copying: key), nonce: nonce, ad: none) == [9])
  }
}
