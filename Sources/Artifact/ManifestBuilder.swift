public import Primitives

/// Gathers the files of an artifact and makes its manifest.
public struct ManifestBuilder: Sendable {
  /// The name under which the publisher counts.
  public let name: ArtifactName
  /// The chunk size that the files were hashed with.
  public let chunkBytes: Int
  /// A folder, even if it holds a single file.
  public let isFolder: Bool
  private var files: [ManifestFile] = []
  private var emptyFolders: [SafePath] = []

  /// A builder without files.
  public init(name: ArtifactName, chunkBytes: Int = ChunkLayout.defaultChunkBytes, isFolder: Bool = false) {
    self.name = name
    self.chunkBytes = chunkBytes
    self.isFolder = isFolder
  }

  /// Adds a file, in any order.
  public mutating func add(_ file: ManifestFile) { files.append(file) }

  /// Adds a folder that holds nothing, in any order.
  public mutating func add(emptyFolder path: SafePath) { emptyFolders.append(path) }

  /// The manifest of one version.
  ///
  /// Sorts the files, names those that describe the environment, and throws what a receiver would refuse. Which version and
  /// predecessor it is may be known only now, when the contents can be compared with the last version's.
  public consuming func build(
    version: ArtifactVersion, previous: Digest?, publisher: Digest, created: UInt64, note: String
  ) throws(ArtifactError) -> Manifest {
    var sorted = files
    sorted.sort { $0.path < $1.path }
    let environment = sorted.lazy.compactMap { EnvironmentFile(recognising: $0.path) }.prefix(EnvironmentFile.maximumFiles)
    return try Manifest(
      name: name, version: version, previous: previous, publisher: publisher, created: created, note: note,
      chunkBytes: chunkBytes, files: sorted, environment: Array(environment), isFolder: isFolder,
      emptyFolders: emptyFolders.sorted())
  }
}
