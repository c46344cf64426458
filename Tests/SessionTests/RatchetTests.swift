import Primitives
import Testing
import Wire

@testable import Session

@Suite struct RatchetTests {
  /// Both sides confirmed, Alice to send next.
  private func settled(_ seed: UInt64) throws -> RatchetPair {
    var pair = try RatchetPair(seed: seed)
    try pair.toBob(try pair.fromAlice("hello"))
    try pair.toAlice(try pair.fromBob("confirm"))
    try pair.toBob(try pair.fromAlice("second"))
    try pair.toAlice(try pair.fromBob("third"))
    return pair
  }

  @Test func bothSidesOfAnAgreementReadEachOther() throws {
    var pair = try RatchetPair(seed: 20)
    #expect(try pair.toBob(try pair.fromAlice("one")) == "one")
    #expect(try pair.toAlice(try pair.fromBob("two")) == "two")
    for turn in 0..<6 {
      #expect(try pair.toBob(try pair.fromAlice("a\(turn)")) == "a\(turn)")
      #expect(try pair.toAlice(try pair.fromBob("b\(turn)")) == "b\(turn)")
    }
  }

  @Test func envelopesHaveTheSizesOfTheFormat() throws {
    var pair = try RatchetPair(seed: 21)
    let first = try pair.fromAlice("x")
    #expect(first.count == 18 + 2 + (40 + 1_185 + 16) + 32 + 256 + 16)
    try pair.toBob(first)
    let confirm = try pair.fromBob("x")
    #expect(confirm.count == 18 + 2 + (40 + 1_185 + 1_088 + 1_568 + 16) + 32 + 256 + 16)
    try pair.toAlice(confirm)
    #expect(try pair.fromAlice("x").count == 18 + 2 + (40 + 1_185 + 1_088 + 16) + 32 + 256 + 16)
  }

