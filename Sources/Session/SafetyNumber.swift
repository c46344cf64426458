internal import Primitives

/// The sixty digits two people compare to know that no one stands between their nodes.
///
/// Signal's construction over the node ids: per node, SHA-512 iterated 5,200 times and cut to thirty digits; the lower
/// half comes first, so both sides see the same number.
public struct SafetyNumber: Hashable, Sendable {
  /// How often a half is hashed: what makes a search for a colliding node id 5,200 times dearer.
  static let rounds = 5_200

  /// The sixty digits.
  public let digits: String

  /// The safety number of two nodes, in either order. Takes some milliseconds.
  public init(_ one: NodeID, _ other: NodeID) {
    let halves = [Self.half(of: one), Self.half(of: other)].sorted()
    digits = halves.joined()
  }

  /// Twelve groups of five digits, separated by spaces.
  public var grouped: String { groups.joined(separator: " ") }

  /// The same in three lines of four groups.
  public var lines: [String] {
    stride(from: 0, to: 12, by: 4).map { groups[$0..<$0 + 4].joined(separator: " ") }
  }

  private var groups: [String] {
    let all = Array(digits)
    return stride(from: 0, to: all.count, by: 5).map { String(all[$0..<$0 + 5]) }
  }

  private static func half(of node: NodeID) -> String {
    let key = node.bytes
    var hash = SHA512Hash.hash([0, 0] + key + Array("pawl/1 safety".utf8) + key)
    for _ in 1..<rounds { hash = SHA512Hash.hash(hash + key) }
    return (0..<6).map { group in
      var value: UInt64 = 0
      for byte in hash[group * 5..<group * 5 + 5] { value = value << 8 | UInt64(byte) }
      let text = String(value % 100_000)
      return String(repeating: "0", count: 5 - text.count) + text
    }.joined()
  }
}
