import Artifact
import Primitives
import Testing

@Suite struct HashTreeTests {
  /// Leaf data and roots of the Certificate Transparency project's Merkle tree tests
  /// (github.com/transparency-dev/merkle, testonly/constants.go); the tree of RFC 6962 and RFC 9162 is the same.
  static let published: [(leaf: [UInt8], rootSoFar: String)] = [
    ([], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ([0x00], "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ([0x10], "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ([0x20, 0x21], "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ([0x30, 0x31], "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ([0x40, 0x41, 0x42, 0x43], "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (Array(0x50...0x57), "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (Array(0x60...0x6F), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
  ]

  /// RFC 9162 section 2.1.1 as it is written, by recursion.
  static func definition(_ data: ArraySlice<[UInt8]>) -> [UInt8] {
    switch data.count {
    case 0: return SHA256Hash.hash([]).bytes
    case 1: return SHA256Hash.hash([0] + data[data.startIndex]).bytes
    default:
      var half = 1
      while half * 2 < data.count { half *= 2 }
      let middle = data.startIndex + half
      return SHA256Hash.hash([1] + definition(data[..<middle]) + definition(data[middle...])).bytes
    }
  }

  @Test func publishedRootsAreReached() {
    #expect(HashTree.root(of: []).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    var builder = HashTree.Builder()
    for (data, root) in Self.published {
      builder.append(leaf(data))
      #expect(builder.root().hex == root)
    }
  }

  @Test func everyShapeUpToAHundredLeavesIsTheDefinitions() {
    let data = (0..<100).map { [UInt8]([UInt8($0), 0x55]) }
    var builder = HashTree.Builder()
    for count in 0...100 {
      #expect(builder.root().bytes == Self.definition(data[..<count]), "\(count) leaves")
      #expect(builder.count == count)
      if count < 100 { builder.append(leaf(data[count])) }
    }
  }

  @Test func aLeafIsNeverANode() throws {
    let (left, right) = try (digest(1), digest(2))
    #expect(HashTree.node(left, right) != leaf(left.bytes + right.bytes))
  }

  @Test func aBitFlippedAnywhereInALeafListIsRefused() throws {
    let layout = try ChunkLayout(sizeBytes: 5 << 16, chunkBytes: 1 << 16)
    let list = LeafList((0..<5).map { leaf([UInt8($0)]) })
    #expect(try verified(list.bytes, layout, list.root) == list)
    for bit in 0..<list.bytes.count * 8 {
      var damaged = list.bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(
        code { _ = try verified(damaged, layout, list.root) } == .invalidLeafList, "bit \(bit)")
    }
  }

  @Test func aLeafListOfAnotherLengthIsRefused() throws {
    let layout = try ChunkLayout(sizeBytes: 5 << 16, chunkBytes: 1 << 16)
    let leaves = (0..<5).map { leaf([UInt8($0)]) }
    let root = LeafList(leaves).root
    // The two-leaf list of inner nodes leads to the same root: only the count tells it apart.
    let nodes = [HashTree.root(of: leaves[..<4]), leaves[4]]
    #expect(LeafList(nodes).root == root)
    for bytes in [LeafList(nodes).bytes, LeafList(Array(leaves.dropLast())).bytes, LeafList(leaves).bytes + [0], [], [1]] {
      #expect(code { _ = try verified(bytes, layout, root) } == .invalidLeafList)
    }
  }

  @Test func filesOfOneChunkOrNoneNeedNoList() throws {
    let root = try digest(9)
    func implied(_ size: UInt64) throws -> LeafList? {
      try LeafList.implied(layout: ChunkLayout(sizeBytes: size, chunkBytes: 1 << 16), root: root)
    }
    #expect(try implied(0)?.leaves == [])
    #expect(try implied(1)?.leaves == [root])
    #expect(try implied(1 << 16)?.leaves == [root])
    #expect(try implied(1 << 16 + 1) == nil)
  }

  @Test func onlyTheChunkItselfIsAccepted() throws {
    let chunks: [[UInt8]] = [[1, 2, 3], [4, 5]]
    let list = LeafList(chunks.map { leaf($0) })
    #expect(accepts(list, 0, chunks[0]))
    #expect(chunks[1].withUnsafeBytes { list.accepts(chunk: 1, data: $0) })
    #expect(!chunks[0].withUnsafeBytes { list.accepts(chunk: 1, data: $0) })
    #expect(!chunks[1].withUnsafeBytes { list.accepts(chunk: 2, data: $0) })
    #expect(!accepts(list, 0, chunks[1]))
    #expect(!accepts(list, 0, [1, 2]))
    #expect(!accepts(list, 2, chunks[1]))
    #expect(!accepts(list, -1, chunks[1]))
  }
}
