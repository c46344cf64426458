internal import Wire

/// What a node calls itself and where it says it can be reached. A claim, not an identity.
public struct Card: Hashable, Sendable {
  /// Bytes of a name.
  public static let maximumNameBytes = 64

  /// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
  public let name: String
  /// At most eight.
  public let addresses: [PeerAddress]

  /// A card. Throws ``SessionError/Code/malformed`` for an unfit name or too many addresses.
  public init(name: String, addresses: [PeerAddress]) throws(SessionError) {
    guard Self.isValid(name: name), addresses.count <= PeerAddress.maximumCount else { throw SessionError(.malformed) }
    self.name = name
    self.addresses = addresses
  }

  /// Reads ``encoded``; throws ``SessionError/Code/malformed`` for anything else.
  public init(parsing bytes: Span<UInt8>) throws(SessionError) {
    do {
      var reader = ByteReader(bytes)
      let length = Int(try reader.u8())
      let nameBytes = try reader.bytes(length)
      addresses = try PeerAddress.readList(from: &reader)
      try reader.finish()
      name = String(decoding: nameBytes, as: UTF8.self)
    } catch {
      throw SessionError(.malformed)
    }
    guard Self.isValid(name: name) else { throw SessionError(.malformed) }
  }

  /// `u8 length‖name‖n u8‖n × address`
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.u8(UInt8(name.utf8.count))
    writer.text(name)
    PeerAddress.write(addresses, to: &writer)
    return writer.bytes
  }

  /// Whether a text is fit to be a node's name or a peer's alias.
  public static func isValid(name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (1...maximumNameBytes).contains(bytes.count) else { return false }
    return bytes.enumerated().allSatisfy { index, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): index > 0
      default: false
      }
    }
  }
}
