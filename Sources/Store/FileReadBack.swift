internal import EventLoop
internal import Glibc
public import Primitives

/// One file on its way through SHA-256, a slice at a time: between slices a worker is free for others, and whoever waits may
/// give up. A value: the descriptor closes with the last copy.
public struct FileReadBack: Sendable {
  /// Bytes after which a slice ends.
  public static let sliceBytes = 64 << 20
  /// Time after which it ends, if that is sooner.
  public static let sliceTime = Duration.milliseconds(20)

  /// Its absolute path.
  public let path: String
  /// The bytes that it must have.
  public let expectedBytes: UInt64
  /// Bytes hashed so far.
  public private(set) var offset: UInt64 = 0

  private let file: Descriptor
  private let fromDisk: Bool
  /// Past the page cache; nil: the ordinary way.
  private var direct: DirectFile?
  private var hasher = SHA256Hash.Hasher()

  /// Opens a file, which must be regular and have `expectedBytes`; blocks, so on a worker. `fromDisk` writes out and drops what
  /// the page cache holds first, so that the disk answers and not the memory.
  ///
  /// Throws `doesNotExist`, `noPermission` and the like; a size other than `expectedBytes` is `deliveredChanged`.
  public init(_ path: String, expectedBytes: UInt64, fromDisk: Bool = true) throws(StoreError) {
    guard let file = Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), let status = file.status() else {
      throw .destination(errno, path)
    }
    guard status.isRegular else { throw .destination(EISDIR, path) }
    guard UInt64(status.st_size) == expectedBytes else {
      throw StoreError(
        .deliveredChanged, path, detail: "its size is no longer the one it was delivered with")
    }
    self.path = path
    self.expectedBytes = expectedBytes
    self.file = file
    self.fromDisk = fromDisk
    if fromDisk {
      // Advice only: a file system that cannot answers from its cache.
      fdatasync(file.raw)
      posix_fadvise(file.raw, 0, 0, POSIX_FADV_DONTNEED)
      if expectedBytes >= DirectFile.fromBytes { direct = DirectFile(file) }
    }
    posix_fadvise(file.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
  }

  /// Hashes a slice; blocks, so on a worker. Returns the digest once the whole file was read.
  ///
  /// Throws `io` and the like, and `deliveredChanged` for a file that grew or shrank meanwhile.
  public mutating func step(
    bytes: Int = sliceBytes, time: Duration = sliceTime, shouldStop: () -> Bool = { false }
  ) throws(StoreError) -> Digest? {
    let end = Deadline.after(time)
    let target = offset + UInt64(bytes)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: DirectFile.pieceBytes, alignment: DirectFile.blockBytes)
    defer { buffer.deallocate() }
    repeat {
      guard let count = read(into: buffer) else { throw .destination(errno, path) }
      guard count > 0 else { return try finished() }
      hasher.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
      offset += UInt64(count)
      guard offset <= expectedBytes else { throw changed() }
    } while offset < target && !end.isPast && !shouldStop()
    return nil
  }

  /// nil with `errno` set if that fails. Only the last read of a file may be short, so an offset past the page cache is aligned.
  private mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    if let direct {
      let count = direct.read(into: buffer, at: offset)
      if count >= 0 { return count }
      self.direct = nil
    }
    let count = file.read(into: buffer, at: offset)
    return count < 0 ? nil : count
  }

  private func finished() throws(StoreError) -> Digest {
    // A read-back must not push what the machine works with out of its memory.
    if fromDisk { posix_fadvise(file.raw, 0, 0, POSIX_FADV_DONTNEED) }
    guard offset == expectedBytes else { throw changed() }
    return hasher.finalize()
  }

  private func changed() -> StoreError {
    StoreError(.deliveredChanged, path, detail: "it changed while it was read back")
  }
}
