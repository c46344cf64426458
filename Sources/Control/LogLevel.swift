internal import EventLoop
public import Logging

/// The least important level that a log writes, which may change while the node runs.
public final class LogLevel: Sendable {
  private let level: Locked<Logger.Level>

  /// A level to begin with.
  public init(_ level: Logger.Level) { self.level = Locked(level) }

  /// The level now.
  var now: Logger.Level {
    get { level.withLock { $0 } }
    set { level.withLock { $0 = newValue } }
  }
}
