/// How long to wait before dialling a peer again: 1 s, doubled up to 60 s, each with jitter so that two nodes that lost each
/// other at the same instant do not keep colliding.
struct Backoff {
  /// The first wait.
  static let firstSeconds = 1.0
  /// The longest wait: a peer that comes back is noticed within a minute.
  static let lastSeconds = 60.0

  private var attempts = 0

  /// The next wait, between half and all of the doubled base. `jitter` is 0…1.
  mutating func next(jitter: Double) -> Duration {
    let base = min(Self.lastSeconds, Self.firstSeconds * Double(1 << min(attempts, 6)))
    attempts += 1
    return .milliseconds(Int(base * (0.5 + 0.5 * jitter) * 1_000))
  }

  /// A link came up: start over.
  mutating func reset() { attempts = 0 }
}
