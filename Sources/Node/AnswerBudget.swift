/// How often the node answers a message 1: each answer costs two X25519 operations, and a third for message 3.
///
/// A token bucket over a clock that is handed in. Handshakes that find it empty wait in the doorway, where they can be dropped.
struct AnswerBudget {
  /// Answers at once: all who may have a verified message 1, twice.
  static let burst = 64
  /// Answers a second after that.
  static let perSecond = 200

  private var left = Double(burst)
  private var last = Duration.zero

  /// Whether there is one left; if so it is spent. `now` is a reading of a clock that only goes forward.
  mutating func spend(at now: Duration) -> Bool {
    left = min(Double(Self.burst), left + max(0, (now - last) / .seconds(1)) * Double(Self.perSecond))
    last = max(last, now)
    guard left >= 1 else { return false }
    left -= 1
    return true
  }
}
