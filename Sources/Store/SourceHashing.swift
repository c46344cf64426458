internal import Artifact
internal import EventLoop
internal import Glibc

/// One file of a scanned tree while it is being hashed: opened once, then read a slice at a time.
///
/// Steps run one after another, on any thread.
final class SourceHashing: Sendable {
  private struct Reading {
    let opened: Descriptor
    var hasher: FileHasher
    var offset: UInt64 = 0
  }

  private let tree: ScannedTree
  private let file: ScannedFile
  private let chunkBytes: Int
  private let reading = Locked<Reading?>(nil)

  init(_ tree: ScannedTree, file: ScannedFile, chunkBytes: Int) {
    self.tree = tree
    self.file = file
    self.chunkBytes = chunkBytes
  }

  private var path: String { SourceRoots.path(of: file.source, root: tree.root) }

  /// Reads on for one slice; nil while there is more. Blocks, so on a worker. `progress` gets the bytes of each read.
  /// Throws `sourceChanging` if the file is not, or does not stay, what was scanned.
  func step(_ slice: WorkSlice = WorkSlice(), progress: (Int) throws -> Void) throws -> HashedFile? {
    try reading.withLock { reading in
      var current = try reading ?? open()
      // Taken out meanwhile, so that the hasher is not copied.
      reading = nil
      guard try read(&current, slice, progress) else {
        reading = current
        return nil
      }
      return try finish(current)
    }
  }

  private func open() throws -> Reading {
    guard let opened = SourceRoots.open(file.source, root: tree.root, O_RDONLY | O_NONBLOCK) else {
      throw StoreError.source(errno, path)
    }
    try check(opened)
    posix_fadvise(opened.raw, 0, 0, POSIX_FADV_SEQUENTIAL)
    do {
      let layout = try ChunkLayout(sizeBytes: file.identity.sizeBytes, chunkBytes: chunkBytes)
      return Reading(opened: opened, hasher: FileHasher(path: file.path, layout: layout))
    } catch {
      throw StoreError(.fileTooLarge, path, detail: error.reason)
    }
  }

  private func check(_ opened: Descriptor) throws {
    guard let status = opened.status() else { throw StoreError.source(errno, path) }
    guard status.isRegular, FileIdentity(status) == file.identity else { throw StoreError.changing(path) }
  }

  /// True at the end of the file.
  private func read(_ reading: inout Reading, _ slice: WorkSlice, _ progress: (Int) throws -> Void) throws -> Bool {
    let size = file.identity.sizeBytes
    var slice = slice
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: SourceScanner.readBytes, alignment: 16)
    defer { buffer.deallocate() }
    while reading.offset < size {
      let count = reading.opened.read(into: buffer, at: reading.offset)
      guard count >= 0 else { throw StoreError.source(errno, path) }
      guard count > 0, reading.offset + UInt64(count) <= size else { throw StoreError.changing(path) }
      try reading.hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      reading.offset += UInt64(count)
      try progress(count)
      guard slice.spend(count) || reading.offset == size else { return false }
    }
    return true
  }

  private func finish(_ reading: Reading) throws -> HashedFile {
    try check(reading.opened)
    do {
      return HashedFile(file: file, facts: try reading.hasher.finish())
    } catch {
      throw StoreError.changing(path)
    }
  }
}
