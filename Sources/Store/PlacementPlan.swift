public import Artifact
public import Primitives

/// What to do where a different file has the name already.
public enum ConflictRule: String, Codable, Hashable, Sendable {
  /// Leave the file that is there; report it.
  case skip
  /// Replace it in one step, once the new one is whole.
  case overwrite
  /// Place the new one beside it as `name (2).ext`.
  case rename
}

/// One file of an artifact that is to be placed.
public struct WantedFile: Hashable, Sendable {
  /// Its number in the manifest.
  public let index: Int
  /// Its path in the artifact.
  public let path: SafePath
  /// Bytes.
  public let sizeBytes: UInt64
  /// 0755 instead of 0644, both under the user's umask. No other mode is ever set.
  public let isExecutable: Bool
  /// The root of its hash tree: what makes a file on the disk identical.
  public let root: Digest

  /// A wanted file.
  public init(index: Int, path: SafePath, sizeBytes: UInt64, isExecutable: Bool, root: Digest) {
    self.index = index
    self.path = path
    self.sizeBytes = sizeBytes
    self.isExecutable = isExecutable
    self.root = root
  }

  /// A file of a manifest.
  public init(index: Int, _ file: ManifestFile) {
    self.init(
      index: index, path: file.path, sizeBytes: file.sizeBytes, isExecutable: file.mode == .executable, root: file.root)
  }
}

/// What becomes of one file.
public struct PlannedFile: Hashable, Sendable {
  /// What is to be done with it.
  public enum Action: String, Sendable {
    /// Fetch it; nothing has its name.
    case write
    /// Fetch it and replace what has its name.
    case overwrite
    /// The same bytes are there already: nothing to fetch.
    case identical
    /// Another file has the name and stays: nothing to fetch, reported.
    case conflict
  }

  /// Its number in the manifest.
  public let index: Int
  /// Its path in the artifact.
  public let path: String
  /// Its final path below the destination.
  public internal(set) var target: String
  /// Bytes.
  public let sizeBytes: UInt64
  /// 0755 instead of 0644.
  public let isExecutable: Bool
  /// The root of its hash tree.
  public let root: Digest
  /// What is to be done.
  public internal(set) var action: Action

  /// Whether its bytes must travel.
  public var isFetched: Bool { action == .write || action == .overwrite }

  /// The only two modes a peer can ask for, before the user's umask: never setuid, never writable by all.
  var mode: UInt32 { isExecutable ? 0o755 : 0o644 }
}

/// Where each file of a pull goes, decided before a byte moves and kept with the transfer, so that a resumed one does the same.
public struct PlacementPlan: Hashable, Sendable {
  /// The absolute folder that was asked for.
  public let destination: String
  /// The name of the folder below it; nil for an artifact of one file.
  public let folder: String?
  /// The name of the partial folder in the destination.
  public let partialName: String
  /// The artifact's chunk size in bytes.
  public let chunkBytes: Int
  /// The rule that was asked for, applied again to files that appear while the transfer runs.
  public let rule: ConflictRule
  /// The files, in the manifest's order.
  public let files: [PlannedFile]
  /// Paths in the artifact of folders that are to be made although nothing is in them; nil: none, or a plan of an older program.
  public let emptyFolders: [String]?
  /// The manifest's numbers of the files whose bytes must travel, ascending. Found once: progress asks for it with every chunk.
  public let toFetch: [Int]

  /// The absolute path of the partial folder.
  public var partial: String { Self.join(destination, partialName) }

  /// The absolute path that a user is told: the artifact's folder, or its one file.
  public var resultPath: String { Self.join(destination, folder ?? files.first?.target ?? "") }

  /// The manifest's numbers of the files that stay away because another file has their name.
  public var conflicts: [Int] { files.filter { $0.action == .conflict }.map(\.index) }

  init(
    destination: String, folder: String?, partialName: String, chunkBytes: Int, rule: ConflictRule, files: [PlannedFile],
    emptyFolders: [String]? = nil
  ) {
    self.destination = destination
    self.folder = folder
    self.partialName = partialName
    self.chunkBytes = chunkBytes
    self.rule = rule
    self.files = files
    self.emptyFolders = emptyFolders
    toFetch = files.filter(\.isFetched).map(\.index)
  }

  /// A file's planned place, by the manifest's number.
  func file(_ index: Int) -> PlannedFile? {
    var low = 0
    var high = files.count
    while low < high {
      let middle = (low + high) / 2
      if files[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return low < files.count && files[low].index == index ? files[low] : nil
  }

  /// A file's path below the partial folder; the same as its target below the destination unless that was renamed.
  func staging(_ file: PlannedFile) -> String { Self.staging(file.path, folder: folder) }

  static func staging(_ path: String, folder: String?) -> String { folder.map { "\($0)/\(path)" } ?? path }

  static func join(_ folder: String, _ name: String) -> String {
    name.isEmpty ? folder : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }
}
