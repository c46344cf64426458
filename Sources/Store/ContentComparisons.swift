public import EventLoop
internal import Artifact
internal import Glibc
internal import Primitives

/// Files at a destination whose contents a plan must know, hashed in slices between two looks at the destination.
///
/// A look asks ``root(of:path:chunkBytes:)`` for what it needs. What is not known yet is noted, and taken for different meanwhile;
/// ``hash(on:)`` then reads all of it, and the next look finds it here. So large files that lie there already keep no thread from
/// others, and the work ends with its task.
public final class ContentComparisons: Sendable {
  /// Looks after which a file that keeps changing is different.
  private static let maximumLooks = 4

  private struct Wanted {
    let path: String
    let identity: FileIdentity
    let chunkBytes: Int
  }

  private struct State {
    /// Roots by file; nil: it could not be read.
    var known: [FileIdentity: Digest?] = [:]
    var wanted: [Wanted] = []
    var looks = 0
    var builder = HashTree.Builder()
    /// Chunks of the last of ``wanted`` that are hashed.
    var chunks = 0
  }

  private let state = Locked(State())

  /// Nothing is known.
  public init() {}

  /// The root of a file's hash tree; nil if it is not known, or the file cannot be read.
  func root(of identity: FileIdentity, path: String, chunkBytes: Int) -> Digest? {
    state.withLock { state in
      if let known = state.known[identity] { return known }
      if state.looks < Self.maximumLooks {
        state.wanted.append(Wanted(path: path, identity: identity, chunkBytes: chunkBytes))
      }
      return nil
    }
  }

  /// Whether the look that ended just now has asked for what was not known: it is to be repeated after ``hash(on:)``.
  public var isIncomplete: Bool { state.withLock { !$0.wanted.isEmpty } }

  /// Reads what was asked for. Throws what `runInSlices` throws.
  public func hash(on pool: WorkerPool) async throws {
    _ = try await pool.runInSlices { try self.step(WorkSlice()) ? true : nil }
    state.withLock { $0.looks += 1 }
  }

  /// One slice. True: everything is read.
  func step(_ slice: WorkSlice) throws -> Bool {
    try state.withLock { state in
      var slice = slice
      var hasTime = true
      while let file = state.wanted.last {
        guard hasTime else { return false }
        if state.known[file.identity] == nil {
          guard try Self.read(file, &state, &slice, &hasTime) else { return false }
        }
        state.wanted.removeLast()
        (state.builder, state.chunks) = (HashTree.Builder(), 0)
      }
      return true
    }
  }

  /// False: there is more of it.
  private static func read(
    _ file: Wanted, _ state: inout State, _ slice: inout WorkSlice, _ hasTime: inout Bool
  ) throws -> Bool {
    let opened = Descriptor.open(file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    // Another file is there by now: the next look asks for that one.
    guard let opened, let status = opened.status(), status.isRegular, FileIdentity(status) == file.identity else { return true }
    let reader = ChunkReader(opened, sizeBytes: file.identity.sizeBytes, chunkBytes: file.chunkBytes)
    let isRead = reader.forEachLeaf(from: state.chunks) { _, leaf in
      state.builder.append(leaf)
      state.chunks += 1
      hasTime = slice.spend(file.chunkBytes)
      return hasTime
    }
    guard isRead else {
      try StoreError.throwIfStopped()
      state.known[file.identity] = .some(nil)
      return true
    }
    guard UInt64(state.chunks) * UInt64(file.chunkBytes) >= file.identity.sizeBytes else { return false }
    state.known[file.identity] = state.builder.root()
    return true
  }
}
