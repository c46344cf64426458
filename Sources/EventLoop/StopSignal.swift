internal import Synchronization

/// Says to a job on a worker thread that nobody wants its result any more: its task was canceled, or its pool is stopping.
///
/// A job that takes long asks ``isSet`` between its steps, wherever it is in the call stack, and throws when it is. One that never
/// asks runs to its end.
public final class StopSignal: Sendable {
  @TaskLocal static var current: StopSignal?

  private let isRaised = Atomic(false)
  private let wasSeen = Atomic(false)
  private let pool: PoolState

  init(pool: PoolState) { self.pool = pool }

  /// Whether the job on the calling thread is to stop. Always false outside of a ``WorkerPool``.
  public static var isSet: Bool {
    guard let current, current.isRaised.load(ordering: .relaxed) || current.pool.isStopping else { return false }
    current.wasSeen.store(true, ordering: .relaxed)
    return true
  }

  func raise() { isRaised.store(true, ordering: .relaxed) }

  /// The job was told to stop, and asked: what it throws is its way of stopping.
  var hasBeenSeen: Bool { wasSeen.load(ordering: .relaxed) }
}

/// What all jobs of one pool know of it.
final class PoolState: Sendable {
  private let stopping = Atomic(false)
  var isStopping: Bool { stopping.load(ordering: .relaxed) }
  func stop() { stopping.store(true, ordering: .relaxed) }
}
