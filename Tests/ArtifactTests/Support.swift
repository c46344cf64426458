import Artifact
import Primitives
import Testing

/// xorshift64*: the same numbers from the same seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed | 1 }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }
}

/// The code of the error that a call throws, or nil.
func code(_ body: () throws -> Void) -> ArtifactError.Code? {
  do {
    try body()
    return nil
  } catch {
    return (error as? ArtifactError)?.code
  }
}

/// 32 bytes of one value.
func digest(_ byte: UInt8) throws -> Digest { try Digest([UInt8](repeating: byte, count: 32)) }

/// A file whose hashes are made up.
func file(_ path: String, size: UInt64 = 5, _ kind: FileKind = .other, format: FormatFacts? = nil) throws -> ManifestFile {
  try ManifestFile(
    path: SafePath(path), sizeBytes: size, mode: .regular, kind: kind, sha256: size == 0 ? HashTree.emptyRoot : digest(7),
    root: size == 0 ? HashTree.emptyRoot : digest(8), format: format)
}

/// A manifest of such files.
func manifest(_ files: [ManifestFile], note: String = "") throws -> Manifest {
  var builder = try ManifestBuilder(name: ArtifactName("anime-lora"))
  for file in files { builder.add(file) }
  return try builder.build(version: 3, previous: digest(1), publisher: digest(2), created: 1_700_000_000, note: note)
}

// A span cannot be named inside `#expect`: these take arrays.

/// The manifest in a text.
func decoded(_ bytes: [UInt8]) throws -> Manifest { try Manifest(decoding: bytes.span) }

/// The leaf of a chunk.
func leaf(_ chunk: [UInt8]) -> Digest { HashTree.leaf(chunk.span) }

/// Whether a list takes a chunk.
func accepts(_ list: LeafList, _ chunk: Int, _ data: [UInt8]) -> Bool { list.accepts(chunk: chunk, data: data.span) }

/// A leaf list, verified.
func verified(_ bytes: [UInt8], _ layout: ChunkLayout, _ root: Digest) throws -> LeafList {
  try LeafList(verifying: bytes.span, layout: layout, root: root)
}

/// What a file of this name and beginning is.
func kind(_ name: String, _ head: [UInt8]) throws -> FileKind { try FileFormat.kind(path: SafePath(name), head: head.span) }
