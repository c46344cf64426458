/// How much work may be put into one envelope beyond its two header keys and its body.
struct OpeningEffort: Sendable {
  /// Messages that it may skip.
  let gap: Int
  /// Whether it is tried against the header keys of chains left behind.
  let searchesOldChains: Bool

  /// All that an honest peer may need.
  static let full = OpeningEffort(gap: SkippedKeys.maximumGap, searchesOldChains: true)
  /// For a peer whose envelopes keep failing.
  static let least = OpeningEffort(gap: 32, searchesOldChains: false)
}

/// Limits what envelopes that do not open may cost: each may have meant 64 trial decryptions, or a thousand keys to derive.
///
/// Only failures are charged. An honest peer's late envelopes open, however many they are, and so cost it nothing.
struct OpeningBudget: Sendable {
  /// Failures at full effort: as many at once, and one more every so many seconds.
  static let burst: UInt64 = 32
  static let refillSeconds: UInt64 = 2

  private var failures = Budget(capacity: burst, refillSeconds: refillSeconds)

  /// What the next envelope may cost.
  mutating func effort(at now: UInt64) -> OpeningEffort { failures.hasOne(at: now) ? .full : .least }

  /// An envelope did not open.
  mutating func charge(at now: UInt64) { _ = failures.spend(at: now) }
}
