public import Primitives
internal import Wire

/// Who a node is: the SHA-256 of its identity record's body. Commits to all four public keys; carries no name and no time.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Bytes of a node id.
  public static let byteCount = 32

  /// The hash itself.
  public let digest: Digest

  /// The node whose record's body has this hash.
  public init(_ digest: Digest) {
    self.digest = digest
  }

  /// The node id of these 32 bytes, or nil if there are not 32.
  public init?(_ bytes: [UInt8]) {
    guard let digest = try? Digest(bytes) else { return nil }
    self.digest = digest
  }

  /// The node id of 64 lower-case hexadecimal digits, or nil.
  public init?(hex: String) {
    guard let bytes = Hex.decode(hex) else { return nil }
    self.init(bytes)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { digest.bytes }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { Hex.encode(bytes) }

  /// The same as ``hex``.
  public var description: String { hex }

  /// For people to read out: ``hex`` in sixteen groups of four.
  public var fingerprint: String {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<$0 + 4]) }.joined(separator: " ")
  }

  /// By bytes, first byte first. The lower of two nodes starts their sessions.
  public static func < (one: NodeID, other: NodeID) -> Bool { one.digest < other.digest }
}
