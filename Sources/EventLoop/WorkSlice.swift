/// How much of a long job runs before the others on its threads get their turn, and before it can be stopped.
public struct WorkSlice: Sendable {
  /// Bytes of a slice: what a fast disk and one core get through in well under a tenth of a second.
  public static let bytes = 64 << 20
  /// The time after which a slice ends where the disk is slow.
  public static let time = Duration.milliseconds(20)

  private var leftBytes: Int
  private let end: Deadline

  /// A slice that begins now.
  public init(bytes: Int = Self.bytes, time: Duration = Self.time) {
    leftBytes = bytes
    end = .after(time)
  }

  /// Counts work that was done. False when the slice is over.
  public mutating func spend(_ bytes: Int) -> Bool {
    leftBytes -= bytes
    return leftBytes > 0 && !end.isPast
  }
}

extension WorkerPool {
  /// Runs a long job slice by slice: `slice` does a bounded piece of it and returns nil while there is more. Slices of several jobs
  /// alternate.
  ///
  /// Throws `CancellationError` between two slices when the task is canceled, and ``LoopError/Code/closed`` after ``stop()``.
  public func runInSlices<Value: Sendable>(_ slice: @escaping @Sendable () throws -> Value?) async throws -> Value {
    while true {
      if let value = try await run(slice) { return value }
    }
  }
}
