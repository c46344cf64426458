public import Primitives
internal import Wire

/// One line that lets one new peer join: how to reach the inviter, whom to expect there, and a one-time secret.
///
/// Bytes: `01‖expiry u32‖link key 32‖node id 32‖secret 32‖n u8‖n × address‖H("pawl/1 ticket sum"‖all before)[0:4]`;
/// text: `pawl1` and their base32. Whoever has the text can join in the inviter's name's place, so it is a secret.
public struct Ticket: Sendable {
  /// What every ticket's text begins with.
  public static let prefix = "pawl1"
  /// Bytes of the one-time secret.
  static let secretBytes = 32
  /// How long after its end the inviter still says so, and a joiner still asks, in seconds.
  public static let rememberedSeconds = SessionTimes.day
  /// Bytes of the checksum: catches slips of the hand, proves nothing.
  static let checksumBytes = 4
  /// Characters of the longest text, rounded up: eight addresses of the longest kind make 2,150 bytes.
  static let maximumTextBytes = 4_096
  private static let version: UInt8 = 1

  /// Unix seconds; from then on the inviter refuses it.
  public let expires: UInt64
  /// The inviter's Noise static key.
  public let linkKey: X25519.PublicKey
  /// The inviter.
  public let node: NodeID
  /// Where the inviter may be reached, one to eight.
  public let addresses: [PeerAddress]
  /// What proves knowledge of this ticket.
  public let secret: SecretBox
  /// Sixteen bytes that name this ticket in the handshake without giving the secret away.
  public let id: [UInt8]
  /// The pre-shared key of the pairing handshake.
  public let psk: SecretBox

  /// A ticket of these parts. Throws ``TicketError/Code/noAddress`` or ``TicketError/Code/tooManyAddresses``.
  public init(
    expires: UInt64, linkKey: X25519.PublicKey, node: NodeID, secret: SecretBox, addresses: [PeerAddress]
  ) throws(TicketError) {
    guard !addresses.isEmpty else { throw TicketError(.noAddress) }
    guard addresses.count <= PeerAddress.maximumCount else { throw TicketError(.tooManyAddresses) }
    self.expires = UInt64(UInt32(clamping: expires))
    self.linkKey = linkKey
    self.node = node
    self.secret = secret
    self.addresses = addresses
    var open = ByteWriter()
    Self.writeHead(expires: self.expires, linkKey: linkKey, node: node, to: &open)
    PeerAddress.write(addresses, to: &open)
    var material = HKDF.derive(
      salt: SHA256Hash.hash(open.bytes).bytes, ikm: secret.bytes, info: Array("pawl/1 ticket".utf8), count: 48)
    psk = SecretBox(material.take(32))
    id = material.takeBytes(16)
  }

  /// A new ticket of this node's with a fresh secret.
  public static func mint(
    for identity: Identity, addresses: [PeerAddress], expires: UInt64, randomness: Randomness
  ) throws(TicketError) -> Ticket {
    try Ticket(
      expires: expires, linkKey: identity.record.linkKey, node: identity.id,
      secret: SecretBox(randomness.secret(secretBytes)), addresses: addresses)
  }

  /// Whether it ended so long ago, by a clock that is not the inviter's, that trying it is of no use. Before that the inviter's
  /// clock decides: it remembers the ticket for as long.
  public func isLongOver(at now: UInt64) -> Bool { now >= expires + Self.rememberedSeconds }
}

extension Ticket {
  /// The line to hand over.
  public var text: String { Self.prefix + Base32.encode(bytes) }

  /// The encoded ticket, secret included.
  public var bytes: [UInt8] {
    var writer = ByteWriter()
    Self.writeHead(expires: expires, linkKey: linkKey, node: node, to: &writer)
    writer.append(secret.bytes)
    PeerAddress.write(addresses, to: &writer)
    writer.append(Self.checksum(of: writer.bytes))
    return writer.bytes
  }

