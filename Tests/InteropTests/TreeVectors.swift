import Artifact
import Primitives
import Wire

/// `tree.json`: chunks, leaves, roots, leaf lists.
enum TreeVectors: VectorKind {
  static let file = "tree"
  static let section = "13"
  static let about =
    "Hash trees. `root`: chunks given whole. `file`: a file's content cut into chunks. `list`: a leaf list held against size and root."

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    var cases: [VectorCase] = []
    for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17] {
      let chunks = (0..<count).map { index in [UInt8](repeating: UInt8(index), count: 3 * index + 1) }
      cases.append(root("\(count) chunks", "The tree over \(count) leaves.", chunks))
    }
    cases.append(root("equal chunks", "Equal chunks have equal leaves, and the tree is not shorter for it.", [[7], [7], [7]]))
    for (name, size) in [
      ("an empty file", 0), ("one byte", 1), ("one full chunk", 65_536), ("a full chunk and a byte", 65_537),
      ("two full chunks", 131_072), ("a short last chunk", 200_000), ("four full chunks", 262_144),
    ] {
      cases.append(try file(name, "\(size) bytes in chunks of 64 KiB.", size: size))
    }
    cases.append(
      try file("large chunks", "The same content in chunks of 128 KiB has another root.", size: 200_000, chunk: 131_072))
    return cases + (try lists())
  }

  private static func root(_ name: String, _ about: String, _ chunks: [[UInt8]]) -> VectorCase {
    let leaves = chunks.map { HashTree.leaf($0.span) }
    return VectorCase(name, about, op: "root").hexes("chunks", chunks).hexes("leaves", leaves.map(\.bytes))
      .hex("root", HashTree.root(of: leaves).bytes).expect(.ok)
  }

  private static let pattern = Array("0123456789abcdefghijklmnopqrstuvwxyz\n".utf8)

  private static func file(_ name: String, _ about: String, size: Int, chunk: Int = 65_536) throws -> VectorCase {
    let vector = VectorCase(name, about, op: "file").number("chunk", chunk)
      .content("content", repeating: pattern, size: size)
    let facts = try facts(of: vector)
    return vector.hex("sha256", facts.sha256.bytes).number("chunks", facts.leaves.count)
      .hex("leaf list", LeafList(facts.leaves).bytes).hex("root", facts.root.bytes).expect(.ok)
  }

  private static func facts(of vector: VectorCase) throws -> FileFacts {
    let content = try vector.content("content")
    let layout = try ChunkLayout(sizeBytes: UInt64(content.count), chunkBytes: Int(try vector.number("chunk")))
    var hasher = FileHasher(path: try SafePath("a.bin"), layout: layout)
    try hasher.update(content.span)
    return try hasher.finish()
  }

  private static func lists() throws -> [VectorCase] {
    let leaves = (0..<5).map { SHA256Hash.hash([UInt8($0)]).bytes }
    let bytes = leaves.flatMap { $0 }
    let root = HashTree.root(of: try leaves.map { try Digest($0) }).bytes
    let good = VectorCase("a leaf list", "Five leaves that lead to the root.", op: "list").number("size", 4 * 65_536 + 9)
      .number("chunk", 65_536).hex("leaf list", bytes).hex("root", root).expect(.ok)
    func bad(_ name: String, _ about: String, _ change: (VectorCase) -> VectorCase) -> VectorCase {
      change(good.renamed(name, about)).expect(.content)
    }
    let swapped = leaves[1] + leaves[0] + bytes[64...]
    let left = HashTree.node(try Digest(leaves[0]), try Digest(leaves[1])).bytes
    let right = HashTree.node(try Digest(leaves[2]), try Digest(leaves[3])).bytes
    return [
      good,
      bad("a leaf list with a flipped bit", "One leaf is another.") { $0.hex("leaf list", flipped(bytes, at: 70)) },
      bad("a leaf list in another order", "The right leaves, two of them exchanged.") { $0.hex("leaf list", Array(swapped)) },
      bad("a leaf too few", "The size says five.") { $0.hex("leaf list", Array(bytes.dropLast(32))) },
      bad("a leaf too many", "The size says five.") { $0.hex("leaf list", bytes + leaves[0]) },
      bad("a byte too few", "No whole number of leaves.") { $0.hex("leaf list", Array(bytes.dropLast())) },
      bad("no leaves", "Only an empty file has none.") { $0.hex("leaf list", []) },
      bad("nodes for leaves", "Three hashes that lead to the same root, two of them inner nodes. The size says five.") {
        $0.hex("leaf list", left + right + leaves[4])
      },
      bad("the leaves of a longer file", "The list is right for its root, but the file has six chunks.") {
        $0.number("size", 6 * 65_536)
      },
    ]
  }

  static func check(_ vector: VectorCase) throws {
    let root = try Digest(try vector.hex("root"))
    switch try vector.text("op") {
    case "root":
      let leaves = try vector.hexes("chunks").map { HashTree.leaf($0.span) }
      try insist(try vector.hexes("leaves") == leaves.map(\.bytes), "other leaves")
      try vector.same("root", HashTree.root(of: leaves).bytes)
    case "file":
      let facts = try facts(of: vector)
      try vector.same("sha256", facts.sha256.bytes)
      try vector.same("chunks", facts.leaves.count)
      try vector.same("leaf list", LeafList(facts.leaves).bytes)
      try vector.same("root", facts.root.bytes)
      try readList(vector, size: UInt64(try vector.content("content").count), root)
    case "list":
      try readList(vector, size: try vector.number("size"), root)
    default: throw try unknownOperation(vector)
    }
  }

  private static func readList(_ vector: VectorCase, size: UInt64, _ root: Digest) throws {
    let layout = try ChunkLayout(sizeBytes: size, chunkBytes: Int(try vector.number("chunk")))
    let bytes = try vector.hex("leaf list")
    let list = try LeafList(verifying: bytes.span, layout: layout, root: root)
    try insist(list.bytes == bytes, "the list is written otherwise than it was read")
  }
}
