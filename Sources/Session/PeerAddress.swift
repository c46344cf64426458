internal import Wire

/// Where a node may be reached: a host name or an IP address, and a port. Always fit to be printed and dialled.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
  /// Bytes of a host: the most a DNS name can have, so that its length fits one byte.
  public static let maximumHostBytes = 253

  /// A host name, an IPv4 address, or an IPv6 address without brackets.
  public let host: String
  /// 1…65535
  public let port: UInt16

  /// An address. Throws ``TicketError`` with ``TicketError/Code/badAddress`` for port 0 and for anything in `host` that no
  /// name or address has (spaces, brackets, controls, scope ids).
  public init(host: String, port: UInt16) throws(TicketError) {
    guard port != 0, Self.isValid(host: host) else { throw TicketError(.badAddress) }
    self.host = host
    self.port = port
  }

  /// Reads `host:port`; an IPv6 address stands in brackets, `[::1]:7411`.
  public init(_ text: String) throws(TicketError) {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { throw TicketError(.badAddress) }
    let digits = text[text.index(after: colon)...]
    var host = text[..<colon]
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else { throw TicketError(.badAddress) }
    if host.first == "[", host.last == "]", host.contains(":") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw TicketError(.badAddress)
    }
    try self.init(host: String(host), port: port)
  }

  /// `host:port`, with brackets around an IPv6 address.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  private static func isValid(host: String) -> Bool {
    let bytes = Array(host.utf8)
    guard (1...maximumHostBytes).contains(bytes.count) else { return false }
    if bytes.contains(UInt8(ascii: ":")) { return isIPv6(bytes) }
    guard bytes.allSatisfy({ isNameByte($0) }) else { return false }
    return bytes[0] != UInt8(ascii: ".") && bytes[0] != UInt8(ascii: "-")
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// The characters and the number of colons of an IPv6 address; the resolver has the last word.
  private static func isIPv6(_ bytes: [UInt8]) -> Bool {
    let colons = bytes.count { $0 == UInt8(ascii: ":") }
    let isText = bytes.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    return isText && (2...7).contains(colons) && bytes.count <= 45
  }
}

extension PeerAddress {
  /// Addresses in one ticket or card.
  public static let maximumCount = 8

  /// `u8 length‖host‖port u16`, as in tickets and cards.
  func write(to writer: inout ByteWriter) {
    writer.u8(UInt8(host.utf8.count))
    writer.text(host)
    writer.u16(port)
  }

  /// `n u8‖n × address`. `WireError.invalid` for an unfit address or more than ``maximumCount``.
  @_lifetime(reader: copy reader)
  static func readList(from reader: inout ByteReader) throws(WireError) -> [PeerAddress] {
    let count = Int(try reader.u8())
    guard count <= maximumCount else { throw .invalid }
    var addresses: [PeerAddress] = []
    for _ in 0..<count {
      let length = Int(try reader.u8())
      let bytes = try reader.bytes(length)
      let port = try reader.u16()
      let host = String(decoding: bytes, as: UTF8.self)
      guard Array(host.utf8) == bytes, let address = try? PeerAddress(host: host, port: port) else { throw .invalid }
      addresses.append(address)
    }
    return addresses
  }

  /// The counterpart of ``readList(from:)``.
  static func write(_ addresses: [PeerAddress], to writer: inout ByteWriter) {
    writer.u8(UInt8(addresses.count))
    for address in addresses { address.write(to: &writer) }
  }
}
