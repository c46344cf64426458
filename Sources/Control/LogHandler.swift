internal import API
public import EventLoop
internal import Glibc
public import Logging

/// Writes log lines on standard error: `2026-11-21T04:22:05.123Z info message key=value`.
///
/// One line an event, whatever is in it: everything is escaped, since names and addresses come from strangers. Lines are queued, so
/// that a reader of standard error who stops reading does not stop the node.
public struct StandardErrorLog: LogHandler {
  /// The least important level that is written. Set for one handler, it is that one's own from then on.
  public var logLevel: Logger.Level {
    get { level.now }
    set { level = LogLevel(newValue) }
  }
  /// Goes with every line.
  public var metadata: Logger.Metadata = [:]

  private let writer: LineWriter
  private var level: LogLevel

  /// A handler for a level, which writes through ``standardError`` or another writer.
  public init(level: LogLevel, writer: LineWriter) {
    self.level = level
    self.writer = writer
  }

  /// A writer for this process's standard error.
  public static func standardError() -> LineWriter {
    LineWriter(STDERR_FILENO, name: "pawl.log") { count in
      let event = LogEvent(
        level: .warning, message: "log lines were dropped, since nobody read them in time", metadata: ["count": "\(count)"],
        source: "", file: "", function: "", line: 0)
      return Array(line(event, metadata: [:], at: now).utf8)
    }
  }

  /// A value that goes with every line.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Queues one line.
  public func log(event: LogEvent) { writer.put(Array(Self.line(event, metadata: metadata, at: Self.now).utf8)) }

  static func line(_ event: LogEvent, metadata: Logger.Metadata, at time: timespec) -> String {
    var line = Units.timestamp(UInt64(max(0, time.tv_sec)), milliseconds: UInt64(time.tv_nsec) / 1_000_000)
    line += " \(event.level) " + TerminalText.escape("\(event.message)", doublingBackslashes: false)
    var all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    if let error = event.error { all["error"] = "\(error)" }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(TerminalText.escape(key))=\(quoted("\(value)"))" }
    return line + "\n"
  }

  /// A value as one word, quoted where it has spaces, so that a filter can tell where it ends.
  private static func quoted(_ value: String) -> String {
    let safe = TerminalText.escape(value)
    let isWord =
      !safe.isEmpty && !safe.utf8.contains { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=") }
    return isWord ? safe : "\"" + safe.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
  }

  private static var now: timespec {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return now
  }
}
