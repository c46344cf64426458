internal import Glibc
internal import Primitives

/// What is about to happen to the state on the disk: tests stop there, as a power cut would.
typealias DurableStep = @Sendable (String) throws(StoreError) -> Void

/// Small secret files that are replaced whole or not at all.
///
/// The new bytes go to a temporary file, are synced, and then get the name. What lay there is overwritten afterwards as far as the file
/// system lets us (one that copies on write, or a disk that remaps, keeps the old blocks).
struct AtomicFile {
  let path: String
  private let name: String
  private let folder: Descriptor
  private let folderPath: String

  /// A file that need not exist, in a folder that does.
  init(_ path: String) throws(StoreError) {
    self.path = path
    let parts = Beneath.split(path)
    (folderPath, name) = (parts.folder, parts.name)
    guard let folder = Descriptor.open(parts.folder, O_RDONLY | O_DIRECTORY) else { throw .state(errno, parts.folder) }
    self.folder = folder
  }

  private var temporary: String { name + ".new" }

  /// What the file holds; nil if there is none. Throws for a link, and for what is no file or longer than it may be.
  func read(atMost limit: Int) throws(StoreError) -> SecretBuffer? {
    guard let file = folder.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else {
      if errno == ENOENT { return nil }
      if errno == ELOOP { throw StoreError(.insecure, path, detail: "a symbolic link stands where the file belongs") }
      throw .state(errno, path)
    }
    guard let status = file.status() else { throw .state(errno, path) }
    guard status.isRegular, status.st_size <= limit else { return SecretBuffer() }
    var bytes = SecretBuffer(capacity: Int(status.st_size))
    var piece = SecretBytes(zeroes: SecretBytes.maximumBytes)
    while true {
      var room = piece.mutableSpan
      let count = room.withUnsafeMutableBytes { file.read(into: $0, at: UInt64(bytes.count)) }
      guard count >= 0 else { throw .state(errno, path) }
      if count == 0 || bytes.count >= limit { return bytes }
      bytes.append(piece.span.extracting(first: count))
    }
  }

  /// Puts these bytes under the name, over what is there. Throwing means that the old file is untouched, or that the new one is whole.
  func replace(with bytes: Span<UInt8>, _ step: DurableStep) throws(StoreError) {
    let old = folder.open(name, O_WRONLY | O_NOFOLLOW)
    try write(bytes, step)
    try step("rename \(name)")
    guard renameat(folder.raw, temporary, folder.raw, name) == 0, fsync(folder.raw) == 0 else { throw .state(errno, path) }
    try step("overwrite the old \(name)")
    if let old { Self.overwrite(old, ifLinked: 0) }
  }

  /// Puts these bytes under the name if nothing is there; false if something is.
  func create(with bytes: Span<UInt8>, _ step: DurableStep = { _ in }) throws(StoreError) -> Bool {
    try write(bytes, step)
    try step("rename \(name)")
    guard Rename.withoutReplacing(folder, temporary, folder, name) else {
      let number = errno
      try removeLeftover()
      guard number == EEXIST else { throw .state(number, path) }
      return false
    }
    guard fsync(folder.raw) == 0 else { throw .state(errno, path) }
    return true
  }

  /// Removes what a crash before the renaming left behind.
  func removeLeftover() throws(StoreError) {
    if let left = folder.open(temporary, O_WRONLY | O_NOFOLLOW) { Self.overwrite(left, ifLinked: 1) }
    guard unlinkat(folder.raw, temporary, 0) == 0 || errno == ENOENT else { throw .state(errno, path + ".new") }
  }

  private func write(_ bytes: Span<UInt8>, _ step: DurableStep) throws(StoreError) {
    try removeLeftover()
    try step("write \(name)")
    guard let file = folder.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600) else {
      throw .state(errno, path)
    }
    let isWritten = bytes.withUnsafeBytes { file.write($0, at: 0) }
    guard isWritten, fsync(file.raw) == 0 else { throw .state(errno, path) }
  }

  /// Zeros over the file's bytes, unless another name still leads to it: that one may be somebody's backup.
  private static func overwrite(_ file: Descriptor, ifLinked links: nlink_t) {
    guard let status = file.status(), status.isRegular, status.st_nlink == links else { return }
    let zeros = [UInt8](repeating: 0, count: min(Int(status.st_size), 64 << 10))
    if zeros.withUnsafeBytes({ file.write($0, at: 0) }) { _ = fdatasync(file.raw) }
  }
}
