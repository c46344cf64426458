internal import EventLoop
internal import Glibc

/// The folders of one node, held by one process at a time.
///
/// Folders are 0700 and files 0600. What is found more open than that is tightened, and named in ``tightened`` so that the
/// user is warned: refusing would only make the user type the same `chmod`. What belongs to another user is refused.
public final class StateFolder: Sendable {
  /// Where things are.
  public let locations: Locations
  /// Paths whose modes were too open until now: others may have read what lies there.
  public let tightened: [String]
  private let lock: Locked<FolderLock?>

  private init(locations: Locations, tightened: [String], lock: FolderLock) {
    self.locations = locations
    self.tightened = tightened
    self.lock = Locked(lock)
  }

  /// Makes what is missing and takes the lock. Throws `locked` with its holder if another node runs here,
  /// `notOurs` and `insecure` where the folders cannot be trusted.
  public static func open(_ locations: Locations) throws(StoreError) -> StateFolder {
    var tightened: [String] = []
    if let home = locations.home { try Self.prepare(home, onlyIfOurs: true, &tightened) }
    for folder in [locations.config, locations.identity, locations.state, Beneath.split(locations.socket).folder]
    where folder != locations.home {
      try Self.prepare(folder, onlyIfOurs: false, &tightened)
    }
    let lock = try FolderLock(locations.lockFile)
    for file in [
      locations.identityFile, locations.keyFile, locations.databaseFile, locations.databaseFile + "-wal", locations.lockFile,
    ] {
      try tighten(file: file, &tightened)
    }
    return StateFolder(locations: locations, tightened: tightened, lock: lock)
  }

  /// Gives the folder back. The file stays: removing a lock file is a race.
  public func release() {
    lock.withLock { $0 = nil }
  }

  /// Who holds the folder now; nil if nobody does.
  public static func holder(_ locations: Locations) -> Int32? { FolderLock.holder(locations.lockFile) }

  /// Makes a folder 0700, or tightens it. `onlyIfOurs`: leave a folder that holds other things too as it is (`PAWL_HOME` may
  /// be a home folder, and shutting that would break other programs), as long as nobody else may replace what is in it.
  private static func prepare(_ path: String, onlyIfOurs: Bool, _ tightened: inout [String]) throws(StoreError) {
    try makeFolders(path)
    guard let folder = Descriptor.open(path, O_RDONLY | O_DIRECTORY), let status = folder.status() else {
      throw .state(errno, path)
    }
    guard status.st_uid == geteuid() else { throw StoreError(.notOurs, path, detail: "it belongs to another user") }
    guard status.st_mode & 0o077 != 0 else { return }
    if onlyIfOurs, !holdsOnlyOurs(folder) {
      guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
        throw StoreError(.insecure, path, detail: "others may write to it")
      }
      return
    }
    guard fchmod(folder.raw, 0o700) == 0 else { throw .state(errno, path) }
    tightened.append(path)
  }

  private static func holdsOnlyOurs(_ folder: Descriptor) -> Bool {
    let ours: Set<String> = ["config.yaml", "identity", "state", "control.sock"]
    return (try? FolderListing.names(in: folder))?.allSatisfy(ours.contains) ?? false
  }

  private static func tighten(file path: String, _ tightened: inout [String]) throws(StoreError) {
    guard let file = Descriptor.open(path, O_RDONLY | O_NOFOLLOW) else {
      if errno == ENOENT { return }
      throw .state(errno, path)
    }
    guard let status = file.status() else { throw .state(errno, path) }
    guard status.st_uid == geteuid() else { throw StoreError(.notOurs, path, detail: "it belongs to another user") }
    guard status.st_mode & 0o177 != 0 else { return }
    guard fchmod(file.raw, 0o600) == 0 else { throw .state(errno, path) }
    tightened.append(path)
  }

  /// `mkdir -p` with 0700 for each folder it makes.
  private static func makeFolders(_ path: String) throws(StoreError) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, case let parent = Beneath.split(path).folder, !parent.isEmpty else { throw .state(errno, path) }
    try makeFolders(parent)
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      // The parent is there: a file system that takes no folders, such as /proc.
      guard errno != ENOENT else { throw StoreError(.noHome, path, detail: "no folder can be made there") }
      throw .state(errno, path)
    }
  }
}
