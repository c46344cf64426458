public import Artifact
internal import Glibc
internal import Primitives

extension PlacementPlan {
  /// Looks at the destination and decides for every file. Makes the destination if it is missing. Blocks, so on a worker.
  /// Files of the same size that are there already are hashed at once, or left to `comparisons`: then the plan counts once those
  /// are complete.
  ///
  /// `folder` is the artifact's name for a folder (files go to `destination/folder/…`), nil for an artifact of one file.
  /// `shortID` tells transfers apart and names the partial folder. `emptyFolders` are made although nothing is in them.
  /// Throws `notAFolder`, `noPermission`, `symlinkInDestination`, `otherFileSystem`, `destinationIsFolder` and the like.
  public static func make(
    destination: String, folder: String?, files: [WantedFile], chunkBytes: Int, rule: ConflictRule, shortID: String,
    emptyFolders: [SafePath] = [], comparisons: ContentComparisons? = nil
  ) throws(StoreError) -> PlacementPlan {
    try Destination.make(destination)
    let place = try Destination(destination)
    var judge = ConflictJudge(place: place, chunkBytes: chunkBytes, rule: rule, comparisons: comparisons)
    var planned: [PlannedFile] = []
    planned.reserveCapacity(files.count)
    for file in files {
      let target = staging(file.path.text, folder: folder)
      planned.append(
        PlannedFile(
          index: file.index, path: file.path.text, target: target, sizeBytes: file.sizeBytes, isExecutable: file.isExecutable,
          root: file.root, action: .write))
      judge.taken.insert(target)
    }
    for index in planned.indices {
      try StoreError.throwIfStopped()
      try judge.decide(&planned[index])
    }
    let plan = PlacementPlan(
      destination: destination, folder: folder, partialName: PartialFolder.prefix + shortID, chunkBytes: chunkBytes, rule: rule,
      files: planned, emptyFolders: emptyFolders.isEmpty ? nil : emptyFolders.map(\.text))
    try plan.checkEmptyFolders(in: place)
    return plan
  }

  /// The same plan after another look at what it takes for granted: files that were there already, and files that had the name
  /// of another. Since it was made somebody may have removed or changed them. Blocks; throws what `make` throws.
  public func judgedAgain(_ comparisons: ContentComparisons? = nil) throws(StoreError) -> PlacementPlan {
    guard toFetch.count < files.count else { return self }
    var judge = ConflictJudge(
      place: try Destination(destination), chunkBytes: chunkBytes, rule: rule, comparisons: comparisons)
    judge.taken = Set(files.lazy.filter(\.isFetched).map(\.target))
    var judged = files
    for place in judged.indices where !judged[place].isFetched {
      judged[place].target = staging(judged[place])
      judge.taken.insert(judged[place].target)
    }
    for place in judged.indices where !judged[place].isFetched {
      try StoreError.throwIfStopped()
      try judge.decide(&judged[place])
    }
    return PlacementPlan(
      destination: destination, folder: folder, partialName: partialName, chunkBytes: chunkBytes, rule: rule, files: judged,
      emptyFolders: emptyFolders)
  }
}

/// The folder that a pull goes to, held open so that it stays the same one.
struct Destination {
  let path: String
  let folder: Descriptor
  let device: UInt64

  init(_ path: String) throws(StoreError) {
    guard let folder = Descriptor.open(path, O_RDONLY | O_DIRECTORY), let status = folder.status() else {
      throw .destination(errno, path)
    }
    // Asked before bytes move; a read-only file system answers no to root, too.
    guard access(path, W_OK | X_OK) == 0 else { throw .destination(errno, path) }
    self.path = path
    self.folder = folder
    device = UInt64(status.st_dev)
  }

  /// `mkdir -p` under the user's umask.
  static func make(_ path: String) throws(StoreError) {
    if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    let number = errno
    guard number == ENOENT, case let parent = Beneath.split(path).folder, !parent.isEmpty else {
      throw .destination(number, path)
    }
    try make(parent)
    if mkdir(path, 0o777) != 0, errno != EEXIST {
      // The parent is there: a file system that takes no folders, such as /proc.
      guard errno != ENOENT else { throw StoreError(.notAFolder, path, detail: "no folder can be made there") }
      throw .destination(errno, path)
    }
  }

  func absolute(_ target: String) -> String { PlacementPlan.join(path, target) }
}

/// What has a name already, and what follows from it.
struct ConflictJudge {
  /// Tries for a free `name (n)`: more copies than anybody keeps, few enough to end soon.
  static let maximumCopies = 10_000

  let place: Destination
  let chunkBytes: Int
  let rule: ConflictRule
  /// Who hashes; nil: the judge itself, at once.
  let comparisons: ContentComparisons?
  /// Names that other files of the plan will take.
  var taken: Set<String> = []
  /// The folder of the file before: files of one folder come in a row.
  private var parent: (path: String, folder: Descriptor?)?

  init(place: Destination, chunkBytes: Int, rule: ConflictRule, comparisons: ContentComparisons? = nil) {
    self.comparisons = comparisons
    self.place = place
    self.chunkBytes = chunkBytes
    self.rule = rule
  }

