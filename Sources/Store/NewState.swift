internal import GRDB
internal import Glibc

/// A state that is gone, and one that begins anew.
///
/// The first start makes the key, then the database, and the identity last. So an identity without
/// a database is no first start that was cut short: something took the database away, and with it
/// all peers and their sessions.
extension StateFolder {
  /// Throws `stateMissing` if the identity is there and its database is missing or empty. Changes
  /// nothing.
  public func requireState() throws(StoreError) {
    guard access(locations.identityFile, F_OK) == 0 else { return }
    let path = locations.databaseFile
    switch try Database.presence(path) {
    case .used: return
    case .missing:
      throw StoreError(.stateMissing, path, detail: "the state database is missing, and the identity was used with one")
    case .empty:
      throw StoreError(.stateMissing, path, detail: "the state database is empty, and the identity was used with one")
    }
  }

  /// Begins anew with the identity and the key that are there: what is left of the database is set
  /// aside beside its place, and an empty one is made. Returns where the old one is; nil where
  /// there was none, and on a first run, where there is nothing to do.
  ///
  /// Cut short, the database is missing, or the new one is there. Throws `stateWorks` for a
  /// database that is whole, and `newerSchema` for a newer program's.
  ///
  /// - Parameter date: what the old one is named after, `20260131-235959`.
  public func beginAnew(date: String) throws(StoreError) -> String? {
    guard access(locations.identityFile, F_OK) == 0 else { return nil }
    let path = locations.databaseFile
    if case .used = try Database.presence(path) {
      do {
        try Database.examine(path, .whole)
        throw StoreError(.stateWorks, path, detail: "there is a state database, and it is not damaged")
      } catch {
        let error = StoreError(database: error, path)
        guard error.code == .corruptDatabase else { throw error }
      }
    }
    let aside = try setAside(date)
    try Database.create(path)
    return aside
  }

  /// The database goes first: a log without its database is of no use to SQLite, a database without
  /// its log would be an older one.
  private func setAside(_ date: String) throws(StoreError) -> String? {
    let (folder, name) = Beneath.split(locations.databaseFile)
    guard let opened = Descriptor.open(folder, O_RDONLY | O_DIRECTORY) else { throw .state(errno, folder) }
    var aside = "\(name).broken-\(date)"
    var number = 2
    while opened.status(of: aside) != nil || opened.status(of: aside + "-wal") != nil {
      aside = "\(name).broken-\(date)-\(number)"
      number += 1
    }
    var isAny = false
    for suffix in ["", "-wal"] {
      if Rename.withoutReplacing(opened, name + suffix, opened, aside + suffix) {
        isAny = true
      } else if errno != ENOENT {
        throw .state(errno, locations.databaseFile + suffix)
      }
      guard fsync(opened.raw) == 0 else { throw .state(errno, folder) }
    }
    // Only an index of the log.
    guard unlinkat(opened.raw, name + "-shm", 0) == 0 || errno == ENOENT else { throw .state(errno, folder) }
    return isAny ? "\(folder)/\(aside)" : nil
  }
}

extension Database {
  /// What lies in the database's place.
  enum Presence {
    case missing
    /// No table of ours.
    case empty
    case used
  }

  /// Looks without changing anything. What cannot be read as a database counts as used: whoever
  /// opens it says what is wrong.
  static func presence(_ path: String) throws(StoreError) -> Presence {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return .missing }
      throw .state(errno, path)
    }
    guard status.isRegular, status.st_size > 0 else { return status.isRegular ? .empty : .used }
    do {
      var configuration = Configuration()
      configuration.readonly = true
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      defer { try? queue.close() }
      return try queue.read { db in try db.tableExists("peer") } ? .used : .empty
    } catch {
      return .used
    }
  }
}
