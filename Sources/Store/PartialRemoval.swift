internal import Artifact
internal import Glibc

/// What became of the partial folder of a download that nobody continues.
public enum PartialRemoval: Hashable, Sendable {
  /// It is gone; what somebody else put into it is still there, in that folder.
  case removed(left: String?)
  /// There was none any more.
  case gone
  /// Its disk is not there now, or another one is in its place. Nothing was touched.
  case away
  /// It is there, on another file system than it was seen on. Nothing was touched. Numbers of file
  /// systems may change with a restart of the machine.
  case moved(volume: UInt64)
}

extension PartialFolder {
  /// Removes what a transfer wrote, and nothing else: the files that its plan names, under the name
  /// that was made from its id, in a folder that is ours. Blocks, so on a worker.
  ///
  /// - Parameters:
  ///   - shortID: the beginning of the transfer's id, which names its folder.
  ///   - volume: the file system that the folder was seen on; nil: not known.
  public static func retire(_ plan: PlacementPlan, shortID: String, volume: UInt64?) throws(StoreError) -> PartialRemoval {
    guard plan.partialName == prefix + shortID else {
      throw StoreError(.badRecord, plan.partial, detail: "this is not the transfer's own partial folder, so it was not removed")
    }
    guard let destination = Descriptor.open(plan.destination, O_RDONLY | O_DIRECTORY) else {
      if [ENOENT, ENOTDIR, ENODEV, ENXIO, EIO, EHOSTDOWN, ESTALE].contains(errno) { return .away }
      throw .destination(errno, plan.destination)
    }
    if let volume, let now = destination.volume(), now != volume {
      return destination.status(of: plan.partialName)?.isFolder == true ? .moved(volume: now) : .away
    }
    guard let folder = Beneath.open(destination, plan.partialName, O_RDONLY | O_DIRECTORY) else {
      if errno == ENOENT { return .gone }
      throw .destination(errno, plan.partial)
    }
    guard let status = folder.status(), status.st_uid == geteuid() else {
      throw StoreError(.insecure, plan.partial, detail: "it belongs to another user, so it was not removed")
    }
    for file in plan.files where file.isFetched {
      let (path, name) = Beneath.split(plan.staging(file))
      let parent = path.isEmpty ? folder : Beneath.open(folder, path, O_RDONLY | O_DIRECTORY)
      guard let parent, parent.status(of: name)?.isRegular == true else { continue }
      if unlinkat(parent.raw, name, 0) != 0, errno != ENOENT { throw .destination(errno, plan.partial) }
    }
    removeEmptyFolders(in: folder, depth: SafePath.maximumComponents)
    if unlinkat(destination.raw, plan.partialName, AT_REMOVEDIR) == 0 || errno == ENOENT { return .removed(left: nil) }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw .destination(errno, plan.partial) }
    return .removed(left: plan.partial)
  }

  /// Removes folders in which there is nothing, the deepest first. One with a file in it stays.
  private static func removeEmptyFolders(in folder: Descriptor, depth: Int) {
    for name in (try? FolderListing.names(in: folder)) ?? [] where folder.status(of: name)?.isFolder == true {
      if depth > 0, let inner = folder.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
        removeEmptyFolders(in: inner, depth: depth - 1)
      }
      unlinkat(folder.raw, name, AT_REMOVEDIR)
    }
  }

  /// The file system that a plan's partial folder is on; nil if the folder is not there.
  public static func volume(of plan: PlacementPlan) -> UInt64? {
    guard let destination = Descriptor.open(plan.destination, O_RDONLY | O_DIRECTORY),
      destination.status(of: plan.partialName)?.isFolder == true
    else { return nil }
    return destination.volume()
  }
}

extension Descriptor {
  /// What tells the file system of this file from others, on most of them also after a restart of
  /// the machine; nil if there is no such thing.
  fileprivate func volume() -> UInt64? {
    var status = statvfs()
    return fstatvfs(raw, &status) == 0 ? UInt64(status.f_fsid) : nil
  }
}
