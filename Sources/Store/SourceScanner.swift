public import Artifact
internal import Glibc

/// One file of a scanned folder, no byte of it read yet.
public struct ScannedFile: Hashable, Sendable {
  /// Its path in the artifact: composed (NFC), checked.
  public let path: SafePath
  /// Its path on the disk, below the tree's root. It differs from ``path`` where a name is stored decomposed.
  public let source: String
  /// Which file, how long, last written when.
  public let identity: FileIdentity
  /// Whether anybody may run it.
  public let isExecutable: Bool
}

/// A file or folder that is about to be shared.
public struct ScannedTree: Hashable, Sendable {
  /// The absolute folder that the files' `source` paths are under: the shared folder, or the folder of the shared file.
  public let root: String
  /// The last part of the shared path, composed (NFC): the artifact's name unless another is given.
  public let baseName: String
  /// A folder was shared, not a file.
  public let isFolder: Bool
  /// Sorted by the UTF-8 bytes of their paths.
  public let files: [ScannedFile]

  /// The longest file's bytes: the chunk size follows from it.
  public var largestFileBytes: UInt64 { files.map(\.identity.sizeBytes).max() ?? 0 }
}

/// Walks what is to be shared, following no link below the path that was given.
public enum SourceScanner {
  /// Deeper than a path of `SafePath.maximumBytes` can name folders of two bytes each; bounds the open descriptors of a walk.
  static let maximumDepth = SafePath.maximumComponents

  /// Finds the files of `path`, an absolute path to a file or folder. Reads no contents; blocks, so not on the loop.
  ///
  /// Folders without files are left out, and so are partial transfers (`.pawl-partial-…`). Throws `sourceMissing`,
  /// `sourceUnreadable`, `symlinkInSource`, `specialFile`, `badName`, `emptyArtifact` or `tooManyFiles`, naming the path.
  public static func scan(_ path: String, maximumFiles: Int = Manifest.maximumFiles) throws(StoreError) -> ScannedTree {
    // The user's own path may go through links (`~/models` on another disk): resolved once, here, so that what is recorded is
    // the place itself. The last component may not be one: what it points to could be swapped later.
    // A slash at the end would follow a link.
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    var status = stat()
    guard lstat(trimmed, &status) == 0 else { throw .source(errno, path) }
    if status.isLink { throw .source(ELOOP, path) }
    guard let resolved = realpath(trimmed, nil) else { throw .source(errno, path) }
    defer { free(resolved) }
    let whole = String(cString: resolved)
    let (parent, name) = Beneath.split(whole)
    var walk = Walk(maximumFiles: maximumFiles)
    if status.isFolder {
      guard let folder = Descriptor.open(whole, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw .source(errno, path) }
      walk.root = whole
      try walk.folder(folder, source: "", path: [])
    } else {
      walk.root = parent.isEmpty ? "/" : parent
      guard let folder = Descriptor.open(walk.root, O_RDONLY | O_DIRECTORY) else { throw .source(errno, walk.root) }
      try walk.entry(name, in: folder, source: "", path: [])
    }
    guard !walk.files.isEmpty else { throw StoreError(.emptyArtifact, path, detail: "there is no file in it") }
    return ScannedTree(
      root: walk.root, baseName: Normalisation.nfc(name), isFolder: status.isFolder,
      files: walk.files.sorted { $0.path < $1.path })
  }
}

/// A walk under way.
private struct Walk {
  let maximumFiles: Int
  var root = ""
  var files: [ScannedFile] = []
  private var paths = PathSet()

  init(maximumFiles: Int) { self.maximumFiles = maximumFiles }

  mutating func folder(_ folder: Descriptor, source: String, path: [String]) throws(StoreError) {
    guard path.count < SourceScanner.maximumDepth else {
      throw StoreError(.badName, shown(source), detail: "folders are nested more than \(SourceScanner.maximumDepth) deep")
    }
    for name in try names(in: folder, source: source) where !name.hasPrefix(PartialFolder.prefix) {
      try entry(name, in: folder, source: source, path: path)
    }
  }

  mutating func entry(_ name: String, in folder: Descriptor, source: String, path: [String]) throws(StoreError) {
    try StoreError.throwIfStopped()
    let source = source.isEmpty ? name : "\(source)/\(name)"
    guard let status = folder.status(of: name) else { throw .source(errno, shown(source)) }
    let path = path + [Normalisation.nfc(name)]
    if status.isLink { throw .source(ELOOP, shown(source)) }
    if status.isFolder {
      guard let inner = folder.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw .source(errno, shown(source)) }
      return try self.folder(inner, source: source, path: path)
    }
    guard status.isRegular else {
      throw StoreError(.specialFile, shown(source), detail: "a pipe, socket or device cannot be shared")
    }
    guard faccessat(folder.raw, name, R_OK, 0) == 0 else { throw .source(errno, shown(source)) }
    guard files.count < maximumFiles else {
      throw StoreError(.tooManyFiles, root, detail: "it holds more than \(maximumFiles) files")
    }
    let safe: SafePath
    do {
      safe = try SafePath(components: path)
      try paths.insert(safe)
    } catch {
      throw StoreError(.badName, shown(source), detail: error.reason)
    }
    files.append(
      ScannedFile(path: safe, source: source, identity: FileIdentity(status), isExecutable: status.st_mode & 0o111 != 0))
  }

  private func names(in folder: Descriptor, source: String) throws(StoreError) -> [String] {
    do {
      return try FolderListing.names(in: folder)
    } catch let error as FolderListing.Failed {
      throw .source(error.number, shown(source))
    } catch {
      throw StoreError(.badName, shown(source), detail: "a name in it is not UTF-8 text")
    }
  }

  private func shown(_ source: String) -> String { source.isEmpty ? root : root == "/" ? "/\(source)" : "\(root)/\(source)" }
}
