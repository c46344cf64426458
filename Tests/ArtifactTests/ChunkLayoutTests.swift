import Artifact
import Primitives
import Testing

@Suite struct ChunkLayoutTests {
  static let chunk = ChunkLayout.minimumChunkBytes

  @Test(arguments: [
    (0, 0, 0), (1, 1, 1), (chunk - 1, 1, chunk - 1), (chunk, 1, chunk), (chunk + 1, 2, 1), (2 * chunk, 2, chunk),
    (65_536 * chunk, 65_536, chunk), (65_535 * chunk + 1, 65_536, 1),
  ])
  func chunksCoverTheFileExactly(size: Int, count: Int, last: Int) throws {
    let layout = try ChunkLayout(sizeBytes: UInt64(size), chunkBytes: Self.chunk)
    #expect(layout.count == count)
    #expect(layout.length(of: count - 1) == last)
    #expect(layout.length(of: count) == 0 && layout.length(of: -1) == 0)
    var end: UInt64 = 0
    for index in 0..<min(count, 4) {
      #expect(layout.range(of: index).lowerBound == end)
      end = layout.range(of: index).upperBound
    }
    if count > 0 { #expect(layout.range(of: count - 1).upperBound == UInt64(size)) }
  }

  @Test(arguments: [0, 1, 65_535, 65_537, 3 << 16, 32 << 20, -65_536, Int.min, Int.max])
  func chunkSizesThatAreNoPowerOfTwoInRangeAreRefused(chunkBytes: Int) {
    #expect(code { _ = try ChunkLayout(sizeBytes: 1, chunkBytes: chunkBytes) } == .invalidLayout)
  }

  @Test func aFileOfTooManyChunksIsRefused() {
    #expect(code { _ = try ChunkLayout(sizeBytes: UInt64(65_536 * Self.chunk) + 1, chunkBytes: Self.chunk) } == .invalidLayout)
    #expect(code { _ = try ChunkLayout(sizeBytes: .max, chunkBytes: 16 << 20) } == .invalidLayout)
  }

  @Test func aPublisherTakesTheSmallestChunkSizeThatFits() throws {
    let gib: UInt64 = 1 << 30
    #expect(try ChunkLayout.chunkBytes(forLargestFile: 0) == 1 << 20)
    #expect(try ChunkLayout.chunkBytes(forLargestFile: 64 * gib) == 1 << 20)
    #expect(try ChunkLayout.chunkBytes(forLargestFile: 64 * gib + 1) == 2 << 20)
    #expect(try ChunkLayout.chunkBytes(forLargestFile: 1_024 * gib) == 16 << 20)
    #expect(code { _ = try ChunkLayout.chunkBytes(forLargestFile: 1_024 * gib + 1) } == .limitExceeded)
  }

  @Test func aFileHashedInPiecesIsTheFileHashedAtOnce() throws {
    var generator = SeededGenerator(seed: 11)
    for size in [0, 1, Self.chunk - 1, Self.chunk, Self.chunk + 1, 3 * Self.chunk + 77] {
      let bytes = generator.bytes(size)
      let layout = try ChunkLayout(sizeBytes: UInt64(size), chunkBytes: Self.chunk)
      var hasher = try FileHasher(path: SafePath("x.bin"), layout: layout)
      var position = 0
      while position < size {
        let end = min(size, position + Int.random(in: 1...Self.chunk * 2, using: &generator))
        try bytes[position..<end].withUnsafeBytes { try hasher.update($0) }
        position = end
      }
      let facts = try hasher.finish()
      #expect(facts.sha256 == SHA256Hash.hash(bytes))
      let chunks = (0..<layout.count).map { index in
        let range = layout.range(of: index)
        return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
      }
      #expect(facts.leaves == chunks.map { leaf($0) })
      #expect(facts.root.bytes == HashTreeTests.definition(chunks[...]))
    }
  }

  @Test func aFileThatChangesLengthWhileItIsReadIsNoticed() throws {
    let layout = try ChunkLayout(sizeBytes: 3, chunkBytes: Self.chunk)
    var short = try FileHasher(path: SafePath("a"), layout: layout)
    try short.update([1, 2].span)
    let copy = short
    #expect(code { _ = try copy.finish() } == .sizeChanged)
    #expect(code { try short.update([3, 4].span) } == .sizeChanged)
  }
}
