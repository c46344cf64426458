internal import Glibc

/// What tells whether a file is still the one that was shared: which file it is, how long it is and when it was last written.
public struct FileIdentity: Hashable, Codable, Sendable {
  /// The file system.
  public let device: UInt64
  /// The file in it.
  public let inode: UInt64
  /// Bytes.
  public let sizeBytes: UInt64
  /// The time of the last write, in nanoseconds since 1970.
  public let modifiedNanoseconds: Int64

  /// An identity read back from the database.
  public init(device: UInt64, inode: UInt64, sizeBytes: UInt64, modifiedNanoseconds: Int64) {
    self.device = device
    self.inode = inode
    self.sizeBytes = sizeBytes
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  /// Whether it is the same file and as long, whenever it was last written.
  func isSameFile(as other: FileIdentity) -> Bool {
    device == other.device && inode == other.inode && sizeBytes == other.sizeBytes
  }

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    sizeBytes = UInt64(max(0, status.st_size))
    modifiedNanoseconds = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
  }
}
