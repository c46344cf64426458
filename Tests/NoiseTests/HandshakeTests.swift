import Noise
import Primitives
import Testing

@Suite struct HandshakeTests {
  static let patterns: [NoiseHandshake.Pattern] = [.xk, .xkpsk3]
  static let payload = Array("a ticket id".utf8)

  @Test(arguments: patterns)
  func bothSidesLearnTheOtherStaticKeyAndTheSameHash(_ pattern: NoiseHandshake.Pattern) throws {
    var pair = Pair(pattern)
    #expect(pair.responder.remoteStatic == nil)
    try pair.run(upTo: 3)
    #expect((pair.initiator.isFinished, pair.responder.isFinished) == (true, true))
    #expect(pair.responder.remoteStatic == pair.initiatorStatic)
    let transports = try pair.finish()
    #expect(transports.left.handshakeHash == transports.right.handshakeHash)
    #expect(transports.left.remoteStatic != transports.right.remoteStatic)
  }

  @Test(arguments: patterns)
  func everyPayloadArrivesAndMessagesHaveTheirLengths(_ pattern: NoiseHandshake.Pattern) throws {
    var pair = Pair(pattern)
    for (index, overhead) in [48, 48, 64].enumerated() {
      let message = try pair.write(index, Self.payload)
      #expect(message.count == overhead + Self.payload.count)
      #expect(try pair.read(index, message) == Self.payload)
    }
  }

  @Test(arguments: patterns, [0, 1, 2])
  func aFlippedBitInAnyByteOfAMessageEndsTheHandshake(_ pattern: NoiseHandshake.Pattern, _ index: Int) throws {
    let length = index == 2 ? 64 : 48
    for position in 0..<length + Self.payload.count {
      var pair = Pair(pattern)
      try pair.run(upTo: index)
      var message = try pair.write(index, Self.payload)
      // Bit 255 of a point is ignored by X25519, but hashed all the same.
      message[position] ^= position == 31 ? 0x80 : 1
      #expect(code { () throws(NoiseError) in _ = try pair.read(index, message) } == .failed, "byte \(position)")
      #expect(code { () throws(NoiseError) in _ = try pair.read(index, message) } == .outOfTurn, "dead")
    }
  }

  @Test(arguments: patterns, [0, 1, 2])
  func aShortOrLongMessageEndsTheHandshake(_ pattern: NoiseHandshake.Pattern, _ index: Int) throws {
    let length = index == 2 ? 64 : 48
    for count in [0, 1, 31, 32, length - 1, length + 1] {
      var pair = Pair(pattern)
      try pair.run(upTo: index)
      let message = try pair.write(index)
      let changed = Array((message + [0]).prefix(count))
      #expect(code { () throws(NoiseError) in _ = try pair.read(index, changed) } == .failed, "\(count) bytes")
    }
    var pair = Pair(pattern)
    try pair.run(upTo: index)
    let tooLong = [UInt8](repeating: 0, count: NoiseHandshake.maximumMessageBytes + 1)
    #expect(code { () throws(NoiseError) in _ = try pair.read(index, tooLong) } == .tooLong)
  }

