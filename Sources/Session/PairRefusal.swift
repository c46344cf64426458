internal import Wire

/// Why a joiner may not come in. Only told to one who has proved that it knows the ticket's secret.
///
/// On the wire: `code u8`, and behind code 4 the inviter's time.
public enum PairRefusal: Hashable, Sendable {
  /// 1: another node has used the ticket.
  case used
  /// 2: its time is over.
  case expired
  /// 3: too many handshakes with invalid records or bundles, this one was invalid, or the inviter's user has to decide about
  /// another node first.
  case spoilt
  /// 4: the two clocks are more than an hour apart. The inviter's, Unix seconds. The ticket is as good as before.
  case clock(UInt64)

  /// Reads ``encoded``.
  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    switch try reader.u8() {
    case 1: self = .used
    case 2: self = .expired
    case 3: self = .spoilt
    case 4: self = .clock(try reader.u64())
    default: throw .invalid
    }
  }

  /// The body of PAIR_ERR.
  var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .used: writer.u8(1)
    case .expired: writer.u8(2)
    case .spoilt: writer.u8(3)
    case .clock(let now):
      writer.u8(4)
      writer.u64(now)
    }
    return writer.bytes
  }
}
