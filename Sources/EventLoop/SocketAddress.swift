internal import CUV
internal import Glibc

/// An IPv4 or IPv6 address and a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// 4 or 16 bytes in network order.
  public let addressBytes: [UInt8]
  /// 0 where none is meant.
  public let port: UInt16
  /// The interface of a link-local IPv6 address, by number; 0 for none.
  private let scope: UInt32

  private init(addressBytes: [UInt8], port: UInt16, scope: UInt32 = 0) {
    self.addressBytes = addressBytes
    self.port = port
    self.scope = scope
  }

  /// Reads a numeric address: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`; nil for anything else. Looks nothing up.
  public init?(ip: String, port: UInt16) {
    var v4 = sockaddr_in()
    var v6 = sockaddr_in6()
    guard !ip.utf8.contains(0) else { return nil }
    if uv_ip4_addr(ip, CInt(port), &v4) == 0 {
      self.init(addressBytes: withUnsafeBytes(of: v4.sin_addr) { Array($0) }, port: port)
    } else if uv_ip6_addr(ip, CInt(port), &v6) == 0 {
      self.init(addressBytes: withUnsafeBytes(of: v6.sin6_addr) { Array($0) }, port: port, scope: v6.sin6_scope_id)
    } else {
      return nil
    }
  }

  /// Reads what the system calls gave. An IPv4 address that came through an IPv6 socket becomes IPv4 again: one host,
  /// one address, whatever the socket.
  init?(_ pointer: UnsafePointer<sockaddr>) {
    let raw = UnsafeRawPointer(pointer)
    switch Int32(pointer.pointee.sa_family) {
    case AF_INET:
      let v4 = raw.loadUnaligned(as: sockaddr_in.self)
      self.init(addressBytes: withUnsafeBytes(of: v4.sin_addr) { Array($0) }, port: UInt16(bigEndian: v4.sin_port))
    case AF_INET6:
      let v6 = raw.loadUnaligned(as: sockaddr_in6.self)
      let bytes = withUnsafeBytes(of: v6.sin6_addr) { Array($0) }
      let port = UInt16(bigEndian: v6.sin6_port)
      if bytes.starts(with: Self.mappedPrefix) {
        self.init(addressBytes: Array(bytes.suffix(4)), port: port)
      } else {
        self.init(addressBytes: bytes, port: port, scope: v6.sin6_scope_id)
      }
    default: return nil
    }
  }

  /// ::ffff:0:0/96, RFC 4291 section 2.5.5.2.
  private static let mappedPrefix: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

  /// 128-bit address.
  public var isIPv6: Bool { addressBytes.count == 16 }

  /// 127.0.0.0/8 or ::1.
  public var isLoopback: Bool {
    isIPv6 ? addressBytes == [UInt8](repeating: 0, count: 15) + [1] : addressBytes[0] == 127
  }

  /// 169.254.0.0/16 or fe80::/10: means something on one network only.
  public var isLinkLocal: Bool {
    isIPv6
      ? addressBytes[0] == 0xFE && addressBytes[1] & 0xC0 == 0x80
      : addressBytes[0] == 169 && addressBytes[1] == 254
  }

  /// 0.0.0.0 or ::, which one can listen on but not dial.
  public var isWildcard: Bool { addressBytes.allSatisfy { $0 == 0 } }

  /// The same host, another port.
  public func withPort(_ port: UInt16) -> SocketAddress {
    SocketAddress(addressBytes: addressBytes, port: port, scope: scope)
  }

  /// The address in the usual writing, without port; with `%interface` where it needs one.
  public var host: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    uv_inet_ntop(isIPv6 ? AF_INET6 : AF_INET, addressBytes, &text, text.count)
    let plain = Self.string(text)
    guard scope != 0 else { return plain }
    var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    guard if_indextoname(scope, &name) != nil else { return "\(plain)%\(scope)" }
    return "\(plain)%\(Self.string(name))"
  }

  /// `192.0.2.1:80` or `[2001:db8::1]:80`.
  public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Calls `body` with the address as system calls want it.
  func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if isIPv6 {
      var v6 = sockaddr_in6()
      v6.sin6_family = sa_family_t(AF_INET6)
      v6.sin6_port = port.bigEndian
      v6.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &v6.sin6_addr) { $0.copyBytes(from: addressBytes) }
      return Self.lend(v6, to: body)
    }
    var v4 = sockaddr_in()
    v4.sin_family = sa_family_t(AF_INET)
    v4.sin_port = port.bigEndian
    withUnsafeMutableBytes(of: &v4.sin_addr) { $0.copyBytes(from: addressBytes) }
    return Self.lend(v4, to: body)
  }

  /// Calls `fill` with room for any address and reads what it left there.
  static func read(_ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<CInt>) -> CInt) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = CInt(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { raw in
      guard let pointer = raw.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return nil }
      return fill(pointer, &length) == 0 ? SocketAddress(pointer) : nil
    }
  }

  private static func lend<Address, Result>(
    _ address: Address, to body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
    }
  }

  private static func string(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