  /// Reads a ticket's text; case and surrounding white space do not matter. The error says what the user should do.
  public init(_ text: String) throws(TicketError) {
    let trimmed = Self.trim(Array(text.utf8))
    guard trimmed.count <= Self.maximumTextBytes, trimmed.count >= Self.prefix.utf8.count,
      String(decoding: trimmed.prefix(Self.prefix.utf8.count), as: UTF8.self).lowercased() == Self.prefix
    else { throw TicketError(.notATicket) }
    let body = trimmed.dropFirst(Self.prefix.utf8.count)
    if let bytes = Base32.decode(String(decoding: body, as: UTF8.self)) {
      try self.init(parsing: bytes.span)
      return
    }
    guard body.count >= 8 else { throw TicketError(.truncated) }
    // A cut line seldom ends where a valid one could: judge what is there, with the broken last character replaced.
    let known = body.dropLast([1, 3, 6].contains(body.count % 8) ? 2 : 1)
    guard let bytes = Base32.decode(String(decoding: known, as: UTF8.self) + "a") else { throw TicketError(.mistyped) }
    do {
      _ = try Ticket(parsing: bytes.span)
    } catch  where error.code == .truncated {
      throw error
    } catch {}
    throw TicketError(.mistyped)
  }

  /// Version, expiry, two keys, the secret, the count of addresses, the shortest address and the checksum.
  static let minimumBytes = 1 + 4 + 32 + 32 + 32 + 1 + 4 + 4

  /// Reads ``bytes``.
  public init(parsing bytes: Span<UInt8>) throws(TicketError) {
    var reader = ByteReader(bytes)
    let parts: Parts
    do {
      // Too short for any version: somebody who lost half a line is not told to update.
      guard bytes.count >= Self.minimumBytes else { throw TicketError(.truncated) }
      guard try reader.u8() == Self.version else { throw TicketError(.unsupportedVersion) }
      parts = try Parts(from: &reader)
    } catch let error as TicketError {
      throw error
    } catch WireError.truncated {
      throw TicketError(.truncated)
    } catch {
      throw TicketError(.mistyped)
    }
    let covered = bytes.extracting(0..<bytes.count - Self.checksumBytes)
    guard Self.checksum(of: [UInt8](copying: covered)) == parts.checksum, let linkKey = try? X25519.PublicKey(parts.linkKey),
      let node = NodeID(parts.node)
    else { throw TicketError(.mistyped) }
    try self.init(expires: parts.expires, linkKey: linkKey, node: node, secret: parts.secret, addresses: parts.addresses)
  }

  /// The fields behind the version byte, not judged yet.
  private struct Parts {
    let expires: UInt64
    let linkKey: [UInt8]
    let node: [UInt8]
    let secret: SecretBox
    let addresses: [PeerAddress]
    let checksum: [UInt8]

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(WireError) {
      expires = UInt64(try reader.u32())
      linkKey = try reader.bytes(32)
      node = try reader.bytes(NodeID.byteCount)
      secret = SecretBox(SecretBytes(copying: try reader.bytes(secretBytes)))
      addresses = try PeerAddress.readList(from: &reader)
      checksum = try reader.bytes(checksumBytes)
      try reader.finish()
    }
  }

  private static func writeHead(expires: UInt64, linkKey: X25519.PublicKey, node: NodeID, to writer: inout ByteWriter) {
    writer.u8(version)
    writer.u32(UInt32(clamping: expires))
    writer.append(linkKey.bytes)
    writer.append(node.bytes)
  }

  private static func checksum(of bytes: [UInt8]) -> [UInt8] {
    Array(SHA256Hash.hash(Array("pawl/1 ticket sum".utf8) + bytes).bytes.prefix(checksumBytes))
  }

  private static func trim(_ text: [UInt8]) -> ArraySlice<UInt8> {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) }) else {
      return []
    }
    return text[first...last]
  }
}

extension ByteWriter {
  /// Appends the secret of a ticket, which goes out to be read.
  fileprivate mutating func append(_ secret: borrowing SecretBytes) { append(secret.span) }
}
