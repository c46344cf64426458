internal import CSys
internal import Glibc

/// The lock that one process holds on a state folder, with its process id in the file for whoever is turned away.
///
/// It is `flock` on an open file: a second node in the same process is refused too, and reading the file elsewhere in the process
/// does not free it, as it would a POSIX record lock. It ends with its process. A process that is just being started shares the
/// open file until it runs its program, so giving the lock back is an explicit unlock, which counts for every copy; closing alone
/// would leave it with that process.
final class FolderLock: Sendable {
  private let file: Descriptor

  /// Takes the lock. Throws `locked` with its holder if somebody has it.
  init(_ path: String) throws(StoreError) {
    guard let file = Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600) else { throw .state(errno, path) }
    let result = sys_flock(file.raw, 1)
    guard result >= 0 else {
      guard -result == EWOULDBLOCK else { throw .state(-result, path) }
      let holder = Self.readHolder(file)
      let who = holder.map { "process \($0)" } ?? "another process"
      throw StoreError(.locked, path, detail: "\(who) runs a node here already", holder: holder)
    }
    self.file = file
    let text = [UInt8]("\(getpid())\n".utf8)
    guard ftruncate(file.raw, 0) == 0, text.withUnsafeBytes({ file.write($0, at: 0) }) else { throw .state(errno, path) }
  }

  deinit { _ = sys_unlock(file.raw) }

  /// Who holds the lock now: a process id, zero if it is not known, or nil if nobody does.
  static func holder(_ path: String) -> Int32? {
    guard let file = Descriptor.open(path, O_RDWR | O_NOFOLLOW) else { return nil }
    if sys_flock(file.raw, 0) >= 0 {
      _ = sys_unlock(file.raw)
      return nil
    }
    return readHolder(file) ?? 0
  }

  private static func readHolder(_ file: Descriptor) -> Int32? {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
    guard count > 0 else { return nil }
    return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
  }
}
