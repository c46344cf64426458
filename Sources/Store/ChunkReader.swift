internal import Artifact
internal import EventLoop
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

  /// Calls `body` with each chunk's number and leaf hash, beginning with the chunk `first`, until it says false. False if the file
  /// ends early or cannot be read, or the job is to stop.
  func forEachLeaf(from first: Int = 0, _ body: (Int, Digest) -> Bool) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, chunkBytes), alignment: 16)
    defer { buffer.deallocate() }
    posix_fadvise(file.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    var offset = UInt64(first) * UInt64(chunkBytes)
    var chunk = first
    while offset < sizeBytes {
      let count = Int(min(UInt64(chunkBytes), sizeBytes - offset))
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      guard !StopSignal.isSet, file.read(into: piece, at: offset) == count else { return false }
      guard body(chunk, HashTree.leaf(UnsafeRawBufferPointer(piece))) else { return true }
      offset += UInt64(count)
      chunk += 1
    }
    return true
  }

  /// The root of the file's hash tree; nil if it cannot be read.
  func root() -> Digest? {
    var builder = HashTree.Builder()
    let isWhole = forEachLeaf { _, leaf in
      builder.append(leaf)
      return true
    }
    guard isWhole else { return nil }
    return builder.root()
  }
}
