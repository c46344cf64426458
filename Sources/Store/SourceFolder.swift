internal import Glibc

/// Published files, read where they lie. Safe to use from several threads; blocks, so not on the loop.
///
/// Before and after each read the very descriptor is held against what was recorded when the file was shared, so bytes of a
/// file that is being rewritten are never served as the old ones. (What slips through, a write inside one clock tick, fails at
/// the receiver against the hash tree.)
public final class SourceFolder: Sendable {
  private let root: String
  private let files: [Int: PublishedFile]
  private let folder: Descriptor
  private let pool = DescriptorPool()

  /// Opens the folder; files are opened as they are read. Throws `sourceMissing` or `sourceUnreadable`.
  public init(root: String, files: [PublishedFile]) throws(StoreError) {
    guard let folder = Descriptor.open(root, O_RDONLY | O_DIRECTORY) else { throw .source(errno, root) }
    self.root = root
    self.folder = folder
    self.files = Dictionary(files.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Fills `buffer` from a file at `offset`. Throws `sourceChanged` if the file is not what was shared, or ends too early.
  public func read(file: Int, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
    guard let published = files[file] else {
      throw StoreError(.sourceMissing, root, detail: "the artifact has no file \(file)")
    }
    let path = "\(root)/\(published.source)"
    let descriptor = try pool.descriptor(file) { () throws(StoreError) in
      // O_NONBLOCK: a pipe put in the file's place must not hang us.
      guard let opened = Beneath.open(folder, published.source, O_RDONLY | O_NONBLOCK) else { throw .source(errno, path) }
      return opened
    }
    func check() throws(StoreError) {
      guard let status = descriptor.status() else { throw .source(errno, path) }
      guard status.isRegular, FileIdentity(status) == published.identity else {
        pool.forget(file)
        throw .changed(path)
      }
    }
    try check()
    let count = descriptor.read(into: buffer, at: offset)
    guard count >= 0 else { throw .source(errno, path) }
    try check()
    guard count == buffer.count else { throw .changed(path) }
  }

  /// The same into a new array.
  public func read(file: Int, at offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // The array's own function does not carry the error's type.
    let result = bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(StoreError) in try read(file: file, at: offset, into: buffer) }
    }
    try result.get()
    return bytes
  }

  /// Whether the path still leads to the file that was shared: the descriptor of one that was replaced by another stays good.
  public func isCurrent(file: Int) -> Bool { state(file: file) == .current }

  /// What the path of a file leads to now; nil if it cannot be looked at, which says nothing about the file.
  public func state(file: Int) -> SourceState? {
    guard let published = files[file] else { return .gone }
    guard let found = Beneath.open(folder, published.source, O_RDONLY | O_NONBLOCK) else {
      return SourceState(.source(errno, published.source))
    }
    guard let status = found.status() else { return nil }
    return status.isRegular && FileIdentity(status) == published.identity ? .current : .changed
  }

  /// What the sources of a version lead to: the worst of it, and whether every one of them could be looked at.
  public static func look(root: String, files: [PublishedFile]) -> (worst: SourceState, isComplete: Bool) {
    let folder: SourceFolder
    do { folder = try SourceFolder(root: root, files: files) } catch {
      let state = SourceState(error)
      return (state ?? .current, state != nil)
    }
    let states = files.map { folder.state(file: $0.index) }
    return (states.compactMap(\.self).max() ?? .current, !states.contains(nil))
  }

  /// How many files are kept open.
  var openFiles: Int { pool.count }

  /// Closes the open files.
  public func close() { pool.closeAll() }
}

extension SourceState {
  /// What an error says of a shared file; nil: nothing, it may pass.
  public init?(_ error: StoreError) {
    switch error.code {
    case .sourceMissing: self = .gone
    case .sourceChanged, .symlinkInSource, .specialFile: self = .changed
    default: return nil
    }
  }
}

extension StoreError {
  static func changed(_ path: String) -> StoreError {
    StoreError(.sourceChanged, path, detail: "it is no longer the file that was shared")
  }
}
