/// Changes that memory has made and the store has not: deletions whose loss in a crash costs a resend. They go with the next commit, or
/// by themselves when they have waited long enough, so that an acknowledgement costs its receiver no commit of its own.
///
/// A value, to be treated as a ``PeerMachine`` is: work on a copy, and keep it once what it says is written.
public struct DeferredCommit: Sendable {
  private let peer: NodeID
  private var waiting: SessionCommit

  /// Nothing waits.
  public init(peer: NodeID) {
    self.peer = peer
    waiting = SessionCommit(peer: peer)
  }

  /// Whether nothing waits.
  public var isEmpty: Bool { waiting.isEmpty }

  /// Adds a commit. Returns what is to be written now, in one transaction: the commit and all that waited, or nil if that can wait.
  ///
  /// - Parameter isDue: whether nothing is to wait any longer.
  public mutating func add(_ commit: SessionCommit, isDue: Bool = false) -> SessionCommit? {
    waiting.append(commit)
    guard !waiting.isEmpty, isDue || !waiting.canWait else { return nil }
    defer { waiting = SessionCommit(peer: peer) }
    return waiting
  }
}
