import Artifact
import Primitives
import Testing

@testable import Transfer

/// A repeatable generator for tests (SplitMix64): a failure names its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// True once in `count` times.
  mutating func oneIn(_ count: Int) -> Bool { count > 0 && Int.random(in: 0..<count, using: &self) == 0 }
}

/// An artifact in memory: what a publisher has and a puller should end up with.
struct TestArtifact {
  static let chunkBytes = ChunkLayout.minimumChunkBytes

  let contents: [[UInt8]]
  let leaves: [LeafList]
  let manifest: Manifest
  let signed: SignedManifest

  var served: ServedArtifact {
    ServedArtifact(digest: signed.digest, manifest: manifest, objectBytes: signed.encoded.count)
  }

  init(sizes: [Int], seed: UInt64 = 1) throws {
    var contents: [[UInt8]] = []
    var leaves: [LeafList] = []
    var builder = ManifestBuilder(name: try ArtifactName("test"), chunkBytes: Self.chunkBytes)
    for (index, size) in sizes.enumerated() {
      let content = Randomness.seeded(seed &* 1_000 &+ UInt64(index)).bytes(size)
      let path = try SafePath("\(10_000 + index).bin")
      var hasher = FileHasher(
        path: path, layout: try ChunkLayout(sizeBytes: UInt64(size), chunkBytes: Self.chunkBytes))
      try hasher.update(content.span)
      let facts = try hasher.finish()
      builder.add(ManifestFile(path: path, sizeBytes: UInt64(size), mode: .regular, facts: facts))
      contents.append(content)
      leaves.append(LeafList(facts.leaves))
    }
    self.contents = contents
    self.leaves = leaves
    manifest = try builder.build(version: 1, previous: nil, publisher: Nodes.server, created: 1, note: "")
    signed = try SignedManifest(bytes: try manifest.encoded(), signature: [1, 2, 3])
  }

  /// The bytes that a job asks for.
  func bytes(for job: SealJob) -> [UInt8] {
    let object =
      switch job.kind {
      case .chunks: contents[job.file]
      case .leafList: leaves[job.file].bytes
      case .manifest: signed.encoded
      }
    return Array(object[Int(job.offset)..<Int(job.offset) + job.plaintextBytes])
  }
}

/// A manifest that describes files nobody has: for planning.
func bareManifest(sizes: [UInt64], chunkBytes: Int) throws -> Manifest {
  var builder = ManifestBuilder(name: try ArtifactName("bare"), chunkBytes: chunkBytes)
  for (index, size) in sizes.enumerated() {
    let root = size == 0 ? HashTree.emptyRoot : SHA256Hash.hash([UInt8(truncatingIfNeeded: index)])
    builder.add(
      ManifestFile(
        path: try SafePath("\(100_000 + index)"), sizeBytes: size, mode: .regular, kind: .other, sha256: root, root: root,
        format: nil))
  }
  return try builder.build(version: 1, previous: nil, publisher: Nodes.server, created: 1, note: "")
}

/// Node ids and names that tests share.
enum Nodes {
  static let server = SHA256Hash.hash([1])
  static let puller = SHA256Hash.hash([2])
  static let other = SHA256Hash.hash([3])
}

func id<Tag>(_ value: UInt64) -> ID16<Tag> { ID16(high: 7, low: value) }

func secret(_ value: UInt8) -> SecretBox { SecretBox(SecretBytes(copying: [UInt8](repeating: value, count: 32))) }

extension PullAction {
  var want: Want? {
    if case .send(_, let want) = self { want } else { nil }
  }

  var failure: PullFailure? {
    if case .failed(let failure) = self { failure } else { nil }
  }

  var drop: PullFailure? {
    if case .drop(_, let failure) = self { failure } else { nil }
  }

  var closed: ConnectionID? {
    if case .close(let connection) = self { connection } else { nil }
  }
}

/// Seals a job's frame as a server would.
func frame(of job: SealJob, _ plaintext: [UInt8]) throws -> [UInt8] {
  var frame = [UInt8](repeating: 0, count: job.frameBytes)
  let count = try frame.withUnsafeMutableBytes { frame in
    try plaintext.withUnsafeBytes { try job.seal($0, into: frame) }
  }
  #expect(count == frame.count)
  return frame
}
