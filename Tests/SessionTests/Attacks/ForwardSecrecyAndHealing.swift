import Primitives
import Testing

@testable import Session

/// A thief copies all of a node's state, once. Before: nothing opens. After: one round trip, and nothing opens again. Both hold if X25519 or
/// ML-KEM has fallen besides.
extension KnownAttacks {
  /// What has fallen beside the theft.
  enum Broken: CaseIterable { case nothing, classicalHalf, postQuantumHalf }

  private static func loot(_ wiretap: Wiretap, _ stolen: Loot, _ broken: Broken) throws -> Loot {
    var loot = stolen
    switch broken {
    case .nothing: break
    case .classicalHalf: try loot.breakCurve(wiretap.oracle)
    case .postQuantumHalf: loot.breakKEM(wiretap.oracle)
    }
    return loot
  }

  /// The eavesdropper is a real one: with both halves broken it reads every word of the conversation, without any theft.
  @Test func theEavesdropperReadsEverythingOnceBothHalvesAreBroken() throws {
    for pairs in 0...1 {
      var wiretap = try Wiretap(seed: 600, pairs: pairs)
      try wiretap.round("one")
      try wiretap.round("two")
      var loot = Loot()
      try loot.breakCurve(wiretap.oracle)
      #expect(try wiretap.read(with: loot).isEmpty, "the classical half alone")
      var other = Loot()
      other.breakKEM(wiretap.oracle)
      #expect(try wiretap.read(with: other).isEmpty, "the post-quantum half alone")
      loot.breakKEM(wiretap.oracle)
      #expect(try wiretap.read(with: loot) == Set(wiretap.texts.joined() + ["hello.0", "hello.1"]))
    }
  }

  @Test(arguments: Broken.allCases)
  func forwardSecrecyAStolenStateOpensNothingBeforeIt(_ broken: Broken) throws {
    var wiretap = try Wiretap(seed: 601)
    for name in ["one", "two", "three"] {
      let before = Set(wiretap.texts.joined())
      let stolen = try wiretap.steal([0, 1])
      try wiretap.round(name)
      let read = try wiretap.read(with: try Self.loot(wiretap, stolen, broken))
      #expect(read.isDisjoint(with: before.union(["hello.0", "hello.1"])), "before \(name)")
      // The theft is one: what comes next is read.
      #expect(read.contains("\(name).0.0"))
    }
    // In the middle of a chain, too: its first message is gone, its third is not.
    try wiretap.say("first", from: 0)
    let late = try wiretap.sayLate("second", from: 0)
    try wiretap.say("third", from: 0)
    let stolen = try wiretap.steal([0, 1])
    try wiretap.say("fourth", from: 0)
    let read = try wiretap.read(with: try Self.loot(wiretap, stolen, broken))
    // The key of a message that is still awaited lies there for it to be read, for seven days at most.
    #expect(read == ["second", "fourth"])
    // Once it has come it is gone like the others.
    try wiretap.deliver(late, to: 1)
    let later = try wiretap.read(with: try Self.loot(wiretap, try wiretap.steal([0, 1]), broken))
    #expect(later.isEmpty)
  }

  /// Without a one-time pair, the first words depend on the responder's signed prekeys until these are deleted: only `hello` is among them.
  @Test(arguments: Broken.allCases)
  func forwardSecrecyOfAStartWithoutAPairHoldsFromTheConfirmationOn(_ broken: Broken) throws {
    var wiretap = try Wiretap(seed: 602, pairs: 0)
    try wiretap.round("one")
    try wiretap.round("two")
    let read = try wiretap.read(with: try Self.loot(wiretap, try wiretap.steal([0, 1]), broken))
    #expect(read == ["hello.0"])
  }

  @Test(arguments: Broken.allCases)
  func healingAStolenStateOpensNothingAfterOneRoundTrip(_ broken: Broken) throws {
    for (thieves, expected) in [
      // Of end 0 its last keys are stolen before they are answered: the answer is read, and nothing after it.
      ([0], ["zero.more", "answer"]),
      // End 1 owes an answer: it holds the chain it receives, and no private key that anybody will use.
      ([1], ["zero.more"]),
      ([0, 1], ["zero.more", "answer"]),
    ] {
      var wiretap = try Wiretap(seed: 603)
      try wiretap.round("before")
      try wiretap.say("zero", from: 0)
      let stolen = try wiretap.steal(thieves)
      try wiretap.say("zero.more", from: 0)
      try wiretap.say("answer", from: 1)
      try wiretap.round("healed")
      try wiretap.say("healed.last", from: 0)
      let read = try wiretap.read(with: try Self.loot(wiretap, stolen, broken))
      #expect(read == Set(expected), "stolen from \(thieves)")
    }
  }

  /// A theft at any moment: whoever speaks next, what is said after both have spoken once is closed.
  @Test(arguments: Broken.allCases)
  func healingHoldsWhereverTheConversationStandsAtTheTheft(_ broken: Broken) throws {
    var wiretap = try Wiretap(seed: 604)
    var thefts: [(stolen: Loot, said: Int)] = []
    let speakers = [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1]
    for (index, speaker) in speakers.enumerated() {
      thefts.append((try wiretap.steal([0, 1]), index))
      try wiretap.say("m\(index)", from: speaker)
    }
    for (stolen, said) in thefts {
      // One round trip: the first words of each side after the theft, and whatever is said before the second has spoken.
      let first = speakers[said]
      let turn = speakers[said...].firstIndex { $0 != first } ?? speakers.count
      let back = speakers[min(turn, speakers.count)...].firstIndex { $0 == first } ?? speakers.count
      let allowed = Set((said..<back).map { "m\($0)" })
      let read = try wiretap.read(with: try Self.loot(wiretap, stolen, broken))
      #expect(read.isSubset(of: allowed), "stolen before m\(said)")
      #expect(read.contains("m\(said)"), "the theft before m\(said) is one")
    }
  }

  /// One-way traffic heals nothing; the turn that the sender of much asks for does.
  @Test func healingOfOneWayTrafficComesWithTheForcedTurn() throws {
    var wiretap = try Wiretap(seed: 605)
    try wiretap.say("to and", from: 0)
    try wiretap.say("fro", from: 1)
    try wiretap.say("one way", from: 0)
    let stolen = try wiretap.steal([0])
    for number in 0..<5 { try wiretap.say("more \(number)", from: 0) }
    try wiretap.turn(from: 0)
    try wiretap.say("healed", from: 0)
    let read = try wiretap.read(with: stolen)
    #expect(read == Set((0..<5).map { "more \($0)" }))
  }
}
