public import Artifact
internal import Glibc

/// One file of a scanned folder, no byte of it read yet.
public struct ScannedFile: Hashable, Sendable {
  /// Its path in the artifact: composed (NFC), checked.
  public let path: SafePath
  /// Where it lies, below the tree's root or in the cache's blobs. It differs from ``path`` where a name is stored decomposed,
  /// and where a link was followed.
  public let source: String
  /// A link has its path; what is shared is the file that the link leads to.
  public let isLink: Bool
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
  /// Folders in which nothing is shared, sorted by the bytes of their paths.
  public let emptyFolders: [SafePath]
  /// What has a name that is not shared unless that was asked for.
  public let leftOut: LeftOut

  /// The longest file's bytes: the chunk size follows from it.
  public var largestFileBytes: UInt64 { files.map(\.identity.sizeBytes).max() ?? 0 }
}

/// What a scan takes.
public struct ScanOptions: Hashable, Sendable {
  /// Links are followed where they lead to files of the folder itself or of its Hugging Face cache; otherwise they are refused.
  public var followsLinks: Bool
  /// Nothing is left out because of its name.
  public var takesAll: Bool

  /// By default links are refused and junk is left out.
  public init(followsLinks: Bool = false, takesAll: Bool = false) {
    self.followsLinks = followsLinks
    self.takesAll = takesAll
  }
}

/// Walks what is to be shared.
public enum SourceScanner {
  /// Deeper than a path of `SafePath.maximumBytes` can name folders of two bytes each; bounds the open descriptors of a walk.
  static let maximumDepth = SafePath.maximumComponents

  /// Finds the files of `path`, an absolute path to a file or folder. Reads no contents; blocks, so not on the loop.
  ///
  /// Partial transfers (`.pawl-partial-…`) are left out without a word, ``Junk`` is left out and told; a path that is given is
  /// taken whatever its name. Throws `sourceMissing`, `sourceUnreadable`, `symlinkInSource`, `linkLeadsOut`, `specialFile`,
  /// `badName`, `emptyArtifact` or `tooManyFiles`, naming the path.
  public static func scan(
    _ path: String, options: ScanOptions = ScanOptions(), maximumFiles: Int = Manifest.maximumFiles
  ) throws(StoreError) -> ScannedTree {
    // The user's own path may be a link or go through links (`~/models` on another disk): resolved once, here, so that what
    // is recorded is the place itself. A link gives its name, not that of what it leads to.
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    var status = stat()
    guard lstat(trimmed, &status) == 0 else { throw .source(errno, path) }
    let isLink = status.isLink
    guard let resolved = realpath(trimmed, nil) else {
      if isLink, errno == ENOENT {
        throw StoreError(.sourceMissing, path, detail: "a symbolic link to something that does not exist")
      }
      if errno == ELOOP { throw StoreError(.linkLeadsOut, path, detail: "a symbolic link that goes in a circle") }
      throw .source(errno, path)
    }
    defer { free(resolved) }
    let whole = String(cString: resolved)
    guard lstat(whole, &status) == 0 else { throw .source(errno, path) }
    let (parent, name) = Beneath.split(whole)
    let givenName = isLink ? Beneath.split(trimmed).name : name
    var walk = Walk(options: options, maximumFiles: maximumFiles)
    if status.isFolder {
      guard let folder = Descriptor.open(whole, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw .source(errno, path) }
      walk.root = whole
      if options.followsLinks { walk.links = SourceLink(root: whole) }
      try walk.folder(folder, source: "", path: [])
    } else {
      walk.root = parent.isEmpty ? "/" : parent
      guard let folder = Descriptor.open(walk.root, O_RDONLY | O_DIRECTORY) else { throw .source(errno, walk.root) }
      try walk.entry(name, in: folder, source: "", path: [], givenName: givenName)
    }
    guard !walk.files.isEmpty else {
      let others = walk.leftOut.paths.first.map { " but what is left out (\($0)); --all takes it" } ?? ""
      throw StoreError(.emptyArtifact, path, detail: "there is no file in it" + others)
    }
    return ScannedTree(
      root: walk.root, baseName: Normalisation.nfc(givenName), isFolder: status.isFolder,
      files: walk.files.sorted { $0.path < $1.path }, emptyFolders: walk.emptyFolders.sorted(), leftOut: walk.leftOut)
  }
}

