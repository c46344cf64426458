internal import CSys
internal import EventLoop

extension Node {
  /// What a thread's stack takes where the address space is limited.
  private static let smallStackBytes: UInt = 1 << 20

  /// Sets up the process's heap, and has threads take little of the address space where that is limited (`ulimit -v`). Call it
  /// before the first thread is started: each makes an arena of its own otherwise.
  public static func prepareMemory() {
    _ = sys_save_address_space(smallStackBytes)
    // Without it every chunk-sized allocation is a fresh mapping whose pages fault in one by one.
    sys_keep_heap_warm()
  }

  /// Sets up the process for a node: memory that stays warm under chunk-sized buffers, as many descriptors as it may have, no core
  /// dumps, no SIGPIPE. Call it before anything large is allocated.
  public static func prepareProcess() {
    prepareMemory()
    DescriptorLimit.raise()
    // Keys live in this process.
    _ = sys_forbid_core_dumps()
    ignoreSIGPIPE()
  }
}