  @Test func messagesOutOfOrderAreReadOnceEach() throws {
    var pair = try settled(22)
    var envelopes = try (0..<50).map { try pair.fromAlice("m\($0)") }
    var order = SeededGenerator(22)
    envelopes.shuffle(using: &order)
    for envelope in envelopes { #expect(try pair.toBob(envelope).hasPrefix("m")) }
    for envelope in envelopes { #expect(throws: SessionError(.refused)) { try pair.toBob(envelope) } }
  }

  @Test func messagesOfOlderChainsAreReadLate() throws {
    var pair = try settled(23)
    var late: [[UInt8]] = []
    for turn in 0..<10 {
      late.append(try pair.fromAlice("late\(turn)"))
      try pair.toBob(try pair.fromAlice("a\(turn)"))
      try pair.toAlice(try pair.fromBob("b\(turn)"))
    }
    try pair.restart()
    for (turn, envelope) in late.enumerated().reversed() { #expect(try pair.toBob(envelope) == "late\(turn)") }
    #expect(pair.bob?.skipped.chains.isEmpty == true)
  }

  @Test func theFirstMessageToComeNeedNotBeTheFirstSent() throws {
    var pair = try RatchetPair(seed: 24)
    let first = try pair.fromAlice("one")
    let second = try pair.fromAlice("two")
    #expect(try pair.toBob(second) == "two")
    #expect(try pair.toBob(first) == "one")
    let lost = try pair.fromBob("lost")
    #expect(try pair.toAlice(try pair.fromBob("confirm")) == "confirm")
    #expect(try pair.toAlice(lost) == "lost")
  }

  @Test func aResponderWithoutAChainTakesOnlyTheInitiatorsFirst() throws {
    var pair = try settled(25)
    let later = try pair.fromAlice("of a later chain")
    pair.bob = nil
    #expect(throws: SessionError(.refused)) { try pair.toBob(later) }
  }

  @Test func anInitiatorWithoutAChainTakesOnlyTheConfirmation() throws {
    var pair = try RatchetPair(seed: 26)
    let fresh = pair.alice
    try pair.toBob(try pair.fromAlice("one"))
    try pair.toAlice(try pair.fromBob("confirm"))
    try pair.toBob(try pair.fromAlice("two"))
    let later = try pair.fromBob("of Bob's second chain")
    pair.alice = fresh
    #expect(throws: SessionError(.refused)) { try pair.toAlice(later) }
  }

  @Test func skippingAThousandIsAllowedAndOneMoreIsNot() throws {
    var pair = try settled(27)
    var envelopes: [[UInt8]] = []
    for number in 0...1_001 { envelopes.append(try pair.fromAlice("\(number)")) }
    var other = pair
    #expect(throws: SessionError(.refused)) { try other.toBob(envelopes[1_001]) }
    #expect(try pair.toBob(envelopes[1_000]) == "1000")
    #expect(try pair.toBob(envelopes[1_001]) == "1001")
    #expect(try pair.toBob(envelopes[0]) == "0")
  }

  @Test func aGapOverTwoChainsCountsAsOne() throws {
    var pair = try settled(28)
    for number in 0..<600 { _ = try pair.fromAlice("\(number)") }
    let seen = try pair.fromBob("turn")
    try pair.toAlice(seen)
    // Alice has not sent in the chain Bob knows, so her next message begins one with PN = 600.
    var envelope: [UInt8] = []
    for number in 0...401 { envelope = try pair.fromAlice("\(number)") }
    #expect(throws: SessionError(.refused)) { try pair.toBob(envelope) }
  }

  @Test func keptKeysAreBoundedAndTheOldestGoFirst() throws {
    var pair = try settled(29)
    var first: [UInt8] = []
    var last: [UInt8] = []
    for burst in 0..<3 {
      for number in 0..<900 {
        let envelope = try pair.fromAlice("\(burst).\(number)")
        if burst == 0, number == 0 { first = envelope }
        if burst == 2, number == 899 { last = envelope }
      }
      try pair.toBob(try pair.fromAlice("end"))
      try pair.toAlice(try pair.fromBob("turn"))
    }
    guard let bob = pair.bob, case .chain(let chain) = bob.receiving else {
      Issue.record("Bob has a chain")
      return
    }
    #expect(bob.skipped.count + chain.skipped.count == SkippedKeys.maximumKeys)
    #expect(throws: SessionError(.refused)) { try pair.toBob(first) }
    #expect(try pair.toBob(last) == "2.899")
  }

  @Test func keptChainsAreBounded() throws {
    var pair = try settled(30)
    var late: [[UInt8]] = []
    for turn in 0..<70 {
      late.append(try pair.fromAlice("late\(turn)"))
      try pair.toBob(try pair.fromAlice("a"))
      try pair.toAlice(try pair.fromBob("b"))
    }
    #expect((pair.bob?.skipped.chains.count ?? 0) <= SkippedKeys.maximumChains)
    #expect(throws: SessionError(.refused)) { try pair.toBob(late[0]) }
    #expect(try pair.toBob(late[69]) == "late69")
  }

  @Test func aSkippedKeyDiesAfterSevenDays() throws {
    var pair = try settled(31)
    let late = try pair.fromAlice("late")
    let later = try pair.fromAlice("later")
    try pair.toBob(try pair.fromAlice("now"))
    #expect(try pair.toBob(later, at: epoch + 7 * day - 1) == "later")
    try pair.toBob(try pair.fromAlice("next"), at: epoch + 7 * day)
    #expect(throws: SessionError(.refused)) { try pair.toBob(late, at: epoch + 7 * day) }
  }

  @Test func aFlippedBitAnywhereInAnEnvelopeIsRefusedAndChangesNothing() throws {
    for (seed, isConfirmation) in [(32, false), (33, true)] as [(UInt64, Bool)] {
      var pair = try RatchetPair(seed: seed)
      try pair.toBob(try pair.fromAlice("hello"))
      if !isConfirmation { try pair.toAlice(try pair.fromBob("confirm")) }
      let envelope = isConfirmation ? try pair.fromBob("confirm") : try pair.fromAlice("later")
      let headerEnd = 20 + Int(envelope[18]) << 8 + Int(envelope[19])
      let regions = [
        0, 1, 2, 17, 18, 19, 20, 51, 56, 60, 61, 700, 1_300, headerEnd - 17, headerEnd - 1, headerEnd, headerEnd + 31,
        headerEnd + 32, headerEnd + 40, envelope.count - 17, envelope.count - 1,
      ]
      for index in regions {
        var bad = envelope
        bad[index] ^= 0x10
        let before = isConfirmation ? pair.alice.storedBytes : pair.bob?.storedBytes
        #expect(throws: (any Error).self, "byte \(index)") {
          if isConfirmation { try pair.toAlice(bad) } else { try pair.toBob(bad) }
        }
        #expect(before == (isConfirmation ? pair.alice.storedBytes : pair.bob?.storedBytes))
      }
      for cut in [0, 1, 17, 19, 30, headerEnd, headerEnd + 32, envelope.count - 1] {
        let bad = Array(envelope[..<cut])
        #expect(throws: (any Error).self) { if isConfirmation { try pair.toAlice(bad) } else { try pair.toBob(bad) } }
      }
      #expect(try (isConfirmation ? pair.toAlice(envelope) : pair.toBob(envelope)) == (isConfirmation ? "confirm" : "later"))
    }
  }

  @Test func anEnvelopeOfAnotherSessionIsRefused() throws {
    var one = try settled(34)
    var other = try settled(35)
    let envelope = try one.fromAlice("x")
    #expect(throws: SessionError(.refused)) { try other.toBob(envelope) }
    // Reflected to its sender.
    #expect(throws: SessionError(.refused)) { try one.toAlice(envelope) }
  }

  @Test func theSameStateSealsTwiceUnderDifferentKeys() throws {
    let pair = try settled(36)
    var (one, clone) = (pair, pair)
    let first = try one.fromAlice("x")
    let second = try clone.fromAlice("x")
    let headerEnd = 20 + Int(first[18]) << 8 + Int(first[19])
    #expect(first[2..<18] != second[2..<18])
    #expect(first[headerEnd..<headerEnd + 32] != second[headerEnd..<headerEnd + 32])
  }

  @Test func paddingHidesTheLengthAndIsExact() throws {
    let sizes = [0: 256, 236: 256, 237: 512, 32_748: 32_768, 32_749: 49_152, 49_132: 49_152]
    for (payload, size) in sizes {
      let letter = try Letter(sequence: 1, seen: 0, payload: [UInt8](repeating: 0x20, count: payload))
      let bytes = letter.encoded
      #expect(bytes.count == size)
      #expect(try Letter(parsing: bytes.span) == letter)
    }
    #expect(throws: SessionError(.tooLarge)) {
      try Letter(sequence: 1, seen: 0, payload: [UInt8](repeating: 0, count: 49_133))
    }
    var bytes = try Letter(sequence: 1, seen: 0, payload: [1]).encoded
    let long = bytes + [UInt8](repeating: 0, count: 256)
    #expect(throws: WireError.invalid) { try Letter(parsing: long.span) }
    bytes[255] = 1
    #expect(throws: WireError.invalid) { try Letter(parsing: bytes.span) }
    let unnumbered = [UInt8](repeating: 0, count: 256)
    #expect(throws: WireError.invalid) { try Letter(parsing: unnumbered.span) }
  }

  @Test func lowOrderPointsStopAnAgreement() throws {
    let (a, b) = try Party.pair(seed: 37)
    let (bundle, _) = try b.bundle(for: a.id)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let zero = try X25519.PublicKey([UInt8](repeating: 0, count: 32))
    let (head, _) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    let bad = Initiation.Head(
      initiator: head.initiator, responder: head.responder, ephemeral: zero, spkID: head.spkID, pqspkID: head.pqspkID,
      pairID: 0, ciphertext: head.ciphertext, bundle: head.bundle)
    #expect(throws: CryptoError(.lowOrderPoint)) {
      _ = try KeyAgreement.respond(
        identity: b.identity, peer: a.record, head: bad, prekeys: try b.prekeys.current(), pair: nil)
    }
  }

