internal import Glibc

/// An open file descriptor that closes with its last reference, so that one thread may drop it while another still reads.
final class Descriptor: Sendable {
  /// The number, valid while this object lives.
  let raw: CInt

  init(_ raw: CInt) { self.raw = raw }

  deinit { close(raw) }

  /// Opens `path`; nil with `errno` set if that fails. Always close-on-exec.
  static func open(_ path: String, _ flags: CInt, mode: mode_t = 0) -> Descriptor? {
    let raw = Glibc.open(path, flags | O_CLOEXEC, mode)
    return raw < 0 ? nil : Descriptor(raw)
  }

  /// Opens one name in this folder; nil with `errno` set if that fails.
  func open(_ name: String, _ flags: CInt, mode: mode_t = 0) -> Descriptor? {
    let raw = openat(raw, name, flags | O_CLOEXEC, mode)
    return raw < 0 ? nil : Descriptor(raw)
  }

  /// What the file system says about this file; nil with `errno` set if that fails.
  func status() -> stat? {
    var status = stat()
    return fstat(raw, &status) == 0 ? status : nil
  }

  /// What lies under one name or path below this folder, a link not followed; nil with `errno` set if that fails.
  func status(of name: String) -> stat? {
    var status = stat()
    return fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
  }

  /// Reads until the buffer is full or the file ends; -1 with `errno` set if that fails.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
    var done = 0
    while done < buffer.count {
      let count = pread(raw, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      if count < 0 { return -1 }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Writes all of it; false with `errno` set if that fails.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = pwrite(raw, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        if count == 0 { errno = ENOSPC }
        return false
      }
      done += count
    }
    return true
  }
}

extension stat {
  var isFolder: Bool { st_mode & S_IFMT == S_IFDIR }
  var isRegular: Bool { st_mode & S_IFMT == S_IFREG }
  var isLink: Bool { st_mode & S_IFMT == S_IFLNK }
}
