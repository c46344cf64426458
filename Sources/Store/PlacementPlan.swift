public import Artifact
internal import FoundationEssentials
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
public struct PlannedFile: Hashable, Codable, Sendable {
  /// What is to be done with it.
  public enum Action: String, Codable, Sendable {
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
  /// The root of its hash tree, hexadecimal.
  public let root: String
  /// What is to be done.
  public internal(set) var action: Action

  /// Whether its bytes must travel.
  public var isFetched: Bool { action == .write || action == .overwrite }

  /// The only two modes a peer can ask for, before the user's umask: never setuid, never writable by all.
  var mode: UInt32 { isExecutable ? 0o755 : 0o644 }
}

/// Where each file of a pull goes, decided before a byte moves and kept with the transfer, so that a resumed one does the same.
public struct PlacementPlan: Hashable, Codable, Sendable {
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
  public internal(set) var files: [PlannedFile]
  /// Paths in the artifact of folders that are to be made although nothing is in them; nil: none, or a plan of an older program.
  public let emptyFolders: [String]?

  /// The absolute path of the partial folder.
  public var partial: String { Self.join(destination, partialName) }

  /// The absolute path that a user is told: the artifact's folder, or its one file.
  public var resultPath: String { Self.join(destination, folder ?? files.first?.target ?? "") }

  /// The manifest's numbers of the files whose bytes must travel.
  public var toFetch: [Int] { files.filter(\.isFetched).map(\.index) }

  /// The manifest's numbers of the files that stay away because another file has their name.
  public var conflicts: [Int] { files.filter { $0.action == .conflict }.map(\.index) }

  /// The plan as JSON, for the transfer's record.
  public func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// The plan of a transfer's record; `badRecord` if that does not hold one.
  public init(decoding bytes: [UInt8]) throws(StoreError) {
    do {
      self = try JSONDecoder().decode(PlacementPlan.self, from: Data(bytes))
    } catch {
      throw StoreError(.badRecord, detail: "the transfer's plan cannot be read")
    }
  }

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
  }

  /// A file's path below the partial folder; the same as its target below the destination unless that was renamed.
  func staging(_ file: PlannedFile) -> String { folder.map { "\($0)/\(file.path)" } ?? file.path }

  static func join(_ folder: String, _ name: String) -> String {
    name.isEmpty ? folder : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }
}
