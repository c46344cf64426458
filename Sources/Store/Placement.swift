internal import Glibc

/// What became of one file.
public struct PlacedFile: Hashable, Sendable {
  /// The outcome.
  public enum Outcome: String, Sendable {
    /// It is there under its final name.
    case placed
    /// The same bytes were there before.
    case identical
    /// Another file has the name and was left alone.
    case conflict
  }

  /// Its number in the manifest.
  public let index: Int
  /// Its absolute path.
  public let path: String
  /// The outcome.
  public let outcome: Outcome
  /// Its path below the artifact's folder where that is not the manifest's: a numbered name, since another file has its own.
  public let placedAs: String?
}

extension PlacementPlan {
  /// What became of a file; `target` is where it is, if not where it was planned.
  func placed(_ file: PlannedFile, _ outcome: PlacedFile.Outcome, at target: String? = nil) -> PlacedFile {
    let target = target ?? file.target
    let own = staging(file)
    return PlacedFile(
      index: file.index, path: Self.join(destination, target), outcome: outcome,
      placedAs: target == own ? nil : folder.map { String(target.dropFirst($0.count + 1)) } ?? target)
  }
}

extension PartialFolder {
  /// Gives every finished file its final name, syncs the folders, and removes the partial folder.
  ///
  /// Returning means that every file of the plan is durably where the result says. A folder that did not exist appears in one
  /// step. After a crash in the middle it is safe to reopen, ``finish(_:)`` and
  /// call again: what was moved already is recognised by its contents. Throws `io` for a file that is not finished, and what ``PlacementPlan/make(destination:folder:files:chunkBytes:rule:shortID:)`` throws.
  public func place() throws(StoreError) -> [PlacedFile] { try place { _ in } }

  /// The same; `step` is called before each thing that lasts.
  func place(step: (String) throws(StoreError) -> Void) throws(StoreError) -> [PlacedFile] {
    try requireFinished()
    closeFiles()
    if let whole = try placeWhole(step) { return whole }
    var judge = ConflictJudge(place: destination, chunkBytes: plan.chunkBytes, rule: plan.rule)
    judge.taken = Set(plan.files.map(\.target))
    var touched = TouchedFolders()
    var results: [PlacedFile] = []
    results.reserveCapacity(plan.files.count)
    for file in plan.files {
      try StoreError.throwIfStopped()
      switch file.action {
      case .identical: results.append(plan.placed(file, .identical))
      case .conflict: results.append(plan.placed(file, .conflict))
      case .write, .overwrite:
        try step("move \(file.target)")
        results.append(try move(file, &judge, &touched))
      }
    }
    try step("make the empty folders")
    for target in try placeEmptyFolders() { touched.insert(target) }
    try step("sync the folders")
    try touched.sync(below: destination)
    try step("remove the partial folder")
    try discard()
    return results
  }

  /// The whole folder in one rename, if it is new; nil if it must go file by file.
  private func placeWhole(_ step: (String) throws(StoreError) -> Void) throws(StoreError) -> [PlacedFile]? {
    guard placed.isEmpty, let name = plan.folder,
      plan.files.allSatisfy({ $0.action == .write && $0.target == plan.staging($0) }),
      destination.folder.status(of: name) == nil, errno == ENOENT
    else { return nil }
    for file in plan.files where Beneath.status(folder, plan.staging(file)) == nil {
      throw .destination(errno, destination.absolute(file.target))
    }
    try stageEmptyFolders()
    try step("sync the tree")
    try syncTree(name, in: folder)
    try step("rename the folder")
    guard Rename.withoutReplacing(folder, name, destination.folder, name) else {
      if errno == EEXIST { return nil }
      throw .destination(errno, destination.absolute(name))
    }
    try step("sync the destination")
    guard fsync(destination.folder.raw) == 0 else { throw .destination(errno, destination.path) }
    try step("remove the partial folder")
    try discard()
    return plan.files.map { plan.placed($0, .placed) }
  }

