internal import Artifact
internal import Glibc
internal import Primitives

/// Reads a file on the disk chunk by chunk and hashes each as its leaf.
struct ChunkReader {
  private let file: Descriptor
  private let sizeBytes: UInt64
  private let chunkBytes: Int

  init(_ file: Descriptor, sizeBytes: UInt64, chunkBytes: Int) {
    self.file = file
    self.sizeBytes = sizeBytes
    self.chunkBytes = chunkBytes
  }

  /// Calls `body` with each chunk's number and leaf hash. False if the file ends early or cannot be read.
  func forEachLeaf(_ body: (Int, Digest) -> Void) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, chunkBytes), alignment: 16)
    defer { buffer.deallocate() }
    posix_fadvise(file.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    var offset: UInt64 = 0
    var chunk = 0
    while offset < sizeBytes {
      let count = Int(min(UInt64(chunkBytes), sizeBytes - offset))
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      guard file.read(into: piece, at: offset) == count else { return false }
      body(chunk, HashTree.leaf(UnsafeRawBufferPointer(piece)))
      offset += UInt64(count)
      chunk += 1
    }
    return true
  }

  /// The root of the file's hash tree; nil if it cannot be read.
  func root() -> Digest? {
    var builder = HashTree.Builder()
    guard forEachLeaf({ _, leaf in builder.append(leaf) }) else { return nil }
    return builder.root()
  }
}
