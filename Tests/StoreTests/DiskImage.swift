import Glibc
import Testing

@testable import Store

/// A file system in a file of its own, so that a test can look at every block, those that no file has any more included. Needs root and a
/// loop device.
final class DiskImage {
  let path: String
  private let image: String
  private var isMounted = false

  init(_ temporary: TemporaryFolder) throws {
    image = temporary("image")
    path = try temporary.folder("disk")
    let file = try #require(Descriptor.open(image, O_WRONLY | O_CREAT, mode: 0o600))
    try #require(ftruncate(file.raw, 24 << 20) == 0)
    try #require(Self.run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=0", image))
    try #require(Self.run("mount", "-o", "loop", image, path))
    isMounted = true
  }

  /// Whether this machine lets a test have one.
  static let isPossible: Bool = {
    guard geteuid() == 0, access("/dev/loop-control", W_OK) == 0, let temporary = try? TemporaryFolder() else { return false }
    return (try? DiskImage(temporary)) != nil
  }()

  deinit { unmount() }

  /// Everything is written out, and nobody writes any more.
  func unmount() {
    guard isMounted else { return }
    isMounted = false
    _ = Self.run("umount", path) || Self.run("umount", "-l", path)
  }

  /// How many of these byte strings lie in any block.
  func held(of needles: some Sequence<[UInt8]>) throws -> Int {
    sync()
    let bytes = try TemporaryFolder.bytes(at: image)
    return needles.count { contains(bytes, $0) }
  }

  /// Copies a file into it.
  func put(_ name: String, _ bytes: [UInt8]) throws {
    let file = try #require(Descriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600))
    #expect(bytes.withUnsafeBytes { file.write($0, at: 0) } && fsync(file.raw) == 0)
  }

  private static func run(_ words: String...) -> Bool {
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { (word: String) in strdup(word) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { for text in arguments + variables { free(text) } }
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
      var child: pid_t = 0
      guard posix_spawn(&child, "\(folder)/\(words[0])", nil, nil, &arguments, &variables) == 0 else { continue }
      var status: Int32 = 0
      while waitpid(child, &status, 0) == -1, errno == EINTR {}
      return status == 0
    }
    return false
  }
}
