internal import Glibc
public import Primitives

/// The SHA-256 of a delivered file, computed from what is on the disk.
public enum ReadBack {
  /// Reads the whole file and hashes it; blocks, so on a worker. `fromDisk` writes out and drops what the page cache holds
  /// first, so that the disk answers and not the memory. Between pieces `shouldStop` is asked; nil means it said yes.
  ///
  /// Throws `doesNotExist`, `noPermission` and the like; a size other than `expectedBytes` is `deliveredChanged`.
  public static func hash(
    _ path: String, expectedBytes: UInt64, fromDisk: Bool = true, shouldStop: () -> Bool = { false }
  ) throws(StoreError) -> Digest? {
    guard let file = Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), let status = file.status() else {
      throw .destination(errno, path)
    }
    guard status.isRegular else { throw .destination(EISDIR, path) }
    guard UInt64(status.st_size) == expectedBytes else {
      throw StoreError(
        .deliveredChanged, path, detail: "its size is no longer the one it was delivered with")
    }
    if fromDisk {
      // Advice only: a file system that cannot answers from its cache.
      fdatasync(file.raw)
      posix_fadvise(file.raw, 0, 0, POSIX_FADV_DONTNEED)
    }
    var hasher = SHA256Hash.Hasher()
    var offset: UInt64 = 0
    func take(_ piece: UnsafeRawBufferPointer) -> Bool {
      hasher.update(piece)
      offset += UInt64(piece.count)
      return !shouldStop()
    }
    if fromDisk, expectedBytes >= DirectFile.fromBytes, let direct = DirectFile(file) {
      switch direct.forEachPiece(take) {
      case nil: return nil
      case true?: return try finished(hasher, offset, expectedBytes, path)
      case false?:
        hasher = SHA256Hash.Hasher()
        offset = 0
      }
    }
    posix_fadvise(file.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: SourceScanner.readBytes, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = file.read(into: buffer, at: offset)
      guard count >= 0 else { throw .destination(errno, path) }
      guard count > 0 else { break }
      guard take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { return nil }
    }
    // A read-back must not push what the machine works with out of its memory.
    if fromDisk { posix_fadvise(file.raw, 0, 0, POSIX_FADV_DONTNEED) }
    return try finished(hasher, offset, expectedBytes, path)
  }

  private static func finished(
    _ hasher: SHA256Hash.Hasher, _ read: UInt64, _ expected: UInt64, _ path: String
  ) throws(StoreError) -> Digest {
    guard read == expected else {
      throw StoreError(.deliveredChanged, path, detail: "it changed while it was read back")
    }
    return hasher.finalize()
  }
}
