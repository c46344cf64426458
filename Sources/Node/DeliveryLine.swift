internal import EventLoop

/// Work that one peer causes and that waits for the disk, done one after the other beside the peer's session: a slow answer holds up
/// neither acknowledgements nor grants.
///
/// What stands here is committed: a node that is killed meanwhile does not do it, and who asked asks again.
actor DeliveryLine {
  /// A piece of work.
  typealias Work = @Sendable () async -> Void

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let limit: Int
  private var waiting: [Work] = []
  private var isWorking = false

  /// A line in which `limit` may wait beside the one that is being done.
  init(limit: Int, on loop: EventLoop) {
    self.limit = limit
    self.loop = loop
  }

  /// Puts work at the end. False: the line is full, and it is dropped.
  func add(_ work: @escaping Work) -> Bool {
    guard waiting.count < limit else { return false }
    waiting.append(work)
    begin()
    return true
  }

  /// Puts work in the place of all that waits: only the last word counts, and it is never dropped.
  func put(_ work: @escaping Work) {
    waiting = [work]
    begin()
  }

  /// Drops what waits.
  func clear() { waiting = [] }

  private func begin() {
    guard !isWorking else { return }
    isWorking = true
    startTask { await self.work() }
  }

  private func work() async {
    while !waiting.isEmpty {
      let next = waiting.removeFirst()
      await next()
    }
    isWorking = false
  }
}
