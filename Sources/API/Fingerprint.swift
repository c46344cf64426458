/// Node ids and safety numbers as people compare them.
public enum Fingerprint {
  /// Hex digits of a node id that are shown: 128 bits, which nobody finds a second node id for.
  public static let shownDigits = 32

  /// `1f0c 99ab …`: the first 32 hex digits of a node id in groups of four.
  public static func text(nodeID hex: String) -> String {
    groups(String(hex.prefix(shownDigits)), of: 4).joined(separator: " ")
  }

  /// 60 digits as twelve groups of five, in three lines.
  public static func safetyNumberLines(_ digits: String) -> [String] {
    let groups = groups(digits, of: 5)
    return stride(from: 0, to: groups.count, by: 4).map { groups[$0..<min($0 + 4, groups.count)].joined(separator: " ") }
  }

  private static func groups(_ text: String, of size: Int) -> [String] {
    var rest = Substring(text)
    var groups: [String] = []
    while !rest.isEmpty {
      groups.append(String(rest.prefix(size)))
      rest = rest.dropFirst(size)
    }
    return groups
  }
}
