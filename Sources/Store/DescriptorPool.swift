internal import EventLoop

/// Open files by number, at most a few at once: an artifact may have more files than a process may have descriptors.
///
/// All pools together keep no more open than the process's ``DescriptorBudget`` gives to files. A descriptor that is in use stays open
/// after it left the pool, so the bound is that plus one a thread.
final class DescriptorPool: Sendable {
  /// Enough for every file that a transfer touches at one time, and far below the usual limit of 1,024 a process.
  static let capacity = 64

  private struct State {
    var open: [Int: (descriptor: Descriptor, used: UInt64, permit: DescriptorPermit)] = [:]
    var clock: UInt64 = 0
    var isClosed = false

    mutating func use(_ file: Int) -> Descriptor? {
      guard let found = open[file] else { return nil }
      clock += 1
      open[file]?.used = clock
      return found.descriptor
    }
  }

  private let state = Locked(State())
  private let capacity: Int
  private let budget: DescriptorBudget

  init(capacity: Int = DescriptorPool.capacity, budget: DescriptorBudget = .process) {
    self.capacity = capacity
    self.budget = budget
  }

  /// The open file, opened by `open` if it is not. Two threads may both open it; one of the two descriptors is kept.
  func descriptor(_ file: Int, open: () throws(StoreError) -> Descriptor) throws(StoreError) -> Descriptor {
    if let found = state.withLock({ $0.use(file) }) { return found }
    let fresh = try open()
    return state.withLock { [capacity, budget] state in
      if let found = state.use(file) { return found }
      if state.isClosed { return fresh }
      var permit = state.open.count < capacity ? budget.take(.file) : nil
      if permit == nil, let oldest = state.open.min(by: { $0.value.used < $1.value.used }) {
        permit = state.open.removeValue(forKey: oldest.key)?.permit
      }
      // Without one it is open as long as it is used.
      guard let permit else { return fresh }
      state.clock += 1
      state.open[file] = (fresh, state.clock, permit)
      return fresh
    }
  }

  /// Lets one go.
  func forget(_ file: Int) { state.withLock { $0.open[file] = nil } }

  /// Lets all go; none is kept from here on.
  func closeAll() {
    state.withLock {
      $0.open = [:]
      $0.isClosed = true
    }
  }

  /// How many are kept open.
  var count: Int { state.withLock { $0.open.count } }
}
