import API
import Testing

@Suite struct LineDecoderTests {
  @Test func linesComeOutWholeHoweverTheyArrive() throws {
    let text = Array("one\ntwo\r\n\n\r\nthree\n".utf8)
    for size in 1...text.count {
      var decoder = LineDecoder(maximumBytes: 16)
      var lines: [String] = []
      for start in stride(from: 0, to: text.count, by: size) {
        decoder.append(Array(text[start..<min(start + size, text.count)]))
        while let line = try decoder.next() { lines.append(String(decoding: line, as: UTF8.self)) }
      }
      #expect(lines == ["one", "two", "three"])
      #expect(decoder.pendingBytes == 0)
    }
  }

  @Test func theBeginningOfALineWaitsForItsEnd() throws {
    var decoder = LineDecoder(maximumBytes: 16)
    decoder.append(Array("half".utf8))
    #expect(try decoder.next() == nil)
    #expect(decoder.pendingBytes == 4)
    decoder.append(Array(" done\n".utf8))
    #expect(try decoder.next() == Array("half done".utf8))
  }

  @Test func aLineOfTheMaximumPassesAndOneByteMoreIsRefused() throws {
    var exact = LineDecoder(maximumBytes: 8)
    exact.append(Array("12345678\n".utf8))
    #expect(try exact.next() == Array("12345678".utf8))
    var whole = LineDecoder(maximumBytes: 8)
    whole.append(Array("123456789\n".utf8))
    #expect(throws: LineDecoder.TooLong.self) { try whole.next() }
  }

  @Test func aLineThatNeverEndsIsRefusedBeforeItIsThere() {
    var decoder = LineDecoder(maximumBytes: 8)
    decoder.append(Array("123456789".utf8))
    #expect(throws: LineDecoder.TooLong.self) { try decoder.next() }
  }

  @Test func manySmallLinesDoNotPileUp() throws {
    var decoder = LineDecoder(maximumBytes: 64)
    for number in 0..<10_000 {
      decoder.append(Array("line \(number)\n".utf8))
      #expect(try decoder.next() == Array("line \(number)".utf8))
    }
    #expect(decoder.pendingBytes == 0)
  }
}
