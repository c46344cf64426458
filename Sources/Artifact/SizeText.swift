/// Sizes for people, in powers of ten, as the command shows them everywhere.
public enum SizeText {
  private static let units = ["kB", "MB", "GB", "TB", "PB", "EB"]

  /// `0 B`, `999 B`, `1.5 kB`, `20.1 MB`, `2.15 GB`.
  public static func text(_ bytes: UInt64) -> String {
    guard bytes >= 1_000 else { return "\(bytes) B" }
    var scale: UInt64 = 1_000
    var unit = 0
    while unit + 1 < units.count, bytes / scale >= 1_000 { (scale, unit) = (scale * 1_000, unit + 1) }
    // One digit behind the point for kB and MB, two from GB on; 999.96 kB is 1.0 MB.
    var digits: UInt64 = unit < 2 ? 10 : 100
    var value = rounded(bytes, scale, digits)
    if value >= 1_000 * digits, unit + 1 < units.count {
      (scale, unit) = (scale * 1_000, unit + 1)
      digits = unit < 2 ? 10 : 100
      value = rounded(bytes, scale, digits)
    }
    let fraction = String(value % digits)
    let zeros = String(repeating: "0", count: (digits == 10 ? 1 : 2) - fraction.count)
    return "\(value / digits).\(zeros)\(fraction) \(units[unit])"
  }

  private static func rounded(_ bytes: UInt64, _ scale: UInt64, _ digits: UInt64) -> UInt64 {
    let step = scale / digits
    return bytes / step + (bytes % step * 2 >= step ? 1 : 0)
  }
}
