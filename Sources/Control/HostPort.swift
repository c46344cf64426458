/// Where to listen: a host and a port.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
  /// All addresses, IPv4 and IPv6.
  public static let anyHost = "::"

  /// A name or an address, without brackets.
  public let host: String
  /// 0 picks a free one.
  public let port: UInt16

  /// A host and a port.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `HOST:PORT`, `[IPv6]:PORT`, `:PORT` or `PORT`; nil for anything else. Without a host: all addresses.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else {
      guard let port = Self.port(text[...]) else { return nil }
      self.init(host: Self.anyHost, port: port)
      return
    }
    guard let port = Self.port(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil  // an IPv6 address wants brackets: `::1:7411` could be read in two ways
    }
    let isOdd = host.utf8.contains { $0 <= 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "]") }
    guard !isOdd, host.utf8.count <= 253 else { return nil }  // 253: the longest name in DNS
    self.init(host: host.isEmpty ? Self.anyHost : String(host), port: port)
  }

  /// `HOST:PORT`, IPv6 in brackets.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  private static func port(_ digits: Substring) -> UInt16? {
    let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return isNumber ? UInt16(digits) : nil
  }
}
