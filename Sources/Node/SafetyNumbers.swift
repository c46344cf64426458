internal import EventLoop
internal import Session

/// This node's safety numbers, each worked out when somebody first looks at it: 10,400 hashes, which a node with a thousand peers
/// would spend seconds on at every start.
final class SafetyNumbers: Sendable {
  private let own: NodeID
  private let workers: WorkerPool
  private let known = Locked<[NodeID: SafetyNumber]>([:])

  /// Those of a node, worked out on these threads.
  init(of own: NodeID, on workers: WorkerPool) {
    self.own = own
    self.workers = workers
  }

  /// How many were worked out.
  var count: Int { known.withLock { $0.count } }

  /// The sixty digits that this node and another see alike.
  func digits(with other: NodeID) async -> String {
    if let number = known.withLock({ $0[other] }) { return number.digits }
    let own = own
    // Where the threads have ended, nobody minds that the caller waits.
    let number = (try? await workers.run { SafetyNumber(own, other) }) ?? SafetyNumber(own, other)
    known.withLock { $0[other] = number }
    return number.digits
  }
}