  /// Sets the file's action, and its target where it is renamed.
  mutating func decide(_ file: inout PlannedFile) throws(StoreError) {
    let (path, name) = Beneath.split(file.target)
    let absolute = place.absolute(file.target)
    let folder: Descriptor?
    do {
      folder = try self.folder(path)
    } catch  where error.code == .notAFolder && rule == .skip {
      file.action = .conflict
      return
    }
    guard let folder, let there = folder.status(of: name) else {
      guard folder == nil || errno == ENOENT else { throw .destination(errno, absolute) }
      file.action = .write
      return
    }
    if there.isLink { throw .destination(ELOOP, absolute) }
    if there.isRegular, try isIdentical(file, folder, name) {
      file.action = .identical
      return
    }
    switch rule {
    case .skip: file.action = .conflict
    case .overwrite:
      guard there.isRegular else {
        if there.isFolder { throw .destination(EISDIR, absolute) }
        throw StoreError(.conflict, absolute, detail: "a pipe, a socket or a device stands where the file belongs")
      }
      file.action = .overwrite
    case .rename:
      switch try numberedName(for: file, in: folder) {
      case .free(let target):
        file.target = target
        file.action = .write
      case .identical(let target):
        file.target = target
        file.action = .identical
      }
    }
  }

  /// Whether the file's very bytes are there: by the hash tree, whose root the publisher signed and every chunk is held against.
  func isIdentical(_ file: PlannedFile, _ folder: Descriptor, _ name: String) throws(StoreError) -> Bool {
    let absolute = place.absolute(file.target)
    guard let status = folder.status(of: name), status.isRegular, UInt64(status.st_size) == file.sizeBytes else { return false }
    guard let opened = folder.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else {
      // Unreadable is not identical.
      if errno == EACCES { return false }
      throw .destination(errno, absolute)
    }
    if let comparisons {
      let (path, _) = Beneath.split(file.target)
      let whole = place.absolute(path.isEmpty ? name : "\(path)/\(name)")
      return comparisons.root(of: FileIdentity(status), path: whole, chunkBytes: chunkBytes) == file.root
    }
    let root = ChunkReader(opened, sizeBytes: file.sizeBytes, chunkBytes: chunkBytes).root()
    // What could not be read to its end is not different for that.
    if root == nil { try StoreError.throwIfStopped() }
    return root == file.root
  }

  /// Whether a file's bytes are at its final name already: a run that was cut short moved it there.
  func isPlaced(_ file: PlannedFile) throws(StoreError) -> Bool {
    let (path, name) = Beneath.split(file.target)
    let folder = path.isEmpty ? place.folder : Beneath.open(place.folder, path, O_RDONLY | O_DIRECTORY)
    guard let folder else { return false }
    return try isIdentical(file, folder, name)
  }

  /// Where a file goes whose own name another file has.
  enum NumberedName {
    /// Nothing has this name.
    case free(String)
    /// An earlier pull has put the very bytes here.
    case identical(String)
  }

  /// The first `name (n).ext` that holds the file's bytes already, or that nothing has. Never one of the plan's own names.
  mutating func numberedName(for file: PlannedFile, in folder: Descriptor) throws(StoreError) -> NumberedName {
    let (path, name) = Beneath.split(file.target)
    for number in 2...Self.maximumCopies {
      let candidate = Self.numbered(name, number)
      let whole = path.isEmpty ? candidate : "\(path)/\(candidate)"
      guard !taken.contains(whole) else { continue }
      if folder.status(of: candidate) == nil {
        guard errno == ENOENT else { continue }
        taken.insert(whole)
        return .free(whole)
      }
      if try isIdentical(file, folder, candidate) {
        taken.insert(whole)
        return .identical(whole)
      }
    }
    throw StoreError(.conflict, place.absolute(file.target), detail: "there are \(Self.maximumCopies) copies of it already")
  }

  /// `model.safetensors` → `model (2).safetensors`, shortened to fit a name.
  static func numbered(_ name: String, _ number: Int) -> String {
    let dot = name.lastIndex(of: ".").flatMap { $0 == name.startIndex ? nil : $0 } ?? name.endIndex
    var stem = String(name[..<dot])
    let tail = " (\(number))" + name[dot...]
    while stem.utf8.count + tail.utf8.count > SafePath.maximumComponentBytes, stem.count > 1 { stem.removeLast() }
    return stem + tail
  }

  /// The folder below the destination; nil if it is not there.
  private mutating func folder(_ path: String) throws(StoreError) -> Descriptor? {
    if let parent, parent.path == path { return parent.folder }
    let found: Descriptor?
    if path.isEmpty {
      found = place.folder
    } else if let opened = Beneath.open(place.folder, path, O_RDONLY | O_DIRECTORY) {
      guard opened.status().map({ UInt64($0.st_dev) }) == place.device else { throw .destination(EXDEV, place.absolute(path)) }
      found = opened
    } else {
      guard errno == ENOENT else { throw .destination(errno, place.absolute(path)) }
      found = nil
    }
    parent = (path, found)
    return found
  }
}
