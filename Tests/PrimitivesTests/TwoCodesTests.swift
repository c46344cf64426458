import Primitives
import Testing

/// Two codes under one key, whose work is done once, are the codes of each message by itself.
@Suite struct TwoCodesTests {
  @Test func twoCodesUnderOneKeyAreThoseOfEachMessage() {
    let key = Randomness.seeded(7).secret(32)
    let codes = HMACSHA256.authenticate(key: key, messages: (1, 2))
    let (first, second) = (codes.first.bytes.copyBytes(), codes.second.bytes.copyBytes())
    let one = HMACSHA256.authenticate(key: key, message: [1]).copyBytes()
    let other = HMACSHA256.authenticate(key: key, message: [2]).copyBytes()
    #expect(first == one)
    #expect(second == other)
  }
}
