public import Artifact
public import EventLoop
internal import Glibc
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
  /// `progress` gets the bytes of each step. Throws `sourceChanged` if the file is not, or does not stay, what was scanned.
  public static func hash(
    _ tree: ScannedTree, file: ScannedFile, chunkBytes: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> HashedFile {
    let path = "\(tree.root)/\(file.source)"
    guard let folder = Descriptor.open(tree.root, O_RDONLY | O_DIRECTORY) else { throw StoreError.source(errno, tree.root) }
    guard let opened = Beneath.open(folder, file.source, O_RDONLY | O_NONBLOCK) else { throw StoreError.source(errno, path) }
    func check() throws {
      guard let status = opened.status() else { throw StoreError.source(errno, path) }
      guard status.isRegular, FileIdentity(status) == file.identity else { throw StoreError.changed(path) }
    }
    try check()
    posix_fadvise(opened.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    let layout: ChunkLayout
    do {
      layout = try ChunkLayout(sizeBytes: file.identity.sizeBytes, chunkBytes: chunkBytes)
    } catch {
      throw StoreError(.fileTooLarge, path, detail: error.reason)
    }
    var hasher = FileHasher(path: file.path, layout: layout)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readBytes, alignment: 16)
    defer { buffer.deallocate() }
    var offset: UInt64 = 0
    while offset < file.identity.sizeBytes {
      let count = opened.read(into: buffer, at: offset)
      guard count >= 0 else { throw StoreError.source(errno, path) }
      guard count > 0, offset + UInt64(count) <= file.identity.sizeBytes else { throw StoreError.changed(path) }
      try hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      offset += UInt64(count)
      try progress(count)
    }
    try check()
    do {
      return HashedFile(file: file, facts: try hasher.finish())
    } catch {
      throw StoreError.changed(path)
    }
  }

  /// Hashes every file of a tree on the pool's threads; the result is in the tree's order. Cancelling the task ends it
  /// after the piece under way. Not where the caller runs: 100,000 results are more than a loop should move about.
  @concurrent public static func hash(
    _ tree: ScannedTree, chunkBytes: Int, pool: WorkerPool, threads: Int = 2,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws -> [HashedFile] {
    try await withThrowingTaskGroup(of: (Int, HashedFile).self) { group in
      var results = [HashedFile?](repeating: nil, count: tree.files.count)
      let isCancelled = Flag()
      var next = 0
      func add() {
        guard next < tree.files.count else { return }
        let index = next
        next += 1
        group.addTask {
          try await withTaskCancellationHandler {
            try await pool.run {
              (
                index,
                try hash(tree, file: tree.files[index], chunkBytes: chunkBytes) { count in
                  if isCancelled.isSet { throw CancellationError() }
                  progress(count)
                }
              )
            }
          } onCancel: {
            isCancelled.set()
          }
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

/// Set once, read from any thread.
final class Flag: Sendable {
  private let state = Locked(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
