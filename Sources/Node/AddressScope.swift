public import EventLoop

/// How far a network address reaches, nearest first. What lies in no scope is never dialed.
public enum AddressScope: String, Comparable, Sendable {
  /// This machine alone: 127.0.0.0/8, ::1.
  case loopback
  /// A private network: RFC 1918, 100.64.0.0/10, link-local and unique local addresses.
  case privateNetwork = "private"
  /// Everywhere else.
  case publicNetwork = "public"

  /// The scope of an address, an IPv4 address inside an IPv6 one judged by itself. nil for what is unspecified, multicast,
  /// broadcast or reserved: no node can be there.
  public init?(of address: SocketAddress) {
    let bytes = address.unwrapped.addressBytes
    guard let scope = bytes.count == 4 ? Self.scope(v4: bytes) : Self.scope(v6: bytes) else { return nil }
    self = scope
  }

  private static func scope(v4 bytes: [UInt8]) -> AddressScope? {
    switch (bytes[0], bytes[1]) {
    case (0, _), (224...255, _): nil
    case (127, _): .loopback
    case (10, _), (172, 16...31), (192, 168), (169, 254), (100, 64...127): .privateNetwork
    default: .publicNetwork
    }
  }

  private static func scope(v6 bytes: [UInt8]) -> AddressScope? {
    if bytes.dropLast(4).allSatisfy({ $0 == 0 }) {
      // ::1, and IPv4-compatible addresses (RFC 4291 section 2.5.5.1), which nobody uses any more.
      return bytes.suffix(4) == [0, 0, 0, 1] ? .loopback : nil
    }
    switch (bytes[0], bytes[1]) {
    case (0xFF, _): return nil
    case (0xFC...0xFD, _), (0xFE, 0x80...0xFF): return .privateNetwork
    // 64:ff9b:1::/48, the local-use translation prefix (RFC 8215).
    case (0x00, 0x64) where bytes[2...5] == [0xFF, 0x9B, 0x00, 0x01]: return .privateNetwork
    default: return .publicNetwork
    }
  }

  /// The nearer scope is the smaller one.
  public static func < (left: AddressScope, right: AddressScope) -> Bool { left.rank < right.rank }

  private var rank: Int {
    switch self {
    case .loopback: 0
    case .privateNetwork: 1
    case .publicNetwork: 2
    }
  }
}

extension SocketAddress {
  /// The IPv4 address inside an IPv6 one: ::ffff:0:0/96 (mapped), 64:ff9b::/96 (NAT64, RFC 6052) and 2002::/16 (6to4). Anything
  /// else stays as it is.
  var unwrapped: SocketAddress {
    guard isIPv6 else { return self }
    let bytes = addressBytes
    let inner: ArraySlice<UInt8>
    if bytes.starts(with: [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
      || bytes.starts(with: [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8))
    {
      inner = bytes.suffix(4)
    } else if bytes.starts(with: [0x20, 0x02]) {
      inner = bytes[2..<6]
    } else {
      return self
    }
    return SocketAddress(ip: inner.map(String.init).joined(separator: "."), port: port) ?? self
  }
}
