internal import Glibc

/// Where a frame's memory goes when nobody uses it any more.
protocol FrameOwner: AnyObject, Sendable {
  /// On any thread.
  func giveBack(_ memory: FrameMemory)
}

/// The bytes of a frame: header room that ends where a page begins, and the body from there on. A mapping of its own, so that the
/// system has it back as soon as it is freed.
///
/// - Note: `@unchecked Sendable`: owned by one ``Frame`` or by its owner's free list.
struct FrameMemory: @unchecked Sendable {
  private static let page = 4096

  private let block: UnsafeMutableRawBufferPointer
  let headerBytes: Int
  let bytes: UnsafeMutableRawBufferPointer

  /// Nil: the system has no memory.
  init?(headerBytes: Int, bodyBytes: Int) {
    let bodyStart = (headerBytes + Self.page - 1) / Self.page * Self.page
    // Faults the pages in now, not while a socket waits.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
    guard let start = mmap(nil, bodyStart + bodyBytes, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else {
      return nil
    }
    block = UnsafeMutableRawBufferPointer(start: start, count: bodyStart + bodyBytes)
    bytes = UnsafeMutableRawBufferPointer(rebasing: block[(bodyStart - headerBytes)...])
    self.headerBytes = headerBytes
  }

  func free() { munmap(block.baseAddress, block.count) }
}

/// One buffer of the bulk path, which its owner gets back when the last reference goes.
///
/// - Note: `@unchecked Sendable`: a frame has one owner at a time: the stream while it reads or writes it, a worker
///   while its job runs. Whoever hands it on does not touch it until it comes back.
public final class Frame: @unchecked Sendable {
  private let memory: FrameMemory
  private let owner: any FrameOwner

  /// The bytes in use, header included.
  public var count = 0

  init(memory: FrameMemory, owner: any FrameOwner) {
    self.memory = memory
    self.owner = owner
  }

  deinit { owner.giveBack(memory) }

  /// How much fits, header included.
  public var capacity: Int { memory.bytes.count }
  /// All of it: header and body, contiguous. Valid while the frame lives.
  public var bytes: UnsafeMutableRawBufferPointer { memory.bytes }
  /// The room before the body.
  public var header: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<memory.headerBytes])
  }
  /// From the first page boundary on.
  public var body: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory.bytes[memory.headerBytes...])
  }
}
