internal import CUV

/// A clock that only goes forward and knows no calendar.
public enum MonotonicClock {
  /// Nanoseconds since an arbitrary point, the same for the whole process.
  public static var nanoseconds: UInt64 { uv_hrtime() }

  /// Whole seconds since that point.
  public static var seconds: UInt64 { nanoseconds / 1_000_000_000 }

  /// Time since that point.
  public static var now: Duration { .nanoseconds(Int64(clamping: nanoseconds)) }
}

/// A point on the monotonic clock by which something must be done.
public struct Deadline: Hashable, Comparable, Sendable {
  /// On ``MonotonicClock``; the largest value means never.
  let nanoseconds: UInt64

  /// No deadline at all.
  public static let never = Deadline(nanoseconds: .max)

  /// So long from now; a negative duration is past at once.
  public static func after(_ duration: Duration) -> Deadline {
    Deadline(nanoseconds: sum(MonotonicClock.nanoseconds, duration))
  }

  /// A deadline at a reading of ``MonotonicClock/now``.
  public init(at time: Duration) { nanoseconds = Self.sum(0, time) }

  private init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Whether it has passed.
  public var isPast: Bool { self != .never && MonotonicClock.nanoseconds >= nanoseconds }

  /// What is left, zero once it has passed; nil for ``never``.
  public var remaining: Duration? {
    guard self != .never else { return nil }
    let now = MonotonicClock.nanoseconds
    return .nanoseconds(Int64(clamping: nanoseconds > now ? nanoseconds - now : 0))
  }

  /// Whichever of the two comes first.
  public func earlier(_ other: Deadline) -> Deadline { min(self, other) }

  /// The earlier deadline is the smaller one.
  public static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Saturates at both ends instead of trapping.
  private static func sum(_ start: UInt64, _ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard seconds >= 0, attoseconds >= 0 else { return start }
    let (length, tooLong) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    let (end, beyond) = start.addingReportingOverflow(UInt64(clamping: length))
    return overflow || tooLong || beyond ? .max : end
  }
}
