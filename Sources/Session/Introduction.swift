public import Primitives
internal import Wire

/// What two nodes tell each other when they pair: `lp(record)‖lp(bundle)‖lp(card)`.
///
/// The joiner's is the payload of the third handshake message, the inviter's the answer ``LinkFrame/pairAccepted(_:)``.
public struct Introduction: Hashable, Sendable {
  /// Bytes of a card: a name and eight of the longest addresses.
  static let maximumCardBytes =
    1 + Card.maximumNameBytes + 1 + PeerAddress.maximumCount * (1 + PeerAddress.maximumHostBytes + 2)

  /// An ``IdentityRecord``, not verified yet.
  public let record: [UInt8]
  /// A ``Bundle``, not verified yet.
  public let bundle: [UInt8]
  /// A claim.
  public let card: Card

  /// An introduction of these parts.
  public init(record: [UInt8], bundle: [UInt8], card: Card) {
    self.record = record
    self.bundle = bundle
    self.card = card
  }

  /// Reads ``encoded``.
  public init(parsing bytes: Span<UInt8>) throws(SessionError) {
    let cardBytes: [UInt8]
    do {
      var reader = ByteReader(bytes)
      record = try reader.lengthPrefixed(atMost: IdentityRecord.byteCount)
      bundle = try reader.lengthPrefixed(atMost: Bundle.maximumBytes)
      cardBytes = try reader.lengthPrefixed(atMost: Self.maximumCardBytes)
      try reader.finish()
    } catch {
      throw SessionError(.malformed)
    }
    card = try Card(parsing: cardBytes.span)
  }

  /// The bytes on the wire.
  public var encoded: [UInt8] {
    var writer = ByteWriter(capacity: record.count + bundle.count + 512)
    writer.lengthPrefixed(record)
    writer.lengthPrefixed(bundle)
    writer.lengthPrefixed(card.encoded)
    return writer.bytes
  }

  /// What it says before anything of it is verified: whose it is, and when its bundle was made. Cheap, and to be trusted for
  /// nothing but refusing it.
  public func claims() throws(SessionError) -> (record: IdentityRecord, issued: UInt64) {
    (try IdentityRecord(stored: record.span), try Bundle(parsing: bundle.span).issued)
  }

  /// Returning means: record and bundle are genuine, of one node, made for us, in time, and that node holds the key that
  /// Noise has just seen used.
  ///
  /// - Parameters:
  ///   - us: our node id, the bundle's addressee.
  ///   - expected: the node the ticket names; nil at the inviter, who learns it here.
  ///   - linkKey: the remote static key of the handshake.
  public func verify(
    by us: NodeID, expecting expected: NodeID?, linkKey: X25519.PublicKey, at now: UInt64
  ) throws(SessionError) -> (record: IdentityRecord, bundle: Bundle) {
    let record = try IdentityRecord(parsing: self.record.span)
    guard record.linkKey == linkKey, record.id != us, expected.map({ $0 == record.id }) ?? true else {
      throw SessionError(.wrongOwner)
    }
    let bundle = try Bundle(parsing: self.bundle.span)
    try bundle.verify(owner: record, addressee: us, at: now)
    return (record, bundle)
  }
}
