internal import Wire

/// Which chunks of an artifact were verified and written. One bit a chunk, files behind each other.
public struct ResumeMap: Hashable, Sendable {
  private let layouts: [ChunkLayout]
  /// The first bit of each file, and behind the last file's.
  private let starts: [Int]
  private var words: [UInt64]
  private var counts: [Int32]

  /// Verified chunks of all files.
  public private(set) var verifiedChunks = 0
  /// Verified bytes of all files.
  public private(set) var verifiedBytes: UInt64 = 0

  /// A map with nothing verified.
  public init(layouts: [ChunkLayout]) {
    self.layouts = layouts
    var starts = [0]
    starts.reserveCapacity(layouts.count + 1)
    for layout in layouts { starts.append(starts[starts.count - 1] + layout.count) }
    self.starts = starts
    words = Array(repeating: 0, count: (starts[layouts.count] + 63) / 64)
    counts = Array(repeating: 0, count: layouts.count)
  }

  /// A map of a manifest's files with nothing verified.
  public init(manifest: Manifest) {
    self.init(layouts: manifest.files.indices.map { manifest.layout(of: $0) })
  }

  /// Chunks of all files.
  public var totalChunks: Int { starts[layouts.count] }

  /// Whether all chunks of all files are verified.
  public var isComplete: Bool { verifiedChunks == totalChunks }

  /// Whether all chunks of a file are verified: true for an empty file, false for one that there is not.
  public func isComplete(file: Int) -> Bool {
    layouts.indices.contains(file) && Int(counts[file]) == layouts[file].count
  }

  /// How many chunks of a file are verified.
  public func verifiedChunks(file: Int) -> Int { layouts.indices.contains(file) ? Int(counts[file]) : 0 }

  /// How many bytes of a file are verified.
  public func verifiedBytes(file: Int) -> UInt64 {
    guard layouts.indices.contains(file), counts[file] > 0 else { return 0 }
    let layout = layouts[file]
    let lastIsIn = contains(file: file, chunk: layout.count - 1)
    let full = UInt64(counts[file]) * UInt64(layout.chunkBytes)
    return lastIsIn ? full - UInt64(layout.chunkBytes - layout.length(of: layout.count - 1)) : full
  }

  /// Whether a chunk is verified.
  public func contains(file: Int, chunk: Int) -> Bool {
    guard let bit = bit(file, chunk) else { return false }
    return isSet(bit)
  }

  /// Notes a chunk as verified. False if it was already, or if there is no such chunk.
  @discardableResult
  public mutating func mark(file: Int, chunk: Int) -> Bool {
    guard let bit = bit(file, chunk), !isSet(bit) else { return false }
    words[bit >> 6] |= 1 << UInt64(bit & 63)
    counts[file] += 1
    verifiedChunks += 1
    verifiedBytes += UInt64(layouts[file].length(of: chunk))
    return true
  }

  /// Notes a chunk as missing. False if it was already, or if there is no such chunk.
  @discardableResult
  public mutating func unmark(file: Int, chunk: Int) -> Bool {
    guard let bit = bit(file, chunk), isSet(bit) else { return false }
    words[bit >> 6] &= ~(1 << UInt64(bit & 63))
    counts[file] -= 1
    verifiedChunks -= 1
    verifiedBytes -= UInt64(layouts[file].length(of: chunk))
    return true
  }

  /// Notes all chunks of a file as missing.
  public mutating func clear(file: Int) {
    guard layouts.indices.contains(file), counts[file] > 0 else { return }
    for chunk in 0..<layouts[file].count { unmark(file: file, chunk: chunk) }
  }

  /// The first missing chunk of a file from `chunk` on, or nil.
  public func nextMissing(file: Int, from chunk: Int) -> Int? {
    next(file: file, from: chunk, isSet: false)
  }

  /// The missing chunks of a file as ranges, in order.
  public func missingRanges(file: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var chunk = 0
    while let first = next(file: file, from: chunk, isSet: false) {
      let end = next(file: file, from: first, isSet: true) ?? layouts[file].count
      ranges.append(first..<end)
      chunk = end
    }
    return ranges
  }

  /// A file's bits for storage: chunk i is bit `0x80 >> i % 8` of byte i / 8; the last byte's spare bits are zero.
  public func bits(file: Int) -> [UInt8] {
    guard layouts.indices.contains(file) else { return [] }
    var bytes = [UInt8](repeating: 0, count: (layouts[file].count + 7) / 8)
    for chunk in 0..<layouts[file].count where isSet(starts[file] + chunk) { bytes[chunk >> 3] |= 0x80 >> UInt8(chunk & 7) }
    return bytes
  }

  /// Replaces a file's bits by stored ones. Throws ``ArtifactError/Code/invalidMap``, and changes nothing, if the length is
  /// wrong or a spare bit is set.
  public mutating func load(file: Int, bits: [UInt8]) throws(ArtifactError) {
    guard layouts.indices.contains(file), bits.count == (layouts[file].count + 7) / 8 else {
      throw ArtifactError(.invalidMap, "a saved chunk map does not fit its file")
    }
    let spare = bits.count * 8 - layouts[file].count
    if let last = bits.last, last & UInt8(truncatingIfNeeded: (1 << spare) - 1) != 0 {
      throw ArtifactError(.invalidMap, "a saved chunk map names chunks that its file does not have")
    }
    clear(file: file)
    for chunk in 0..<layouts[file].count where bits[chunk >> 3] & (0x80 >> UInt8(chunk & 7)) != 0 {
      mark(file: file, chunk: chunk)
    }
  }

  private func bit(_ file: Int, _ chunk: Int) -> Int? {
    guard layouts.indices.contains(file), chunk >= 0, chunk < layouts[file].count else { return nil }
    return starts[file] + chunk
  }

  private func isSet(_ bit: Int) -> Bool { words[bit >> 6] & (1 << UInt64(bit & 63)) != 0 }

  /// The first chunk from `chunk` on whose bit is as wanted; whole words of the other kind are passed over.
  private func next(file: Int, from chunk: Int, isSet wanted: Bool) -> Int? {
    guard layouts.indices.contains(file) else { return nil }
    var bit = starts[file] + max(0, chunk)
    let end = starts[file + 1]
    while bit < end {
      let word = (wanted ? words[bit >> 6] : ~words[bit >> 6]) >> UInt64(bit & 63)
      if word != 0 {
        let found = bit + word.trailingZeroBitCount
        return found < end ? found - starts[file] : nil
      }
      bit = (bit | 63) + 1
    }
    return nil
  }
}
