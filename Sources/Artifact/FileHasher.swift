public import Primitives

/// What one pass over a file yields for its manifest.
public struct FileFacts: Hashable, Sendable {
  /// SHA-256 over the whole file.
  public let sha256: Digest
  /// The root of its hash tree.
  public let root: Digest
  /// The leaves of its hash tree.
  public let leaves: [Digest]
  /// What the file is.
  public let kind: FileKind
  /// What is inside, for formats that we read.
  public let format: FormatFacts?

  /// Facts that were computed before, or elsewhere.
  public init(sha256: Digest, root: Digest, leaves: [Digest], kind: FileKind, format: FormatFacts?) {
    self.sha256 = sha256
    self.root = root
    self.leaves = leaves
    self.kind = kind
    self.format = format
  }
}

/// Computes a file's whole hash, hash tree and format facts in one pass, from pieces of any length.
///
/// It holds no chunk: one running hash for the file, one for the chunk under way, and a safetensors header while it comes in.
public struct FileHasher: Sendable {
  private let layout: ChunkLayout
  private var whole = SHA256Hash.Hasher()
  private var chunk = Self.chunkHasher()
  private var leaves: [Digest] = []
  private var seenBytes: UInt64 = 0
  private var probe: FormatProbe

  /// A hasher before a file's first byte.
  public init(path: SafePath, layout: ChunkLayout) {
    self.layout = layout
    probe = FormatProbe(path: path, fileBytes: layout.sizeBytes)
    leaves.reserveCapacity(layout.count)
  }

  /// Takes the file's next bytes. Throws ``ArtifactError/Code/sizeChanged`` when they are more than its size.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) throws(ArtifactError) {
    try update(unsafe Span(_unsafeElements: bytes.bindMemory(to: UInt8.self)))
  }

  /// Takes the file's next bytes. Throws ``ArtifactError/Code/sizeChanged`` when they are more than its size.
  public mutating func update(_ bytes: Span<UInt8>) throws(ArtifactError) {
    guard UInt64(bytes.count) <= layout.sizeBytes - seenBytes else {
      throw ArtifactError(.sizeChanged, "the file grew while it was read")
    }
    whole.update(bytes)
    probe.append(bytes)
    var position = 0
    while position < bytes.count {
      let open = layout.chunkBytes - Int(seenBytes % UInt64(layout.chunkBytes))
      let taken = min(open, bytes.count - position)
      chunk.update(bytes.extracting(position..<position + taken))
      position += taken
      seenBytes += UInt64(taken)
      if taken == open || seenBytes == layout.sizeBytes {
        leaves.append(chunk.finalize())
        chunk = Self.chunkHasher()
      }
    }
  }

  /// The facts. Throws ``ArtifactError/Code/sizeChanged`` when bytes are missing.
  public consuming func finish() throws(ArtifactError) -> FileFacts {
    guard seenBytes == layout.sizeBytes else { throw ArtifactError(.sizeChanged, "the file shrank while it was read") }
    let (kind, format) = probe.finish()
    return FileFacts(
      sha256: whole.finalize(), root: HashTree.root(of: leaves), leaves: leaves, kind: kind, format: format)
  }

  private static func chunkHasher() -> SHA256Hash.Hasher {
    var hasher = SHA256Hash.Hasher()
    hasher.update(HashTree.leafPrefix)
    return hasher
  }
}
