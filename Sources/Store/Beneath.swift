internal import CSys
internal import Glibc

/// Opening and making things below a folder without ever leaving it and without following a link.
///
/// `openat2` does it in one call. Where the kernel or a sandbox refuses that call, the path is walked name by name with
/// `O_NOFOLLOW`; both give `ELOOP` for a link.
enum Beneath {
  /// Opens `path`, which is relative and has no `.` or `..` in it, below `folder`; nil with `errno` set if that fails.
  static func open(_ folder: Descriptor, _ path: String, _ flags: CInt, mode: mode_t = 0) -> Descriptor? {
    let raw = sys_open_beneath(folder.raw, path, flags | O_CLOEXEC, UInt32(mode))
    switch -raw {
    case ENOSYS, EPERM, EINVAL: return walk(folder, path, flags, mode: mode)
    case EXDEV: errno = ELOOP  // it would have left the folder
    case let number where number > 0: errno = number
    default: return Descriptor(raw)
    }
    return nil
  }

  /// The same without `openat2`.
  static func walk(_ folder: Descriptor, _ path: String, _ flags: CInt, mode: mode_t = 0) -> Descriptor? {
    let names = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard names.allSatisfy({ !$0.isEmpty && $0 != ".." }) else {
      errno = ELOOP
      return nil
    }
    var here = folder
    for name in names.dropLast() {
      guard let next = open(name: name, in: here, O_RDONLY | O_DIRECTORY, mode: 0) else { return nil }
      here = next
    }
    return open(name: names[names.count - 1], in: here, flags, mode: mode)
  }

  private static func open(name: String, in folder: Descriptor, _ flags: CInt, mode: mode_t) -> Descriptor? {
    if let found = folder.open(name, flags | O_NOFOLLOW, mode: mode) { return found }
    // O_DIRECTORY with O_NOFOLLOW calls a link "not a folder": say what it is.
    if errno == ENOTDIR {
      errno = folder.status(of: name)?.isLink == true ? ELOOP : ENOTDIR
    }
    return nil
  }

  /// Opens the folder at `path` below `folder`, making what is missing; nil with `errno` set if that fails.
  /// Every folder that was made is passed to `made`, so that its parent can be synced.
  static func makeFolders(_ folder: Descriptor, _ path: String, mode: mode_t = 0o755) -> Descriptor? {
    if path.isEmpty { return folder }
    if let there = open(folder, path, O_RDONLY | O_DIRECTORY) { return there }
    guard errno == ENOENT else { return nil }
    var here = folder
    for name in path.split(separator: "/").map(String.init) {
      if mkdirat(here.raw, name, mode) != 0, errno != EEXIST { return nil }
      guard let next = open(here, name, O_RDONLY | O_DIRECTORY) else { return nil }
      here = next
    }
    return here
  }

  /// The path without its last name, and that name. The first is empty for a path of one name.
  static func split(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }
}

extension Beneath {
  /// What lies at `path` below `folder`, no link followed on the way nor at the end; nil with `errno` set if that fails.
  static func status(_ folder: Descriptor, _ path: String) -> stat? {
    let (parent, name) = split(path)
    if parent.isEmpty { return folder.status(of: name) }
    return open(folder, parent, O_RDONLY | O_DIRECTORY)?.status(of: name)
  }
}
