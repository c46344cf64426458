internal import Artifact
internal import Store

extension ScannedTree {
  /// The chunk size for the longest file. Throws ``NodeError`` with `usage` for one that is too long for any.
  func chunkBytes() throws -> Int {
    do { return try ChunkLayout.chunkBytes(forLargestFile: largestFileBytes) } catch {
      let path = files.max { $0.identity.sizeBytes < $1.identity.sizeBytes }.map { "\(root)/\($0.source)" } ?? root
      let most = SizeText.text(UInt64(ChunkLayout.maximumChunks) * UInt64(ChunkLayout.maximumChunkBytes))
      throw NodeError(
        .usage, "\(path) has \(SizeText.text(largestFileBytes)), and a file of an artifact at most \(most)",
        hint: "split it, or leave it out of the folder")
    }
  }
}
