internal import EventLoop
internal import Logging

/// The log of what others cause: of each peer one line a minute and kind, then how many more there were.
final class PeerLog: Sendable {
  /// Events that are counted as one.
  private struct Kind: Hashable {
    /// The alias of the peer; nil for strangers.
    let peer: String?
    let level: Logger.Level
    let message: String
  }

  private let logger: Logger
  private let throttle = Locked(LogThrottle<Kind>())

  /// Writes to this logger.
  init(_ logger: Logger) { self.logger = logger }

  /// Writes a line, or counts it. `message` says what kind it is, so it does not vary with the event.
  ///
  /// - Parameter metadata: what varies; only worked out if the line is written.
  func note(
    _ level: Logger.Level, _ message: String, peer: String?, metadata: @autoclosure () -> Logger.Metadata = [:]
  ) {
    guard level >= logger.logLevel else { return }
    let kind = Kind(peer: peer, level: level, message: message)
    guard throttle.withLock({ $0.admit(kind, at: MonotonicClock.now) }) else { return }
    logger.log(level: level, "\(message)", metadata: Self.name(peer).merging(metadata()) { _, new in new })
  }

  /// Tells how many lines were held back. To be called every few seconds, and with `isEnd` at the end.
  func report(isEnd: Bool = false) {
    let now = MonotonicClock.now
    for repeats in throttle.withLock({ isEnd ? $0.drain(at: now) : $0.due(at: now) }) {
      logger.log(
        level: repeats.key?.level ?? .warning,
        "\(repeats.key?.message ?? "other lines about peers"): and \(repeats.count) more in the last \(repeats.seconds) s",
        metadata: Self.name(repeats.key?.peer))
    }
  }

  private static func name(_ peer: String?) -> Logger.Metadata { peer.map { ["peer": "\($0)"] } ?? [:] }
}
