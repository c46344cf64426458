internal import Wire

/// The header of an envelope whose chain the receiver has said it knows: `04‖N u32`. dh, PN and KB are those of the chain whose header
/// key opens it.
///
/// It never begins a chain, and comes in no INIT and by no other way than a link: its reader may know nothing yet.
struct ShortHeader: Sendable {
  /// Bytes with the tag. No other header is as short.
  static let sealedBytes = 5 + 16
  private static let flag: UInt8 = 4

  /// N: this message's number in its chain.
  let number: UInt32

  /// The header of that message.
  init(number: UInt32) { self.number = number }

  /// Reads a decrypted header.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    var reader = ByteReader(bytes)
    guard try reader.u8() == Self.flag else { throw .invalid }
    number = try reader.u32()
    try reader.finish()
  }

  /// `04‖N`
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: 5)
    writer.u8(Self.flag)
    writer.u32(number)
    return writer.bytes
  }
}

extension Ratchet {
  /// Opens an envelope with a short header: in the newest chain, or in one that was left behind, newest first.
  mutating func openShort(
    _ envelope: Envelope, associatedData: [UInt8], effort: OpeningEffort, at now: UInt64
  ) throws(SessionError) -> Opened {
    if case .chain(let current) = receiving, let header = envelope.shortHeader(under: current.headerKey) {
      let key = try messageKey(header.number, in: current, effort: effort, at: now)
      return Opened(letter: try envelope.letter(under: key, associatedData: associatedData), beganChain: false)
    }
    guard effort.searchesOldChains else { throw SessionError(.refused) }
    for index in skipped.chains.indices.reversed() {
      guard let header = envelope.shortHeader(under: skipped.chains[index].headerKey) else { continue }
      guard let key = skipped.take(header.number, fromChain: index, at: now) else { throw SessionError(.refused) }
      return Opened(letter: try envelope.letter(under: key, associatedData: associatedData), beganChain: false)
    }
    throw SessionError(.refused)
  }
}

/// What the other side is known to know. In memory alone: it may come back with a state from before it knew.
extension Session {
  /// The other side has accepted an envelope. If it was sealed since the newest link came, and is of our newest chain, the other side
  /// knows that chain; an older one may have been acknowledged by a state that is gone.
  mutating func wasAcknowledged(_ sequence: UInt64) {
    // What an INIT carries says everything: it may be the first that its receiver sees.
    guard !isStarting, case .chain(var chain) = ratchet.sending, sequence > committedBeforeLink,
      sequence > committed - min(committed, UInt64(chain.number))
    else { return }
    chain.isKnown = true
    ratchet.sending = .chain(chain)
  }

  /// A link came or went: headers say everything again until the next acknowledgement.
  mutating func forgetWhatIsKnown() {
    committedBeforeLink = committed
    guard case .chain(var chain) = ratchet.sending, chain.isKnown else { return }
    chain.isKnown = false
    ratchet.sending = .chain(chain)
  }
}
