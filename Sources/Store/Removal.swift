internal import Glibc

/// Removing a folder with all in it, never through a link.
enum Removal {
  /// Removes `name` in `folder`; succeeds if it is not there.
  static func remove(_ name: String, in folder: Descriptor, path: String) throws(StoreError) {
    if unlinkat(folder.raw, name, 0) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw .destination(errno, path) }
    guard let inner = folder.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { throw .destination(errno, path) }
    let names: [String]
    do {
      names = try FolderListing.names(in: inner)
    } catch {
      throw StoreError(.io, path, detail: "it cannot be listed, so it was not removed")
    }
    for child in names {
      try StoreError.throwIfStopped()
      try remove(child, in: inner, path: "\(path)/\(child)")
    }
    if unlinkat(folder.raw, name, AT_REMOVEDIR) != 0, errno != ENOENT { throw .destination(errno, path) }
  }
}
