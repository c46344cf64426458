public import Artifact
public import EventLoop
internal import Primitives

/// A scanned file with what its bytes say.
public struct HashedFile: Hashable, Sendable {
  /// The file.
  public let file: ScannedFile
  /// Its SHA-256, tree and format facts.
  public let facts: FileFacts

  /// The record that is published: which file, and its leaf list.
  public func published(index: Int) -> PublishedFile {
    PublishedFile(
      index: index, source: file.source, identity: file.identity, leaves: LeafList(facts.leaves).bytes)
  }
}

extension SourceScanner {
  /// Bytes read at once: large enough that calls cost nothing, small enough to stay in the processor's cache.
  static let readBytes = 1 << 20

  /// Reads one file of a tree in one pass: whole SHA-256, leaf hashes, format facts. Blocks, so on a worker.
  /// `progress` gets the bytes of each step. Throws `sourceChanging` if the file is not, or does not stay, what was scanned.
  public static func hash(
    _ tree: ScannedTree, file: ScannedFile, chunkBytes: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> HashedFile {
    let hashing = SourceHashing(tree, file: file, chunkBytes: chunkBytes)
    while true {
      if let hashed = try hashing.step(progress: progress) { return hashed }
    }
  }

  /// Hashes every file of a tree on the pool's threads; the result is in the tree's order. Cancelling the task ends it
  /// after the slices under way. Not where the caller runs: 100,000 results are more than a loop should move about.
  @concurrent public static func hash(
    _ tree: ScannedTree, chunkBytes: Int, pool: WorkerPool, threads: Int = 2,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws -> [HashedFile] {
    try await withThrowingTaskGroup(of: (Int, HashedFile).self) { group in
      var results = [HashedFile?](repeating: nil, count: tree.files.count)
      var next = 0
      func add() {
        guard next < tree.files.count else { return }
        let index = next
        next += 1
        group.addTask {
          let hashing = SourceHashing(tree, file: tree.files[index], chunkBytes: chunkBytes)
          return (index, try await pool.runInSlices { try hashing.step(progress: progress) })
        }
      }
      // A few in flight: the pool has a few threads, and a queue of 100,000 jobs would only hold memory.
      for _ in 0..<max(1, threads) { add() }
      while let (index, file) = try await group.next() {
        results[index] = file
        add()
      }
      return results.compactMap { $0 }
    }
  }
}
