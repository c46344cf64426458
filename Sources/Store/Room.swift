internal import Artifact
internal import CSys
internal import Glibc

/// Room on a file system.
enum Room {
  /// Throws `noSpace` unless files of these sizes fit.
  static func check(_ folder: Descriptor, path: String, files: [UInt64]) throws(StoreError) {
    var status = statvfs()
    guard fstatvfs(folder.raw, &status) == 0 else { throw .destination(errno, path) }
    let block = max(1, UInt64(status.f_bsize))
    let needed = files.reduce(UInt64(0)) { sum, size in sum &+ (size &+ block &- 1) / block &* block }
    let free = UInt64(status.f_bavail) &* UInt64(status.f_frsize)
    // What keeps no files at all, as /proc, has no size either.
    guard needed <= free || status.f_blocks > 0 else {
      throw StoreError(.noPermission, path, detail: "files cannot be kept on this file system")
    }
    guard needed <= free else {
      throw StoreError(.noSpace, path, detail: "\(SizeText.text(needed)) are needed and \(SizeText.text(free)) are free")
    }
    // Some file systems have no fixed number of files and say 0.
    guard status.f_files == 0 || UInt64(files.count) <= UInt64(status.f_favail) else {
      throw StoreError(.noSpace, path, detail: "\(files.count) files are to be made and \(status.f_favail) more may be")
    }
  }

  /// Gives a file its size, with the blocks behind it where the file system can.
  static func reserve(_ file: Descriptor, _ sizeBytes: UInt64, path: String) throws(StoreError) {
    if sizeBytes >= PartialFolder.reserveFromBytes {
      let result = sys_fallocate(file.raw, 0, Int64(clamping: sizeBytes))
      switch -result {
      case ENOSPC, EDQUOT, EFBIG: throw .destination(-result, path)
      default: break  // what it cannot reserve it may still write
      }
    }
    while ftruncate(file.raw, off_t(clamping: sizeBytes)) != 0 {
      guard errno == EINTR else { throw .destination(errno, path) }
    }
  }
}