/// A walk under way.
private struct Walk {
  let options: ScanOptions
  let maximumFiles: Int
  var root = ""
  /// Nil: links are refused.
  var links: SourceLink?
  var files: [ScannedFile] = []
  var emptyFolders: [SafePath] = []
  var leftOut = LeftOut()
  private var paths = PathSet()

  init(options: ScanOptions, maximumFiles: Int) {
    self.options = options
    self.maximumFiles = maximumFiles
  }

  mutating func folder(_ folder: Descriptor, source: String, path: [String]) throws(StoreError) {
    guard path.count < SourceScanner.maximumDepth else {
      throw StoreError(.badName, shown(source), detail: "folders are nested more than \(SourceScanner.maximumDepth) deep")
    }
    let before = files.count + emptyFolders.count
    for name in try names(in: folder, source: source).sorted() where !name.hasPrefix(PartialFolder.prefix) {
      guard options.takesAll || !Junk.contains(name) else {
        let isFolder = folder.status(of: name)?.isFolder == true
        leftOut.add((source.isEmpty ? name : "\(source)/\(name)") + (isFolder ? "/" : ""))
        continue
      }
      try entry(name, in: folder, source: source, path: path)
    }
    guard files.count + emptyFolders.count == before, !path.isEmpty else { return }
    let safe = try safePath(path, source) { paths, path throws(ArtifactError) in try paths.insert(emptyFolder: path) }
    emptyFolders.append(safe)
  }

  mutating func entry(
    _ name: String, in folder: Descriptor, source: String, path: [String], givenName: String? = nil
  ) throws(StoreError) {
    try StoreError.throwIfStopped()
    let source = source.isEmpty ? name : "\(source)/\(name)"
    guard let status = folder.status(of: name) else { throw .source(errno, shown(source)) }
    let path = path + [Normalisation.nfc(givenName ?? name)]
    if status.isLink { return try link(source, path: path) }
    if status.isFolder {
      guard let inner = folder.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw .source(errno, shown(source)) }
      return try self.folder(inner, source: source, path: path)
    }
    guard status.isRegular else {
      throw StoreError(.specialFile, shown(source), detail: "a pipe, socket or device cannot be shared")
    }
    guard faccessat(folder.raw, name, R_OK, 0) == 0 else { throw .source(errno, shown(source)) }
    try add(status, path: path, source: source)
  }

  /// Takes the file that a link leads to, under the link's path.
  private mutating func link(_ source: String, path: [String]) throws(StoreError) {
    guard let links else { throw .source(ELOOP, shown(source)) }
    let target = try links.resolve(source)
    // A link brings in no file that would stay behind under its own name.
    if !SourceRoots.isBlob(target) {
      let names = target.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
      guard options.takesAll || !names.contains(where: Junk.contains) else { return leftOut.add(source) }
      guard !names.contains(where: { $0.hasPrefix(PartialFolder.prefix) }) else {
        throw StoreError(.linkLeadsOut, shown(source), detail: "a symbolic link into a transfer that is under way")
      }
    }
    // The file that is opened counts, not the one that the link was seen to lead to.
    guard let opened = SourceRoots.open(target, root: root, O_RDONLY | O_NONBLOCK), let status = opened.status() else {
      throw .source(errno, shown(source))
    }
    guard status.isRegular else { throw .source(ENXIO, shown(source)) }
    try add(status, path: path, source: target, link: source)
  }

  private mutating func add(
    _ status: stat, path: [String], source: String, link: String? = nil
  ) throws(StoreError) {
    guard files.count < maximumFiles else {
      throw StoreError(.tooManyFiles, root, detail: "it holds more than \(maximumFiles) files")
    }
    let safe = try safePath(path, link ?? source) { paths, path throws(ArtifactError) in try paths.insert(path) }
    files.append(
      ScannedFile(
        path: safe, source: source, isLink: link != nil, identity: FileIdentity(status),
        isExecutable: status.st_mode & 0o111 != 0))
  }

  private mutating func safePath(
    _ path: [String], _ source: String, insert: (inout PathSet, SafePath) throws(ArtifactError) -> Void
  ) throws(StoreError) -> SafePath {
    do throws(ArtifactError) {
      let safe = try SafePath(components: path)
      try insert(&paths, safe)
      return safe
    } catch {
      throw StoreError(.badName, shown(source), detail: error.reason)
    }
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

  private func shown(_ source: String) -> String { SourceRoots.path(of: source, root: root) }
}
