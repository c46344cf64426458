import Glibc
import Testing

/// Child processes that inherit what they can, and what they have open.
enum Inheritance {
  /// Starts a process that only waits. It keeps every descriptor that is not close-on-exec.
  static func sleeper() throws -> pid_t {
    var child: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    defer { for word in words { free(word) } }
    try #require(posix_spawn(&child, "/bin/sleep", nil, nil, &words, nil) == 0)
    return child
  }

  /// Ends a process of ``sleeper()``.
  static func end(_ child: pid_t) {
    kill(child, SIGKILL)
    var status: Int32 = 0
    waitpid(child, &status, 0)
  }

  /// This process's descriptors of a file.
  static func descriptors(of path: String) throws -> [Int32] { try descriptors(in: "self", of: path) }

  /// Whether a process has a file open.
  static func holds(_ process: pid_t, _ path: String) throws -> Bool { try !descriptors(in: "\(process)", of: path).isEmpty }

  private static func descriptors(in process: String, of path: String) throws -> [Int32] {
    let folder = try #require(opendir("/proc/\(process)/fd"))
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      var target = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink("/proc/\(process)/fd/\(name)", &target, target.count)
      guard count > 0, let number = Int32(name) else { continue }
      if String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) == path { found.append(number) }
    }
    return found
  }
}
