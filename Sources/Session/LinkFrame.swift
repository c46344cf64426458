public import Wire

/// One message of a link, inside its encryption: `type u8‖body`.
public enum LinkFrame: Hashable, Sendable {
  /// 01: a message of a session.
  case envelope(SessionID, [UInt8])
  /// 02: the start of a session with one of its first messages.
  case initiation(Initiation)
  /// 03: that envelope is durably ours; it need not be sent again.
  case ack(SessionID, EnvelopeID)
  /// 04: first on every link. Where each session stands.
  case counters([SessionCounters])
  /// 05: asks for a bundle; sixteen random bytes.
  case bundleRequest([UInt8])
  /// 06: the answer.
  case bundle([UInt8])
  /// 07: that session is of no use here; start another.
  case reset(SessionID)
  /// 08: the inviter's answer to a joiner who may come in.
  case pairAccepted(Introduction)
  /// 09: the inviter's answer to one who may not.
  case pairRefused(PairRefusal)
  /// 0A: the last frame. A link that ends without one was cut.
  case close

  /// Bytes of the largest frame: a Noise message less its tag.
  public static let maximumBytes = 65_519

  /// Reads a frame. A link that brings anything else is to be closed.
  public init(parsing bytes: Span<UInt8>) throws(WireError) {
    guard bytes.count <= Self.maximumBytes else { throw .oversized }
    var reader = ByteReader(bytes)
    let type = try reader.u8()
    switch type {
    case 0x01:
      let id = try SessionID(from: &reader)
      guard reader.remaining <= Envelope.maximumBytes else { throw .oversized }
      self = .envelope(id, reader.rest())
    case 0x02:
      let rest = reader.rest()
      self = .initiation(try Initiation(parsing: rest.span))
    case 0x03:
      let id = try SessionID(from: &reader)
      self = .ack(id, try EnvelopeID(from: &reader))
    case 0x04: self = .counters(try SessionCounters.readList(from: &reader))
    case 0x05: self = .bundleRequest(try reader.bytes(Bundle.nonceBytes))
    case 0x06:
      guard reader.remaining <= Bundle.maximumBytes else { throw .oversized }
      self = .bundle(reader.rest())
    case 0x07: self = .reset(try SessionID(from: &reader))
    case 0x08:
      let rest = reader.rest()
      guard let introduction = try? Introduction(parsing: rest.span) else { throw .invalid }
      self = .pairAccepted(introduction)
    case 0x09: self = .pairRefused(try PairRefusal(from: &reader))
    case 0x0A: self = .close
    default: throw .invalid
    }
    try reader.finish()
  }

  /// The type byte.
  public var type: UInt8 {
    switch self {
    case .envelope: 0x01
    case .initiation: 0x02
    case .ack: 0x03
    case .counters: 0x04
    case .bundleRequest: 0x05
    case .bundle: 0x06
    case .reset: 0x07
    case .pairAccepted: 0x08
    case .pairRefused: 0x09
    case .close: 0x0A
    }
  }

  /// The frame's bytes.
  public var encoded: [UInt8] {
    switch self {
    case .envelope(let id, let envelope): [type] + id.bytes + envelope
    case .initiation(let initiation): [type] + initiation.encoded
    case .ack(let id, let envelope): [type] + id.bytes + envelope.bytes
    case .counters(let list): [type] + SessionCounters.encode(list)
    case .bundleRequest(let nonce): [type] + nonce
    case .bundle(let bundle): [type] + bundle
    case .reset(let id): [type] + id.bytes
    case .pairAccepted(let introduction): [type] + introduction.encoded
    case .pairRefused(let refusal): [type] + refusal.encoded
    case .close: [type]
    }
  }
}

/// Where one session stands at the side that sends this.
public struct SessionCounters: Hashable, Sendable {
  /// Sessions in one frame: more than a peer machine ever holds.
  static let maximumCount = 64

  /// Which session.
  public let session: SessionID
  /// The highest sequence number that was ever committed for sending.
  public let committed: UInt64
  /// The highest that was accepted.
  public let seen: UInt64

  @_lifetime(reader: copy reader)
  static func readList(from reader: inout ByteReader) throws(WireError) -> [SessionCounters] {
    var list: [SessionCounters] = []
    while reader.remaining > 0 {
      guard list.count < maximumCount else { throw .oversized }
      let id = try SessionID(from: &reader)
      let committed = try reader.u64()
      list.append(SessionCounters(session: id, committed: committed, seen: try reader.u64()))
    }
    return list
  }

  static func encode(_ list: [SessionCounters]) -> [UInt8] {
    var writer = ByteWriter()
    for entry in list {
      writer.append(entry.session.bytes)
      writer.u64(entry.committed)
      writer.u64(entry.seen)
    }
    return writer.bytes
  }
}
