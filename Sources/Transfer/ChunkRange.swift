internal import Artifact

/// What a grant's secret is good for.
public enum SegmentKind: UInt8, Hashable, Sendable {
  /// Chunks of files.
  case chunks = 0
  /// The signed manifest: lp(manifest) ‖ lp(signature), in pieces.
  case manifest = 1
  /// Leaf lists of files, in pieces.
  case leafList = 2
}

/// A run of chunks of one file, or of pieces of its leaf list: `[file, first, count]` in a message.
public struct ChunkRange: Hashable, Sendable {
  /// The file's place in the manifest.
  public let file: Int
  /// The first chunk.
  public let first: Int
  /// How many, at least one.
  public let count: Int

  /// A range; nothing is checked: see ``isProper(_:)``.
  public init(file: Int, first: Int, count: Int) {
    self.file = file
    self.first = first
    self.count = count
  }

  /// The chunks.
  public var chunks: Range<Int> { first..<first + count }

  /// Whether a peer's ranges are few enough, not empty, within what any manifest may have, sorted, and without overlap.
  static func isProper(_ ranges: [ChunkRange]) -> Bool {
    guard ranges.count <= TransferLimits.ranges else { return false }
    var previous: ChunkRange?
    for range in ranges {
      guard (0..<Manifest.maximumFiles).contains(range.file), (0..<ChunkLayout.maximumChunks).contains(range.first),
        (1...ChunkLayout.maximumChunks).contains(range.count)
      else { return false }
      if let previous, range.file < previous.file { return false }
      if let previous, range.file == previous.file, range.first < previous.chunks.upperBound { return false }
      previous = range
    }
    return true
  }
}

/// Walks the chunks of a grant in order, once. There is no way back: what it has passed is never named again.
struct RangeCursor: Sendable {
  private let ranges: [ChunkRange]
  private var index = 0
  private var passed = 0

  init(_ ranges: [ChunkRange]) { self.ranges = ranges }

  /// The chunk whose turn it is, or nil at the end.
  var next: (file: Int, chunk: Int)? {
    guard index < ranges.count else { return nil }
    return (ranges[index].file, ranges[index].first + passed)
  }

  /// Passes the chunk whose turn it is.
  mutating func advance() {
    guard index < ranges.count else { return }
    passed += 1
    if passed == ranges[index].count {
      index += 1
      passed = 0
    }
  }

  /// What is left, in order.
  var remaining: [ChunkRange] {
    guard index < ranges.count else { return [] }
    let current = ranges[index]
    let rest = ChunkRange(file: current.file, first: current.first + passed, count: current.count - passed)
    return [rest] + ranges[(index + 1)...]
  }
}

/// How an object of known length falls into pieces of 1 MiB.
struct PieceLayout: Hashable, Sendable {
  let sizeBytes: Int

  var count: Int { (sizeBytes + TransferLimits.pieceBytes - 1) / TransferLimits.pieceBytes }

  /// 0 if there is no such piece.
  func length(of piece: Int) -> Int {
    guard piece >= 0, piece < count else { return 0 }
    return min(TransferLimits.pieceBytes, sizeBytes - piece * TransferLimits.pieceBytes)
  }
}

extension ChunkLayout {
  /// How the leaf list of a file with this layout falls into pieces.
  var leafPieces: PieceLayout { PieceLayout(sizeBytes: count * LeafList.leafBytes) }

  /// The bytes that a run of chunks covers; the run is within the file.
  func bytes(of chunks: Range<Int>) -> Int {
    guard let last = chunks.last else { return 0 }
    return Int(range(of: last).upperBound - range(of: chunks.lowerBound).lowerBound)
  }
}
