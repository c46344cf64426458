import Artifact
import Testing

@Suite struct ResumeMapTests {
  static let chunk = ChunkLayout.minimumChunkBytes

  static func map(_ sizes: [Int]) throws -> ResumeMap {
    ResumeMap(layouts: try sizes.map { try ChunkLayout(sizeBytes: UInt64($0), chunkBytes: chunk) })
  }

  @Test func emptyFilesAreCompleteFromTheStart() throws {
    let map = try Self.map([0, 1, 0])
    #expect(map.isComplete(file: 0) && !map.isComplete(file: 1) && map.isComplete(file: 2) && !map.isComplete)
    #expect(try Self.map([]).isComplete && Self.map([0]).isComplete)
    #expect(!map.isComplete(file: 3) && !map.isComplete(file: -1))
  }

  @Test func missingRangesAreWhatWasNotMarked() throws {
    var map = try Self.map([10, 200 * Self.chunk, 5])
    #expect(map.missingRanges(file: 1) == [0..<200])
    for chunk in Array(3..<70) + [199] { map.mark(file: 1, chunk: chunk) }
    #expect(map.verifiedChunks(file: 1) == 68)
    #expect(map.missingRanges(file: 1) == [0..<3, 70..<199])
    #expect(map.nextMissing(file: 1, from: 3) == 70 && map.nextMissing(file: 1, from: 199) == nil)
    #expect(map.missingRanges(file: 0) == [0..<1] && map.missingRanges(file: 2) == [0..<1])
    #expect(map.missingRanges(file: 9).isEmpty && map.nextMissing(file: -1, from: 0) == nil)
    #expect(map.nextMissing(file: 1, from: 1_000) == nil && map.nextMissing(file: 1, from: -5) == 0)
  }

  @Test func chunksOutsideAFileAreNeverMarked() throws {
    var map = try Self.map([Self.chunk, Self.chunk])
    for (file, chunk) in [(0, 1), (0, -1), (2, 0), (-1, 0), (1, Int.max), (0, Int.min)] {
      let (isMarked, isUnmarked) = (map.mark(file: file, chunk: chunk), map.unmark(file: file, chunk: chunk))
      #expect(!isMarked && !isUnmarked && !map.contains(file: file, chunk: chunk))
    }
    #expect(map.verifiedChunks == 0)
  }

  @Test func savedBitsAreReadStrictly() throws {
    var map = try Self.map([10 * Self.chunk, 8 * Self.chunk, 0])
    map.mark(file: 0, chunk: 0)
    map.mark(file: 0, chunk: 9)
    #expect(
      map.bits(file: 0) == [0x80, 0x40] && map.bits(file: 1) == [0] && map.bits(file: 2) == [] && map.bits(file: 5) == [])
    let before = map
    for (file, bits) in [(0, [0x80]), (0, [0, 0, 0]), (0, [0, 0x20]), (0, [0, 1]), (1, []), (2, [0]), (3, []), (-1, [])]
      as [(Int, [UInt8])]
    {
      #expect(code { try map.load(file: file, bits: bits) } == .invalidMap)
      #expect(map == before)
    }
    try map.load(file: 1, bits: [0xFF])
    #expect(map.isComplete(file: 1) && map.verifiedChunks == 10)
    try map.load(file: 0, bits: [0, 0x80])
    #expect(map.missingRanges(file: 0) == [0..<8, 9..<10])
  }

  /// The map against sets of chunks, through thousands of random steps.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func theMapAgreesWithASetThroughAnySteps(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let sizes = (0..<12).map { _ in Int.random(in: 0...150 * Self.chunk, using: &generator) }
    let layouts = try sizes.map { try ChunkLayout(sizeBytes: UInt64($0), chunkBytes: Self.chunk) }
    var map = ResumeMap(layouts: layouts)
    var model = [Set<Int>](repeating: [], count: sizes.count)
    for _ in 0..<4_000 {
      let file = Int.random(in: 0..<sizes.count, using: &generator)
      let chunk = Int.random(in: 0...layouts[file].count, using: &generator)
      switch Int.random(in: 0..<100, using: &generator) {
      case 0:
        map.clear(file: file)
        model[file] = []
      case 1..<10:
        let isRemoved = map.unmark(file: file, chunk: chunk)
        #expect(isRemoved == (model[file].remove(chunk) != nil))
      case 10..<15: try map.load(file: file, bits: map.bits(file: file))
      default:
        let isNew = chunk < layouts[file].count && model[file].insert(chunk).inserted
        let isMarked = map.mark(file: file, chunk: chunk)
        #expect(isMarked == isNew)
      }
    }
    var bytes: UInt64 = 0
    for file in sizes.indices {
      let missing = (0..<layouts[file].count).filter { !model[file].contains($0) }
      #expect(map.missingRanges(file: file).flatMap { Array($0) } == missing)
      #expect(map.verifiedChunks(file: file) == model[file].count)
      #expect(map.isComplete(file: file) == missing.isEmpty)
      let verified = model[file].reduce(UInt64(0)) { $0 + UInt64(layouts[file].length(of: $1)) }
      #expect(map.verifiedBytes(file: file) == verified)
      bytes += verified
    }
    #expect(map.verifiedBytes == bytes)
    #expect(map.verifiedChunks == model.reduce(0) { $0 + $1.count })
  }
}
