import Noise
import Primitives
import Testing

@Suite struct TransportTests {
  @Test func messagesGoBothWaysInOrder() throws {
    var pair = try Pair().finish()
    for index in 0..<100 {
      let message = Array("message \(index)".utf8)
      if index % 3 == 0 {
        let sealed = try pair.right.encrypt(message)
        #expect(try pair.left.decrypt(sealed) == message)
      } else {
        let sealed = try pair.left.encrypt(message)
        #expect(sealed.count == message.count + 16)
        #expect(try pair.right.decrypt(sealed) == message)
      }
    }
  }

  @Test func aFlippedBitEndsTheTransportBothWays() throws {
    var pair = try Pair().finish()
    var sealed = try pair.left.encrypt([1, 2, 3])
    sealed[1] ^= 4
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.decrypt(sealed) } == .failed)
    sealed[1] ^= 4
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.decrypt(sealed) } == .outOfTurn)
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.encrypt([1]) } == .outOfTurn)
  }

  @Test func aRepeatedMessageIsRefused() throws {
    var pair = try Pair().finish()
    let sealed = try pair.left.encrypt([1])
    #expect(try pair.right.decrypt(sealed) == [1])
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.decrypt(sealed) } == .failed)
  }

  @Test func aSkippedMessageIsNoticed() throws {
    var pair = try Pair().finish()
    _ = try pair.left.encrypt([1])
    let second = try pair.left.encrypt([2])
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.decrypt(second) } == .failed)
  }

  @Test func aMessageSentBackToItsSenderIsRefused() throws {
    var pair = try Pair().finish()
    let sealed = try pair.left.encrypt([1])
    #expect(refusal { () throws(NoiseError) in _ = try pair.left.decrypt(sealed) } == .failed)
  }

  @Test func aShortMessageIsRefused() throws {
    for count in 0..<16 {
      var pair = try Pair().finish()
      let message = [UInt8](repeating: 0, count: count)
      #expect(refusal { () throws(NoiseError) in _ = try pair.left.decrypt(message) } == .failed)
    }
  }

  @Test func aMessageHasAtMost65535Bytes() throws {
    var pair = try Pair().finish()
    let longest = [UInt8](repeating: 5, count: NoiseTransport.maximumPlaintextBytes)
    let over = longest + [5]
    #expect(refusal { () throws(NoiseError) in _ = try pair.left.encrypt(over) } == .tooLong)
    let sealed = try pair.left.encrypt(longest)
    #expect(sealed.count == 65_535)
    #expect(try pair.right.decrypt(sealed) == longest)
    let oversized = [UInt8](repeating: 0, count: 65_536)
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.decrypt(oversized) } == .tooLong)
    #expect(refusal { () throws(NoiseError) in _ = try pair.right.encrypt([1]) } == .outOfTurn)
  }
}