  @Test func everythingInINIT0IsBoundIntoTheSession() throws {
    let (a, b) = try Party.pair(seed: 38)
    let (bundle, pairs) = try b.bundle(for: a.id)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let (head, secrets) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    let other = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch + 1, crypto: a.crypto)
    let changed = Initiation.Head(
      initiator: head.initiator, responder: head.responder, ephemeral: head.ephemeral, spkID: head.spkID,
      pqspkID: head.pqspkID, pairID: head.pairID, ciphertext: head.ciphertext, bundle: other.bytes)
    let answer = try KeyAgreement.respond(
      identity: b.identity, peer: a.record, head: changed, prekeys: try b.prekeys.current(), pair: pairs[0])
    #expect(answer.id != secrets.id)
    // Without the one-time pair, or with another identity, it is another session too.
    let without = try KeyAgreement.respond(
      identity: b.identity, peer: a.record, head: head, prekeys: try b.prekeys.current(), pair: nil)
    #expect(without.id != secrets.id)
    let relabelled = try KeyAgreement.respond(
      identity: b.identity, peer: try Party(seed: 79).record, head: head, prekeys: try b.prekeys.current(), pair: pairs[0])
    #expect(relabelled.id != secrets.id)
  }

  /// A thousand messages in random order, direction and loss, with restarts between; whatever is not lost is read once.
  @Test(arguments: [UInt64(100), 101, 102, 103])
  func aThousandMessagesInRandomOrderAreAllRead(_ seed: UInt64) throws {
    var random = SeededGenerator(seed)
    var pair = try RatchetPair(seed: seed)
    var toBob: [(text: String, bytes: [UInt8])] = []
    var toAlice: [(text: String, bytes: [UInt8])] = []
    toBob.append(("first", try pair.fromAlice("first")))
    var sent = 1
    var read = 0
    var lost = 0
    while sent < 1_000 || !toBob.isEmpty || !toAlice.isEmpty {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<25 where sent < 1_000:
        toBob.append(("a\(sent)", try pair.fromAlice("a\(sent)")))
        sent += 1
      case 25..<50 where sent < 1_000 && pair.bob != nil:
        toAlice.append(("b\(sent)", try pair.fromBob("b\(sent)")))
        sent += 1
      case 50..<73 where !toBob.isEmpty:
        let next = toBob.remove(at: Int.random(in: 0..<min(toBob.count, 40), using: &random))
        #expect(try pair.toBob(next.bytes) == next.text)
        read += 1
      case 73..<96 where !toAlice.isEmpty:
        let next = toAlice.remove(at: Int.random(in: 0..<min(toAlice.count, 40), using: &random))
        #expect(try pair.toAlice(next.bytes) == next.text)
        read += 1
      case 96 where toBob.count > 1:
        toBob.remove(at: Int.random(in: 0..<toBob.count, using: &random))
        lost += 1
      case 97 where toAlice.count > 1:
        toAlice.remove(at: Int.random(in: 0..<toAlice.count, using: &random))
        lost += 1
      case 98: try pair.restart()
      default: continue
      }
    }
    #expect(read + lost == sent)
  }
}
