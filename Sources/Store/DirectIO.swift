internal import CSys
internal import EventLoop
internal import Glibc

/// Reads and writes whole blocks past the page cache.
///
/// A delivered model is gigabytes that nobody reads next: through the cache, each of its pages would first be found, then filled, then
/// flushed, and would push out what the machine works with. Past it, the disk has the bytes when the call returns, and the
/// flush at the end has little left to do. Where a file system cannot, callers take the ordinary way.
final class DirectFile: Sendable {
  /// Files below this size go through the cache: the second descriptor would cost more than it saves.
  static let fromBytes: UInt64 = 8 << 20
  /// What offsets, lengths and addresses must be multiples of: at least a logical block of any disk.
  static let blockBytes = 4_096
  /// Bytes of one read or write.
  static let pieceBytes = 1 << 20

  /// Page-aligned memory, for as many threads as write at one time.
  private static let buffers = FramePool(frames: 4, headerBytes: 0, bodyBytes: pieceBytes)

  private let descriptor: Descriptor

  /// A second descriptor of an open file; nil where there is no such thing.
  init?(_ file: Descriptor) {
    let raw = sys_reopen_direct(file.raw)
    guard raw >= 0 else { return nil }
    descriptor = Descriptor(raw)
  }

  /// Writes whole blocks. False: do it the ordinary way; what is written already does no harm.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
    guard offset.isMultiple(of: UInt64(Self.blockBytes)), bytes.count.isMultiple(of: Self.blockBytes),
      let buffer = Self.buffers.tryTake()
    else { return false }
    for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.pieceBytes, bytes.count)])
      buffer.body.copyMemory(from: piece)
      let aligned = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer.body)[..<piece.count])
      guard descriptor.write(aligned, at: offset + UInt64(start)) else { return false }
    }
    return true
  }

  /// Reads into whole blocks of aligned memory; -1 with `errno` set where that cannot be. Only the last read of a file is short.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
    while true {
      let count = pread(descriptor.raw, buffer.baseAddress, buffer.count, off_t(offset))
      if count < 0, errno == EINTR { continue }
      return count
    }
  }
}
