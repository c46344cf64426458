import Testing
import Wire

@Suite struct ByteTests {
  @Test func whatIsWrittenIsReadBack() throws {
    var writer = ByteWriter()
    writer.u8(0x01)
    writer.u16(0x0203)
    writer.u32(0x0405_0607)
    writer.u64(0x0809_0A0B_0C0D_0E0F)
    writer.lengthPrefixed([9, 8])
    writer.text("é")
    #expect(Array(writer.bytes.prefix(15)) == Array(1...15))
    var reader = ByteReader(writer.bytes.span)
    #expect(try reader.u8() == 1)
    #expect(try reader.u16() == 0x0203)
    #expect(try reader.u32() == 0x0405_0607)
    #expect(try reader.u64() == 0x0809_0A0B_0C0D_0E0F)
    #expect(try reader.lengthPrefixed(atMost: 2) == [9, 8])
    #expect(reader.rest() == [0xC3, 0xA9])
    try reader.finish()
  }

  @Test func aShortFieldIsTruncatedAndMovesNothing() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var reader = ByteReader(bytes.span)
    for _ in 0..<2 {
      var errors: [WireError] = []
      do { _ = try reader.u32() } catch { errors.append(error) }
      do { _ = try reader.bytes(4) } catch { errors.append(error) }
      do { _ = try reader.bytes(-1) } catch { errors.append(error) }
      do { try reader.finish() } catch { errors.append(error) }
      #expect(errors == [.truncated, .truncated, .truncated, .trailingBytes])
    }
    #expect(reader.remaining == 3)
    #expect(try reader.bytes(3) == [1, 2, 3])
  }

  @Test func aFieldIsReadWhereItLies() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var reader = ByteReader(bytes.span)
    let front = try reader.span(2)
    #expect(front.count == 2)
    #expect(front[0] == 1)
    #expect(front[1] == 2)
    #expect(reader.remaining == 1)
    var errors: [WireError] = []
    do { _ = try reader.span(2) } catch { errors.append(error) }
    do { _ = try reader.span(-1) } catch { errors.append(error) }
    #expect(errors == [.truncated, .truncated])
    #expect(reader.remaining == 1)
  }

  @Test func aLengthAboveItsLimitIsRefusedBeforeItIsBelieved() {
    let bytes: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 1]
    var reader = ByteReader(bytes.span)
    do {
      _ = try reader.lengthPrefixed(atMost: 1024)
      Issue.record("accepted")
    } catch { #expect(error == .oversized) }
    do {
      _ = try reader.lengthPrefixed(atMost: .max)
      Issue.record("accepted")
    } catch { #expect(error == .truncated) }
    #expect(reader.remaining == 5)
  }

  @Test(arguments: [FrameDecoder.LengthWidth.two, .four])
  func framesComeOutWholeHoweverTheStreamIsCut(width: FrameDecoder.LengthWidth) throws {
    let frames: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [2, 3]]
    var stream: [UInt8] = []
    for frame in frames {
      stream += Array(repeating: 0, count: width.rawValue - 2) + [UInt8(frame.count >> 8), UInt8(frame.count & 255)] + frame
    }
    for step in 1...stream.count {
      var decoder = FrameDecoder(lengthWidth: width, maximum: 300)
      var seen: [[UInt8]] = []
      for start in stride(from: 0, to: stream.count, by: step) {
        decoder.append(Array(stream[start..<min(start + step, stream.count)]))
        while let frame = try decoder.next() { seen.append(frame) }
      }
      #expect(seen == frames)
      #expect(decoder.pendingCount == 0)
    }
  }

  @Test func anOversizedFrameIsRefusedAtItsLength() {
    var decoder = FrameDecoder(lengthWidth: .four, maximum: 10)
    decoder.append([0, 0, 0, 11])
    #expect(throws: WireError.oversized) { try decoder.next() }
  }

  @Test func hexHasOneSpelling() {
    #expect(Hex.encode([0, 0xAF, 0xFF]) == "00afff")
    #expect(Hex.decode("00afff") == [0, 0xAF, 0xFF])
    for bad in ["0", "0g", "AF", "é0", " 0"] { #expect(Hex.decode(bad) == nil) }
  }

  /// RFC 4648 §10, in lower case and without padding.
  @Test(arguments: [
    ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
    ("foobar", "mzxw6ytboi"),
  ])
  func base32KnowsTheStandardsExamples(plain: String, coded: String) {
    #expect(Base32.encode(Array(plain.utf8)) == coded)
    #expect(Base32.decode(coded) == Array(plain.utf8))
    #expect(Base32.decode(coded.uppercased()) == Array(plain.utf8))
  }

  @Test func base32WithSpareBitsOrAnImpossibleLengthIsRefused() {
    for bad in ["mz", "a", "mzx", "my=", "m1", "mzxw6yta2"] { #expect(Base32.decode(bad) == nil, "\(bad)") }
  }
}
