/// Goes on accepting after errors: one that lasts is met with pauses, and reported now and then.
///
/// Whatever an error of `accept` means (no descriptors, no memory, a connection that was gone before it was taken), the next
/// connection may be a good one. Only the end of the listener ends the accepting.
public struct AcceptRetry: Sendable {
  /// The pause after a first error: long enough to cost nothing, short enough for nobody to notice.
  static let firstPause = Duration.milliseconds(100)
  /// The longest pause, doubled up to: whoever connects meanwhile waits in the kernel's queue.
  static let longestPause = Duration.seconds(2)
  /// Between two reports.
  static let reportInterval = Duration.seconds(60)

  private let sleep: @Sendable (Duration) async throws -> Void
  private let clock: @Sendable () -> Duration
  private let report: @Sendable (_ error: any Error, _ unreported: Int) -> Void
  private var pause = firstPause
  private var reported: Duration?
  private var unreported = 0

  /// Pauses on a loop; `report` gets an error once in a while, and how many there were since the report before.
  public init(on loop: EventLoop, report: @escaping @Sendable (_ error: any Error, _ unreported: Int) -> Void) {
    self.init(sleep: { try await loop.sleep(for: $0) }, clock: { MonotonicClock.now }, report: report)
  }

  init(
    sleep: @escaping @Sendable (Duration) async throws -> Void, clock: @escaping @Sendable () -> Duration,
    report: @escaping @Sendable (_ error: any Error, _ unreported: Int) -> Void
  ) {
    self.sleep = sleep
    self.clock = clock
    self.report = report
  }

  /// The next connection; nil when the listener was closed, or the task was canceled.
  public mutating func next<Stream: Sendable>(_ accept: @Sendable () async throws -> Stream) async -> Stream? {
    while !Task.isCancelled {
      do {
        let stream = try await accept()
        pause = Self.firstPause
        return stream
      } catch is CancellationError {
        return nil
      } catch let error as LoopError where error.code == .closed {
        return nil
      } catch {
        note(error)
      }
      guard (try? await sleep(pause)) != nil else { return nil }
      pause = min(pause * 2, Self.longestPause)
    }
    return nil
  }

  private mutating func note(_ error: any Error) {
    let now = clock()
    if let reported, now < reported + Self.reportInterval {
      unreported += 1
      return
    }
    report(error, unreported)
    reported = now
    unreported = 0
  }
}
