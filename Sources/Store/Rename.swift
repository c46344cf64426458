internal import CSys
internal import Glibc

/// Giving a finished file or folder its final name.
enum Rename {
  /// Moves `name` to `newName` if nothing is there; false with `errno` set (`EEXIST`) otherwise.
  static func withoutReplacing(_ folder: Descriptor, _ name: String, _ newFolder: Descriptor, _ newName: String) -> Bool {
    switch -sys_rename_noreplace(folder.raw, name, newFolder.raw, newName) {
    case ENOSYS, EPERM, EINVAL: return linkThenUnlink(folder, name, newFolder, newName)
    case let number where number > 0: errno = number
    default: return true
    }
    return false
  }

  /// The same without `renameat2`, for file systems and sandboxes that lack it: a hard link refuses to replace, too. A folder
  /// cannot be linked; a plain rename of one replaces nothing but an empty folder.
  static func linkThenUnlink(_ folder: Descriptor, _ name: String, _ newFolder: Descriptor, _ newName: String) -> Bool {
    guard let status = folder.status(of: name) else { return false }
    if status.isFolder {
      if newFolder.status(of: newName) != nil {
        errno = EEXIST
        return false
      }
      return renameat(folder.raw, name, newFolder.raw, newName) == 0
    }
    guard linkat(folder.raw, name, newFolder.raw, newName, 0) == 0 else { return false }
    return unlinkat(folder.raw, name, 0) == 0
  }
}
