internal import EventLoop
internal import Glibc

extension PlacementPlan {
  /// An empty folder's path below the destination, and below the partial folder.
  func emptyFolderTarget(_ path: String) -> String { folder.map { "\($0)/\(path)" } ?? path }

  /// Throws before bytes move where an empty folder could not be made later and the rule is not to skip what stands in the way.
  func checkEmptyFolders(in place: Destination) throws(StoreError) {
    for path in emptyFolders ?? [] {
      try StoreError.throwIfStopped()
      let target = emptyFolderTarget(path)
      if Beneath.open(place.folder, target, O_RDONLY | O_DIRECTORY) != nil || errno == ENOENT { continue }
      guard errno == ENOTDIR, rule == .skip else { throw .destination(errno, place.absolute(target)) }
    }
  }
}

extension PartialFolder {
  /// Makes the empty folders in the partial folder, which then appears with them in one step.
  func stageEmptyFolders() throws(StoreError) {
    for path in plan.emptyFolders ?? [] {
      try StoreError.throwIfStopped()
      let target = plan.emptyFolderTarget(path)
      guard Beneath.makeFolders(folder, target) != nil else { throw .destination(errno, destination.absolute(target)) }
    }
  }

  /// Makes the empty folders at the destination; one that is there already is left as it is. Returns their paths below the
  /// destination; those in whose place something else stands are ``foldersLeftAlone``.
  func placeEmptyFolders() throws(StoreError) -> [String] {
    var blocked: [String] = []
    var targets: [String] = []
    for path in plan.emptyFolders ?? [] {
      try StoreError.throwIfStopped()
      let target = plan.emptyFolderTarget(path)
      if Beneath.makeFolders(destination.folder, target, mode: 0o777) != nil {
        targets.append(target)
      } else {
        guard errno == ENOTDIR, plan.rule == .skip else { throw .destination(errno, destination.absolute(target)) }
        blocked.append(path)
      }
    }
    blockedFolders.withLock { $0 = blocked }
    return targets
  }
}
