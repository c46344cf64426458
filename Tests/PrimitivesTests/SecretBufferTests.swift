import Testing

@testable import Primitives

@Suite struct SecretBufferTests {
  @Test func fieldsLieInOrderAndIntegersAreBigEndian() {
    var buffer = SecretBuffer()
    #expect(buffer.isEmpty == true)
    buffer.u8(1)
    buffer.u16(0x0203)
    buffer.u32(0x0405_0607)
    buffer.u64(0x0809_0a0b_0c0d_0e0f)
    buffer.append([16, 17])
    buffer.append(SecretBytes(copying: [18, 19]))
    buffer.lengthPrefixed([20])
    buffer.append([])
    let expected = [UInt8](1...19) + [0, 0, 0, 1, 20]
    #expect(bytes(buffer) == expected)
    #expect(buffer.count == expected.count)
  }

  /// Through every size of memory: 256 bytes, 16 KiB, pages of its own.
  @Test(arguments: [0, 1, 255, 256, 257, 16_383, 16_384, 16_385, 40_000, 200_000])
  func aBufferGrowsAndKeepsWhatIsInIt(_ count: Int) {
    let expected = Randomness.seeded(UInt64(count)).bytes(count)
    var buffer = SecretBuffer()
    for start in stride(from: 0, to: count, by: 1_000) { buffer.append(Array(expected[start..<min(start + 1_000, count)])) }
    #expect(bytes(buffer) == expected)
    #expect(bytes(SecretBuffer(copying: expected)) == expected)
    #expect(buffer.isEqual(to: expected.span) == true)
    let longer = expected + [0]
    #expect(buffer.isEqual(to: longer.span) == false)
  }

  @Test func whatWasOutgrownOrReleasedIsWiped() {
    let marks = Randomness.seeded(4_711).bytes(200)
    let (outgrown, released) = addresses(marks)
    #expect([UInt8](UnsafeRawBufferPointer(start: outgrown, count: 200)) != marks)
    #expect([UInt8](UnsafeRawBufferPointer(start: released, count: 200)) != marks)
  }

  @inline(never)
  private func addresses(_ marks: [UInt8]) -> (outgrown: UnsafeRawPointer, released: UnsafeRawPointer) {
    var buffer = SecretBuffer(copying: marks)
    let outgrown = UnsafeRawPointer(buffer.pointer)
    #expect([UInt8](UnsafeRawBufferPointer(start: outgrown, count: 200)) == marks)
    buffer.append([UInt8](repeating: 0, count: 100))
    let released = UnsafeRawPointer(buffer.pointer)
    #expect(released != outgrown)
    #expect([UInt8](UnsafeRawBufferPointer(start: released, count: 200)) == marks)
    return (outgrown, released)
  }

  private func bytes(_ buffer: borrowing SecretBuffer) -> [UInt8] { [UInt8](copying: buffer.span) }
}
