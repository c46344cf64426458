import Primitives
import Testing

@Suite struct RandomnessTests {
  @Test func aSeedGivesTheSameStreamAgain() {
    let (left, right) = (Randomness.seeded(1), Randomness.seeded(1))
    for count in [1, 32, 64, 1_000] { #expect(left.bytes(count) == right.bytes(count)) }
    #expect(left.secret(32).copyBytes() == right.bytes(32))
    #expect(Randomness.seeded(2).bytes(32) != Randomness.seeded(1).bytes(32))
  }

  @Test func noTwoCallsGiveTheSame() {
    for source in [Randomness.system, .seeded(1)] {
      let draws = (0..<100).map { _ in source.bytes(16) } + (0..<100).map { _ in source.secret(16).copyBytes() }
      #expect(Set(draws).count == draws.count)
      #expect(source.bytes(0) == [])
    }
  }

  @Test func aGivenSourceIsUsedAsItIs() {
    let source = Randomness { [UInt8](repeating: 7, count: $0) }
    #expect(source.bytes(3) == [7, 7, 7])
    #expect(source.secret(2).copyBytes() == [7, 7])
  }
}
