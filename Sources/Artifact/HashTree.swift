public import Primitives

/// The Merkle tree over a file's chunks: MTH of RFC 9162 section 2.1.1 with SHA-256.
///
/// MTH({}) = H(""); MTH({d}) = H(00 ‖ d); MTH(D[n]) = H(01 ‖ MTH(D[0:k]) ‖ MTH(D[k:n])), k the largest power of two < n.
/// The prefixes keep a leaf from passing for a node.
public enum HashTree {
  /// Domain separation of leaves and nodes.
  static let leafPrefix: [UInt8] = [0x00]
  static let nodePrefix: [UInt8] = [0x01]

  /// The root over no chunk at all: H("").
  public static let emptyRoot = SHA256Hash.hash([])

  /// The leaf of a chunk: H(00 ‖ chunk).
  public static func leaf(_ chunk: Span<UInt8>) -> Digest {
    var hasher = SHA256Hash.Hasher()
    hasher.update(leafPrefix)
    hasher.update(chunk)
    return hasher.finalize()
  }

  /// The leaf of a chunk in a frame's buffer.
  public static func leaf(_ chunk: UnsafeRawBufferPointer) -> Digest {
    var hasher = SHA256Hash.Hasher()
    hasher.update(leafPrefix)
    unsafe hasher.update(chunk)
    return hasher.finalize()
  }

  /// An inner node: H(01 ‖ left ‖ right).
  public static func node(_ left: Digest, _ right: Digest) -> Digest {
    var hasher = SHA256Hash.Hasher()
    hasher.update(nodePrefix)
    hasher.update(left.span)
    hasher.update(right.span)
    return hasher.finalize()
  }

  /// The root over leaves in the order of their chunks.
  public static func root(of leaves: some Sequence<Digest>) -> Digest {
    var builder = Builder()
    for leaf in leaves { builder.append(leaf) }
    return builder.root()
  }

  /// Computes a root from leaves that come one by one, in memory logarithmic in their number.
  public struct Builder: Sendable {
    /// Roots of the full subtrees so far, largest first: one for each set bit of `count`.
    private var subtrees: [Digest] = []
    /// Leaves so far.
    public private(set) var count = 0

    /// A tree without leaves.
    public init() {}

    /// Adds the next leaf.
    public mutating func append(_ leaf: Digest) {
      var merged = leaf
      var position = count
      while position & 1 == 1, let left = subtrees.popLast() {
        merged = HashTree.node(left, merged)
        position >>= 1
      }
      subtrees.append(merged)
      count += 1
    }

    /// The root over the leaves so far.
    public func root() -> Digest {
      guard var root = subtrees.last else { return HashTree.emptyRoot }
      for left in subtrees.dropLast().reversed() { root = HashTree.node(left, root) }
      return root
    }
  }
}