  @Test func aPayloadFillsAMessageToTheLastByteAndNoFurther() throws {
    var pair = Pair()
    let limit = NoiseHandshake.maximumMessageBytes - 48
    #expect(
      code { () throws(NoiseError) in _ = try pair.write(0, [UInt8](repeating: 0, count: limit + 1)) } == .tooLong)
    let message = try pair.write(0, [UInt8](repeating: 0, count: limit))
    #expect(message.count == NoiseHandshake.maximumMessageBytes)
    #expect(try pair.read(0, message).count == limit)
  }

  @Test(arguments: patterns)
  func anotherStaticKeyThanTheExpectedOneAnswersNothing(_ pattern: NoiseHandshake.Pattern) throws {
    var pair = Pair(pattern, expecting: X25519.PrivateKey.generate(.seeded(99)).publicKey)
    let message = try pair.write(0)
    #expect(code { () throws(NoiseError) in _ = try pair.read(0, message) } == .failed)
    #expect(code { () throws(NoiseError) in _ = try pair.write(1) } == .outOfTurn)
  }

  @Test(arguments: patterns)
  func anotherPrologueIsRefusedAtTheFirstMessage(_ pattern: NoiseHandshake.Pattern) throws {
    var pair = Pair(pattern, prologues: (Array("pawl/1 link".utf8), Array("pawl/1 pair".utf8)))
    let message = try pair.write(0)
    #expect(code { () throws(NoiseError) in _ = try pair.read(0, message) } == .failed)
  }

  @Test func anotherPreSharedKeyIsRefusedAtTheThirdMessage() throws {
    var pair = Pair(.xkpsk3, psks: (Pair.psk, SecretBox(SecretBytes(copying: [UInt8](repeating: 8, count: 32)))))
    try pair.run(upTo: 2)
    let message = try pair.write(2)
    #expect(code { () throws(NoiseError) in _ = try pair.read(2, message) } == .failed)
    #expect(pair.responder.isFinished == false)
  }

  @Test func aPatternWithoutThePreSharedKeyCannotTalkToOneWithIt() throws {
    var plain = Pair(.xk)
    var keyed = Pair(.xkpsk3)
    let message = try plain.write(0)
    #expect(code { () throws(NoiseError) in _ = try keyed.read(0, message) } == .failed)
  }

  @Test func theResponderMayGiveThePreSharedKeyAfterTheFirstMessage() throws {
    var pair = Pair(.xkpsk3, psks: (Pair.psk, nil))
    try pair.run(upTo: 2)
    let message = try pair.write(2, Self.payload)
    // Without it nothing is lost: the message can be read once the key is there.
    #expect(code { () throws(NoiseError) in _ = try pair.read(2, message) } == .missingPSK)
    pair.responder.setPSK(Pair.psk)
    #expect(try pair.read(2, message) == Self.payload)
  }

  @Test func anInitiatorWithoutThePreSharedKeyIsTold() throws {
    var pair = Pair(.xkpsk3, psks: (nil, Pair.psk))
    try pair.run(upTo: 2)
    #expect(code { () throws(NoiseError) in _ = try pair.write(2) } == .missingPSK)
  }

  @Test func callsOutOfTurnChangeNothing() throws {
    var pair = Pair()
    #expect((pair.initiator.isMyTurn, pair.responder.isMyTurn) == (true, false))
    #expect(code { () throws(NoiseError) in _ = try pair.responder.writeMessage(payload: []) } == .outOfTurn)
    #expect(code { () throws(NoiseError) in _ = try pair.initiator.readMessage([]) } == .outOfTurn)
    let transports = try pair.finish()
    #expect(transports.left.handshakeHash == transports.right.handshakeHash)
  }

  @Test func anUnfinishedHandshakeGivesNoTransport() throws {
    var pair = Pair()
    try pair.run(upTo: 2)
    #expect(splitRefusal(pair.initiator) == .outOfTurn)
  }

  @Test(arguments: [
    [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31),
    // p + 1, which is 1 in another spelling.
    [0xee] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
  ])
  func anEphemeralKeyOfLowOrderEndsTheHandshake(_ point: [UInt8]) throws {
    var pair = Pair()
    let message = try pair.write(0)
    #expect(code { () throws(NoiseError) in _ = try pair.read(0, point + message[32...]) } == .failed)
    var other = Pair()
    try other.run(upTo: 1)
    let answer = try other.write(1)
    #expect(code { () throws(NoiseError) in _ = try other.read(1, point + answer[32...]) } == .failed)
  }

  @Test func aRecordedConversationCannotBeReplayed() throws {
    var pair = Pair()
    let first = try pair.write(0)
    _ = try pair.read(0, first)
    _ = try pair.read(1, try pair.write(1))
    let third = try pair.write(2)
    // The same static keys; the responder's ephemeral key is another one, as it always is.
    var again = Pair()
    _ = try again.read(0, first)
    _ = try again.write(1)
    #expect(code { () throws(NoiseError) in _ = try again.read(2, third) } == .failed)
  }

  private func code(_ body: () throws(NoiseError) -> Void) -> NoiseError.Code? { refusal(body) }
}
