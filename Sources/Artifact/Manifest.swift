public import Primitives

/// What an artifact is: which files, how long, with which hashes, by whom, after which version.
///
/// A value of this type keeps every rule of the format, whether it was built here or came from a peer. It says nothing about
/// who signed it: that is ``SignedManifest``.
public struct Manifest: Hashable, Sendable {
  /// The format's name and version.
  public static let schema = "pawl/manifest/1"
  /// 100,000 files at some 300 bytes each. A receiver holds a manifest in memory.
  public static let maximumBytes = 32 << 20
  /// Beyond this a dataset wants an archive.
  public static let maximumFiles = 100_000
  /// A message, not a document.
  public static let maximumNoteBytes = 4_096
  /// Chunks of all files together: 4 TiB at the default chunk size, and half a megabyte of resume map.
  public static let maximumTotalChunks = 1 << 22
  /// 2^53 − 1 seconds and bytes are more than there are; larger numbers are not exact in every JSON implementation.
  public static let maximumInteger: UInt64 = (1 << 53) - 1

  /// The name under which the publisher counts.
  public let name: ArtifactName
  /// The version, from 1.
  public let version: ArtifactVersion
  /// The digest of the version before, if there was one.
  public let previous: Digest?
  /// The publisher's node id.
  public let publisher: Digest
  /// When it was published, in Unix seconds by the publisher's clock.
  public let created: UInt64
  /// The publisher's message. Any text: escape it before printing.
  public let note: String
  /// The chunk size of every file.
  public let chunkBytes: Int
  /// The files, sorted by the bytes of their paths; at least one.
  public let files: [ManifestFile]
  /// The folders that hold nothing, sorted by the bytes of their paths. Programs before this one pass over them.
  public let emptyFolders: [SafePath]
  /// Whether the artifact is one bare file, which is placed without a folder around it. A folder that holds a single file is
  /// none, and says so.
  public let isSingleFile: Bool
  /// Which of the files describe the environment.
  public let environment: [EnvironmentFile]
  /// The length of all files together.
  public let totalBytes: UInt64
  /// The chunks of all files together.
  public let totalChunks: Int

  /// A manifest from its parts, every rule of the format checked: the files sorted, free of collisions, with sizes and roots
  /// that fit; numbers and texts within limits.
  public init(
    name: ArtifactName, version: ArtifactVersion, previous: Digest?, publisher: Digest, created: UInt64, note: String,
    chunkBytes: Int, files: [ManifestFile], environment: [EnvironmentFile] = [], isFolder: Bool = false,
    emptyFolders: [SafePath] = []
  ) throws(ArtifactError) {
    guard version >= 1 else { throw Self.invalid("versions count from 1") }
    guard created <= Self.maximumInteger else { throw Self.invalid("its time is out of range") }
    guard note.utf8.count <= Self.maximumNoteBytes else {
      throw ArtifactError(.limitExceeded, "the note is longer than \(Self.maximumNoteBytes) bytes")
    }
    guard !files.isEmpty else { throw Self.invalid("it lists no files") }
    guard files.count <= Self.maximumFiles else { throw Self.tooManyFiles }
    (totalBytes, totalChunks) = try Self.totals(of: files, chunkBytes: chunkBytes)
    try Self.checkPaths(of: files, emptyFolders)
    self.name = name
    self.version = version
    self.previous = previous
    self.publisher = publisher
    self.created = created
    self.note = note
    self.chunkBytes = chunkBytes
    self.files = files
    self.environment = environment
    self.emptyFolders = emptyFolders
    isSingleFile = !isFolder && Self.isAmbiguous(files)
    guard emptyFolders.isEmpty || !isSingleFile else { throw Self.invalid("it is one bare file and lists folders") }
    guard environment.count <= EnvironmentFile.maximumFiles else {
      throw ArtifactError(.limitExceeded, "more than \(EnvironmentFile.maximumFiles) environment files")
    }
    guard Set(environment.map(\.path)).count == environment.count, environment.allSatisfy({ index(of: $0.path) != nil }) else {
      throw Self.invalid("its environment names a file twice, or one that it does not list")
    }
  }

  /// How a file falls into chunks. An empty layout for a file that the manifest does not have.
  public func layout(of file: Int) -> ChunkLayout {
    ChunkLayout(checkedSizeBytes: files.indices.contains(file) ? files[file].sizeBytes : 0, chunkBytes: chunkBytes)
  }

  /// A path's place in the list of files.
  public func index(of path: SafePath) -> Int? {
    var low = 0
    var high = files.count
    while low < high {
      let middle = (low + high) / 2
      if files[middle].path < path { low = middle + 1 } else { high = middle }
    }
    return low < files.count && files[low].path == path ? low : nil
  }

  /// Whether two manifests hold the same files and empty folders: paths, lengths, permissions and hashes. Publishing the same
  /// contents again makes no new version.
  public func hasSameContents(as other: Manifest) -> Bool {
    files.count == other.files.count && isSingleFile == other.isSingleFile && emptyFolders == other.emptyFolders
      && zip(files, other.files).allSatisfy {
        $0.path == $1.path && $0.sizeBytes == $1.sizeBytes && $0.mode == $1.mode && $0.sha256 == $1.sha256
      }
  }

  /// Whether the files alone leave open if they are one bare file or a folder.
  static func isAmbiguous(_ files: [ManifestFile]) -> Bool {
    files.count == 1 && !files[0].path.text.utf8.contains(UInt8(ascii: "/"))
  }

  /// Sums of lengths and chunks, each file's layout checked.
  private static func totals(of files: [ManifestFile], chunkBytes: Int) throws(ArtifactError) -> (UInt64, Int) {
    var bytes: UInt64 = 0
    var chunks = 0
    for file in files {
      let layout = try ChunkLayout(sizeBytes: file.sizeBytes, chunkBytes: chunkBytes)
      // Neither sum can overflow: a layout is at most 1 TiB, and there are at most 100,000.
      bytes += file.sizeBytes
      chunks += layout.count
      guard chunks <= maximumTotalChunks else {
        throw ArtifactError(.limitExceeded, "the artifact has more than \(maximumTotalChunks) chunks")
      }
      guard file.sizeBytes > 0 || (file.root == HashTree.emptyRoot && file.sha256 == HashTree.emptyRoot) else {
        throw invalid("an empty file has the hash of another")
      }
    }
    return (bytes, chunks)
  }

  private static func checkPaths(of files: [ManifestFile], _ emptyFolders: [SafePath]) throws(ArtifactError) {
    var paths = PathSet()
    for (index, file) in files.enumerated() {
      if index > 0, file.path < files[index - 1].path { throw invalid("its files are not sorted by path") }
      try paths.insert(file.path)
    }
    for (index, folder) in emptyFolders.enumerated() {
      if index > 0, folder < emptyFolders[index - 1] { throw invalid("its folders are not sorted by path") }
      try paths.insert(emptyFolder: folder)
    }
  }

  static let tooManyFiles = ArtifactError(.limitExceeded, "the artifact has more than \(maximumFiles) files")

  static func invalid(_ why: String) -> ArtifactError {
    ArtifactError(.invalidManifest, "the manifest is not valid: \(why)")
  }
}
