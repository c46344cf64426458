internal import Session

/// How far this node's clock and another's are apart.
struct ClockDifference: Hashable, Sendable {
  /// Absolute, in seconds.
  let seconds: UInt64
  /// Whether ours is the later one.
  let isOursAhead: Bool

  /// The difference of two clocks at one moment, Unix seconds.
  init(ours: UInt64, theirs: UInt64) {
    isOursAhead = ours > theirs
    seconds = isOursAhead ? ours - theirs : theirs - ours
  }

  /// Whether nothing that is signed on one of the two counts on the other: bundles allow for an hour.
  var isTooLarge: Bool { seconds > SessionTimes.clockSkew }

  /// `2 h 5 min`, `3 days 1 h`: two units, since nobody sets a clock by more.
  var words: String {
    let units: [(size: UInt64, one: String, many: String)] = [
      (86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"), (1, "s", "s"),
    ]
    let first = units.firstIndex { seconds >= $0.size } ?? units.count - 1
    var left = seconds
    var parts: [String] = []
    for unit in units[first...].prefix(2) {
      let count = left / unit.size
      left %= unit.size
      if count > 0 || parts.isEmpty { parts.append("\(count) \(count == 1 ? unit.one : unit.many)") }
    }
    return parts.joined(separator: " ")
  }
}

extension NodeError {
  /// A pairing that came to nothing because of the clocks. It left nothing behind, and the ticket is as good as before.
  static func clocksDiffer(_ difference: ClockDifference) -> NodeError {
    NodeError(
      .clock,
      "this machine's clock is \(difference.words) \(difference.isOursAhead ? "ahead of" : "behind") the inviter's: one of the two is wrong",
      hint: "set the wrong clock right, then run the same `pawl join` again: the ticket is not used up")
  }
}
