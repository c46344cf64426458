internal import CSys
internal import EventLoop

extension Node {
  /// Sets up the process's heap. Call it before the first thread is started: each makes an arena of its own otherwise.
  public static func prepareMemory() {
    // Without it every chunk-sized allocation is a fresh mapping whose pages fault in one by one.
    sys_keep_heap_warm()
  }

  /// Sets up the process for a node: memory that stays warm under chunk-sized buffers, no core dumps, no SIGPIPE. Call it before
  /// anything large is allocated.
  public static func prepareProcess() {
    prepareMemory()
    // Keys live in this process.
    _ = sys_forbid_core_dumps()
    ignoreSIGPIPE()
  }
}
