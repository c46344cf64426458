internal import Glibc

/// Taking a file that is not what its publisher claimed from its final name, so that nobody loads it by mistake.
public enum Quarantine {
  /// What a file that was set aside is called: hidden, and never mistaken for the real one.
  static let prefix = ".pawl-quarantined-"
  /// Files of one name that may lie aside.
  private static let names = 1_000

  /// Renames a file within its folder, replacing nothing; blocks, so on a worker. Safe to repeat after a crash.
  ///
  /// Returning means that the name is durably free; the result is where the file is now, or nil if nothing was there any more.
  /// Throws `noPermission`, `io` and the like.
  public static func setAside(_ path: String) throws(StoreError) -> String? {
    let (parent, name) = Beneath.split(path)
    let root = parent.isEmpty ? "/" : parent
    guard let folder = Descriptor.open(root, O_RDONLY | O_DIRECTORY) else {
      if errno == ENOENT { return nil }
      throw .destination(errno, path)
    }
    for number in 1...names {
      let aside = self.name(for: name, number)
      if Rename.withoutReplacing(folder, name, folder, aside) {
        guard fsync(folder.raw) == 0 else { throw .destination(errno, path) }
        return "\(parent)/\(aside)"
      }
      switch errno {
      case EEXIST: continue
      case ENOENT: return nil
      default: throw .destination(errno, path)
      }
    }
    throw StoreError(.conflict, path, detail: "too many files of that name were set aside already")
  }

  /// A name that the file system takes, however long the file's own is.
  private static func name(for name: String, _ number: Int) -> String {
    let start = number == 1 ? prefix : "\(prefix)\(number)-"
    var rest = Substring(name)
    while start.utf8.count + rest.utf8.count > Int(NAME_MAX) { rest.removeFirst() }
    return start + rest
  }
}
