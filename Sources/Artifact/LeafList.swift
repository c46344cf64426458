public import Primitives
internal import Wire

/// The leaves of one file's hash tree, in the order of its chunks. A value from a peer exists only once it led to the root.
public struct LeafList: Hashable, Sendable {
  /// Bytes of one leaf on the wire.
  public static let leafBytes = 32
  /// The longest list there is: 2 MiB.
  public static let maximumBytes = ChunkLayout.maximumChunks * leafBytes

  /// The leaves.
  public let leaves: [Digest]

  /// A publisher's own leaves.
  public init(_ leaves: [Digest]) {
    self.leaves = leaves
  }

  /// Reads a list that a peer or a disk holds: n × 32 bytes.
  ///
  /// Returning means that the list has as many leaves as the layout has chunks, and that they are the root's. Throws
  /// ``ArtifactError/Code/invalidLeafList`` otherwise.
  public init(verifying bytes: Span<UInt8>, layout: ChunkLayout, root: Digest) throws(ArtifactError) {
    guard bytes.count == layout.count * Self.leafBytes else {
      throw ArtifactError(
        .invalidLeafList, "a leaf list has \(bytes.count) bytes, its file needs \(layout.count * Self.leafBytes)")
    }
    var leaves: [Digest] = []
    leaves.reserveCapacity(layout.count)
    var reader = ByteReader(bytes)
    while reader.remaining > 0 {
      guard let field = try? reader.bytes(Self.leafBytes), let leaf = try? Digest(field) else { break }
      leaves.append(leaf)
    }
    guard leaves.count == layout.count, HashTree.root(of: leaves) == root else {
      throw ArtifactError(.invalidLeafList, "a leaf list does not lead to the root in the manifest")
    }
    self.leaves = leaves
  }

  /// The list of a file that needs none sent: no chunk, or one, whose leaf is the root. Nil if it must be fetched.
  public static func implied(layout: ChunkLayout, root: Digest) -> LeafList? {
    switch layout.count {
    case 0: LeafList([])
    case 1: LeafList([root])
    default: nil
    }
  }

  /// The root that the leaves lead to.
  public var root: Digest { HashTree.root(of: leaves) }

  /// The leaves joined, as they travel.
  public var bytes: [UInt8] {
    var writer = ByteWriter(capacity: leaves.count * Self.leafBytes)
    for leaf in leaves { writer.append(leaf.bytes) }
    return writer.bytes
  }

  /// Whether the bytes are those of a chunk. False too for a chunk that the list does not have.
  public func accepts(chunk: Int, data: UnsafeRawBufferPointer) -> Bool {
    unsafe leaves.indices.contains(chunk) && HashTree.leaf(data) == leaves[chunk]
  }

  /// Whether the bytes are those of a chunk. False too for a chunk that the list does not have.
  public func accepts(chunk: Int, data: Span<UInt8>) -> Bool {
    leaves.indices.contains(chunk) && HashTree.leaf(data) == leaves[chunk]
  }
}
