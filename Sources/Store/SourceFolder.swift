internal import Artifact
internal import Glibc
public import Primitives

/// Published files, read where they lie. Safe to use from several threads; blocks, so not on the loop.
///
/// Before and after each read the very descriptor is held against what was recorded when the file was shared, so bytes of a
/// file that is being rewritten are never served as the old ones. (What slips through, a write inside one clock tick, fails at
/// the receiver against the hash tree.) Where only the time of the last write differs, bytes are taken by their hash.
public final class SourceFolder: Sendable {
  private let root: String
  /// The caller's own array, as the database gives it: 100,000 files are there once.
  private let files: [PublishedFile]
  private let folder: Descriptor
  /// The blobs of the Hugging Face cache, if files lie there.
  private let blobs: Descriptor?
  private let pool = DescriptorPool()

  /// Opens the folder; files are opened as they are read. Throws `sourceMissing` or `sourceUnreadable`.
  public init(root: String, files: [PublishedFile]) throws(StoreError) {
    guard let folder = Descriptor.open(root, O_RDONLY | O_DIRECTORY) else { throw .source(errno, root) }
    let blob = files.first { SourceRoots.isBlob($0.source) }?.source
    blobs = blob.flatMap { SourceRoots.openBase(of: $0, root: root) }
    if let blob, blobs == nil { throw .source(errno, Self.path(of: blob, root: root)) }
    self.root = root
    self.folder = folder
    self.files = files
  }

  /// The file with a number. As a rule all of an artifact's files are there, each in its own place.
  private func published(_ number: Int) -> PublishedFile? {
    if files.indices.contains(number), files[number].index == number { return files[number] }
    return files.first { $0.index == number }
  }

  /// Fills `buffer` from a file at `offset`.
  ///
  /// Throws `sourceTouched` if the file was written to since it was shared, though it is the same file and as long: with its
  /// `leaf` the chunk is read all the same, and is `sourceChanged` only if it is another. Throws `sourceChanged` if the file is
  /// another or of another length, and `sourceMissing`, `sourceUnreadable` or `busy` if it cannot be read.
  public func read(
    file: Int, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer, leaf: Digest? = nil
  ) throws(StoreError) {
    guard let published = published(file) else {
      throw StoreError(.sourceMissing, root, detail: "the artifact has no file \(file)")
    }
    let path = Self.path(of: published.source, root: root)
    let descriptor = try pool.descriptor(file) { () throws(StoreError) in
      // O_NONBLOCK: a pipe put in the file's place must not hang us.
      guard let opened = open(published) else { throw .source(errno, path) }
      return opened
    }
    func check() throws(StoreError) {
      guard let status = descriptor.status() else { throw .source(errno, path) }
      let found = FileIdentity(status)
      guard status.isRegular, found.isSameFile(as: published.identity) else {
        pool.forget(file)
        throw .changed(path)
      }
      guard leaf != nil || found == published.identity else {
        throw StoreError(.sourceTouched, path, detail: "it was written to since it was shared")
      }
    }
    try check()
    let count = descriptor.read(into: buffer, at: offset)
    guard count >= 0 else { throw .source(errno, path) }
    try check()
    guard count == buffer.count else { throw .changed(path) }
    if let leaf, HashTree.leaf(UnsafeRawBufferPointer(buffer)) != leaf { throw .changed(path) }
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
    guard let published = published(file) else { return .gone }
    guard let found = open(published) else { return SourceState(.source(errno, published.source)) }
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

  /// Where a published file lies: an absolute path, for people and for reading it again.
  public static func path(of source: String, root: String) -> String { SourceRoots.path(of: source, root: root) }

  private func open(_ file: PublishedFile) -> Descriptor? {
    (SourceRoots.isBlob(file.source) ? blobs : folder).flatMap {
      SourceRoots.open(file.source, beneath: $0, O_RDONLY | O_NONBLOCK)
    }
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
  static func changing(_ path: String) -> StoreError {
    StoreError(.sourceChanging, path, detail: "it changed while it was being read")
  }

  static func changed(_ path: String) -> StoreError {
    StoreError(.sourceChanged, path, detail: "it is no longer the file that was shared")
  }
}