  /// Syncs every folder of the tree. What the plan does not know (an earlier run with another plan may have left it) is removed:
  /// it was never verified and must not come along.
  private func syncTree(_ name: String, in parent: Descriptor) throws(StoreError) {
    var children: [String: Set<String>] = [:]
    for file in plan.files {
      var path = plan.staging(file)
      while case let (folder, name) = Beneath.split(path), !folder.isEmpty,
        children[folder, default: []].insert(name).inserted
      { path = folder }
    }
    for path in (plan.emptyFolders ?? []).map(plan.emptyFolderTarget) {
      children[path, default: []] = []
      var path = path
      while case let (folder, name) = Beneath.split(path), !folder.isEmpty,
        children[folder, default: []].insert(name).inserted
      { path = folder }
    }
    for (path, expected) in children {
      try StoreError.throwIfStopped()
      let absolute = destination.absolute(path)
      guard let opened = Beneath.open(parent, path, O_RDONLY | O_DIRECTORY) else { throw .destination(errno, absolute) }
      guard let names = try? FolderListing.names(in: opened) else {
        throw StoreError(.io, absolute, detail: "its partial folder cannot be listed")
      }
      for name in names where !expected.contains(name) { try Removal.remove(name, in: opened, path: absolute) }
      guard fsync(opened.raw) == 0 else { throw .destination(errno, absolute) }
    }
  }

  private func move(
    _ file: PlannedFile, _ judge: inout ConflictJudge, _ touched: inout TouchedFolders
  ) throws(StoreError) -> PlacedFile {
    let (stagingPath, stagingName) = Beneath.split(plan.staging(file))
    let (targetPath, targetName) = Beneath.split(file.target)
    let absolute = destination.absolute(file.target)
    if placed.contains(file.index) {
      // The run that moved it may not have come to the syncing.
      touched.insert(targetPath)
      return plan.placed(file, .placed)
    }
    let staged = stagingPath.isEmpty ? folder : Beneath.open(folder, stagingPath, O_RDONLY | O_DIRECTORY)
    guard let staged, staged.status(of: stagingName) != nil else {
      let number = errno
      // Moved by an earlier call that failed at a later file.
      if number == ENOENT, try judge.isPlaced(file) { return plan.placed(file, .placed) }
      throw .destination(number, absolute)
    }
    guard let target = Beneath.makeFolders(destination.folder, targetPath, mode: 0o777) else {
      throw .destination(errno, absolute)
    }
    touched.insert(targetPath)
    var name = targetName
    while true {
      let isMoved =
        file.action == .overwrite
        ? replace(staged, stagingName, target, name) : Rename.withoutReplacing(staged, stagingName, target, name)
      if isMoved { return plan.placed(file, .placed, at: Self.path(targetPath, name)) }
      guard errno == EEXIST else { throw .destination(errno, absolute) }
      // Somebody was faster than we: judge again, on what is there now.
      if try judge.isIdentical(file, target, name) {
        return plan.placed(file, .identical, at: Self.path(targetPath, name))
      }
      switch plan.rule {
      case .skip: return plan.placed(file, .conflict)
      case .overwrite:
        guard replace(staged, stagingName, target, name) else { throw .destination(errno, absolute) }
        return plan.placed(file, .placed)
      case .rename:
        switch try judge.numberedName(for: file, in: target) {
        case .free(let free): name = Beneath.split(free).name
        case .identical(let there): return plan.placed(file, .identical, at: there)
        }
      }
    }
  }

  /// Renames over a file in one step. A link is refused, not replaced: it was not there when the user was asked.
  private func replace(_ folder: Descriptor, _ name: String, _ target: Descriptor, _ newName: String) -> Bool {
    if let there = target.status(of: newName), !there.isRegular {
      errno = there.isLink ? ELOOP : EISDIR
      return false
    }
    return renameat(folder.raw, name, target.raw, newName) == 0
  }

  private static func path(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }
}

/// Folders that got a new name in them and must be synced, with all above them up to the destination: some may be new.
private struct TouchedFolders {
  private var paths: Set<String> = [""]

  mutating func insert(_ path: String) {
    var path = path
    while !path.isEmpty, paths.insert(path).inserted { path = Beneath.split(path).folder }
  }

  func sync(below destination: Destination) throws(StoreError) {
    for path in paths {
      try StoreError.throwIfStopped()
      let folder = path.isEmpty ? destination.folder : Beneath.open(destination.folder, path, O_RDONLY | O_DIRECTORY)
      guard let folder, fsync(folder.raw) == 0 else { throw .destination(errno, destination.absolute(path)) }
    }
  }
}
