/// How a file's size falls into chunks. Both sides compute it: the number of leaves never comes from a sender.
public struct ChunkLayout: Hashable, Sendable {
  /// Measured best: one frame, one read and one `pwrite` each (`docs/ARCHITECTURE.md`).
  public static let defaultChunkBytes = 1 << 20
  /// Below this, tags, hashes and frame headers begin to show in the rate.
  public static let minimumChunkBytes = 64 << 10
  /// A receiver holds several chunks at once; this keeps that below its memory limit.
  public static let maximumChunkBytes = 16 << 20
  /// Leaves a file: a leaf list of 2 MiB, and files up to 1 TiB.
  public static let maximumChunks = 65_536

  /// The file's length.
  public let sizeBytes: UInt64
  /// The length of every chunk but the last.
  public let chunkBytes: Int

  /// Throws ``ArtifactError/Code/invalidLayout`` if the chunk size is no power of two in range, or the file has more than
  /// ``maximumChunks`` of them.
  public init(sizeBytes: UInt64, chunkBytes: Int) throws(ArtifactError) {
    guard chunkBytes > 0, Self.isValid(chunkBytes: UInt64(chunkBytes)) else {
      throw ArtifactError(.invalidLayout, "the chunk size must be a power of two from 64 KiB to 16 MiB")
    }
    guard sizeBytes <= UInt64(chunkBytes) * UInt64(Self.maximumChunks) else {
      throw ArtifactError(.invalidLayout, "a file has more than \(Self.maximumChunks) chunks")
    }
    self.sizeBytes = sizeBytes
    self.chunkBytes = chunkBytes
  }

  /// For a layout whose parts were checked before.
  init(checkedSizeBytes sizeBytes: UInt64, chunkBytes: Int) {
    self.sizeBytes = sizeBytes
    self.chunkBytes = chunkBytes
  }

  /// ceil(size / chunk size): 0 for an empty file.
  public var count: Int { Int((sizeBytes + UInt64(chunkBytes) - 1) / UInt64(chunkBytes)) }

  /// The bytes of the file that a chunk covers; empty if there is no such chunk.
  public func range(of chunk: Int) -> Range<UInt64> {
    guard chunk >= 0, chunk < count else { return sizeBytes..<sizeBytes }
    let start = UInt64(chunk) * UInt64(chunkBytes)
    return start..<min(start + UInt64(chunkBytes), sizeBytes)
  }

  /// The length of a chunk in bytes: the last may be shorter. 0 if there is no such chunk.
  public func length(of chunk: Int) -> Int {
    let range = range(of: chunk)
    return Int(range.upperBound - range.lowerBound)
  }

  /// The smallest chunk size from the default upwards with which a publisher's largest file fits.
  ///
  /// Throws ``ArtifactError/Code/limitExceeded`` for a file above 1 TiB.
  public static func chunkBytes(forLargestFile sizeBytes: UInt64) throws(ArtifactError) -> Int {
    var chunkBytes = defaultChunkBytes
    while sizeBytes > UInt64(chunkBytes) * UInt64(maximumChunks) {
      guard chunkBytes < maximumChunkBytes else { throw ArtifactError(.limitExceeded, "a file is larger than 1 TiB") }
      chunkBytes *= 2
    }
    return chunkBytes
  }

  /// Whether a number is a power of two in range.
  public static func isValid(chunkBytes: UInt64) -> Bool {
    chunkBytes.nonzeroBitCount == 1 && (UInt64(minimumChunkBytes)...UInt64(maximumChunkBytes)).contains(chunkBytes)
  }
}
