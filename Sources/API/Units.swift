/// Numbers as people read them: sizes and rates in powers of ten (1 MB = 1,000,000 bytes), ages, durations, dates in UTC.
public enum Units {
  private static let secondsPerDay: UInt64 = 86_400

  /// `0 B`, `999 B`, `1.5 kB`, `20.1 MB`, `2.15 GB`.
  public static func bytes(_ count: UInt64) -> String {
    guard count >= 1_000 else { return "\(count) B" }
    return scaled(count, ["kB", "MB", "GB", "TB", "PB", "EB"], digits: [1, 1, 2, 2, 2, 2])
  }

  /// `20.1 MB/s`
  public static func rate(_ bytesPerSecond: UInt64) -> String { bytes(bytesPerSecond) + "/s" }

  /// `264`, `9.8 M`, `7.24 B`: counts of parameters, in the field's letters.
  public static func count(_ count: UInt64) -> String {
    guard count >= 1_000 else { return "\(count)" }
    return scaled(count, ["k", "M", "B", "T"], digits: [1, 1, 2, 2])
  }

  /// `1 file`, `500 files`
  public static func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
  }

  /// `just now`, `42 s ago`, `3 min ago`, `2 h ago`, `1 day ago`, `5 days ago`; a date from two months on, and for a time
  /// more than a minute ahead of our clock.
  public static func age(of time: UInt64, now: UInt64) -> String {
    guard time <= now else { return time - now <= 60 ? "just now" : date(time) }
    let seconds = now - time
    switch seconds {
    case 0..<5: return "just now"
    case 5..<60: return "\(seconds) s ago"
    case 60..<3_600: return "\(seconds / 60) min ago"
    case 3_600..<secondsPerDay: return "\(seconds / 3_600) h ago"
    case secondsPerDay..<60 * secondsPerDay: return plural(Int(seconds / secondsPerDay), "day") + " ago"
    default: return String(date(time).prefix(10))
    }
  }

  /// `0.8 s`, `12 s`, `3 min 5 s`, `1 h 2 min`, `2 days`
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0 else { return "–" }
    if seconds < 9.95 { return fixed(UInt64((seconds * 10).rounded()), decimals: 1) + " s" }
    let whole = UInt64(min(seconds, 1e15).rounded())
    switch whole {
    case 0..<60: return "\(whole) s"
    case 60..<3_600: return "\(whole / 60) min" + (whole % 60 > 0 ? " \(whole % 60) s" : "")
    case 3_600..<secondsPerDay: return "\(whole / 3_600) h" + (whole / 60 % 60 > 0 ? " \(whole / 60 % 60) min" : "")
    default: return plural(Int(whole / secondsPerDay), "day")
    }
  }

  /// `0:42`, `12:03`, `1:02:03`
  public static func clock(_ seconds: UInt64) -> String {
    let tail = ":" + padded(seconds % 60)
    guard seconds >= 3_600 else { return "\(seconds / 60)" + tail }
    return "\(seconds / 3_600):" + padded(seconds / 60 % 60) + tail
  }

  /// `71 %`, rounded down, so that 100 % means all of it.
  public static func percent(_ part: UInt64, of whole: UInt64) -> String {
    guard whole > 0 else { return "100 %" }
    return "\(min(100, UInt64(Double(part) / Double(whole) * 100))) %"
  }

  /// `2026-11-21 04:22 UTC`
  public static func date(_ time: UInt64) -> String {
    let (day, time) = dayAndTime(time)
    return "\(day) \(time.prefix(5)) UTC"
  }

  /// `2026-11-21T04:22:05.123Z`
  public static func timestamp(_ time: UInt64, milliseconds: UInt64) -> String {
    let (day, time) = dayAndTime(time)
    let fraction = String(milliseconds % 1_000)
    return "\(day)T\(time).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)Z"
  }

  /// Reads `90s`, `15m`, `2h`, `1d`; nil for anything else.
  public static func parseDuration(_ text: String) -> UInt64? {
    let factors: [Character: UInt64] = ["s": 1, "m": 60, "h": 3_600, "d": secondsPerDay]
    guard let factor = text.last.flatMap({ factors[$0] }) else { return nil }
    let digits = text.dropLast()
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = UInt64(digits)
    else { return nil }
    let (seconds, isTooMuch) = number.multipliedReportingOverflow(by: factor)
    return isTooMuch ? nil : seconds
  }

  // MARK: Parts

  /// `digits` holds the decimals for each unit.
  private static func scaled(_ count: UInt64, _ units: [String], digits: [Int]) -> String {
    var unit = 0
    var divisor: UInt64 = 1_000
    // A number that rounds up to 1,000 of its unit is shown in the next one.
    while unit + 1 < units.count,
      count / divisor >= 1_000 || rounded(count, divisor, digits[unit]) >= 1_000 * power(digits[unit])
    {
      unit += 1
      divisor *= 1_000
    }
    return fixed(rounded(count, divisor, digits[unit]), decimals: digits[unit]) + " " + units[unit]
  }

  /// `count / divisor` in units of the last decimal.
  private static func rounded(_ count: UInt64, _ divisor: UInt64, _ decimals: Int) -> UInt64 {
    let step = divisor / power(decimals)
    return count / step + (count % step >= step / 2 ? 1 : 0)
  }

  private static func power(_ decimals: Int) -> UInt64 { (0..<decimals).reduce(1) { ten, _ in ten * 10 } }

  private static func fixed(_ value: UInt64, decimals: Int) -> String {
    let ten = power(decimals)
    let fraction = String(value % ten)
    return "\(value / ten)." + String(repeating: "0", count: decimals - fraction.count) + fraction
  }

  private static func padded(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// Days from civil, run backwards: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  private static func dayAndTime(_ time: UInt64) -> (day: String, time: String) {
    let days = min(time / secondsPerDay, 2_932_896) + 719_468  // the last day of the year 9999
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let second = time % secondsPerDay
    return (
      "\(year)-\(padded(month))-\(padded(day))",
      "\(padded(second / 3_600)):\(padded(second / 60 % 60)):\(padded(second % 60))"
    )
  }
}
