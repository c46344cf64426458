internal import Primitives
internal import Wire

/// How a session is stored: version, then every field in a fixed order. Read strictly; leaves here only sealed.
extension Session {
  /// In sessions of version 1 envelopes were named by a hash.
  private static let version: UInt8 = 2

  /// Whether an earlier version stored this: such a session is not gone on with.
  static func isOutdated(stored bytes: Span<UInt8>) -> Bool {
    var reader = ByteReader(bytes)
    return (try? reader.u8()) == 1
  }

  /// The state for the store.
  func stored(of peer: NodeID) -> StoredSecret {
    let session = self
    return StoredSecret(.session(id, of: peer)) { session.write(to: &$0) }
  }

  /// The state as bytes, keys included.
  func write(to writer: inout SecretBuffer) {
    writer.u8(Self.version)
    writer.append(id.bytes)
    writer.lengthPrefixed(associatedData)
    writer.u64(created)
    writer.u64(ordinal)
    writer.u8((isOurs ? 1 : 0) | (isWithoutPair ? 2 : 0))
    writer.u8(standing.rawValue)
    writer.u64(committed)
    writer.u64(seen)
    writer.u64(turned)
    writer.u64(replaced)
    switch phase {
    case .starting(let head):
      writer.u8(1)
      writer.append(head.bytes)
    case .answering: writer.u8(2)
    case .confirmed: writer.u8(3)
    }
    ratchet.write(to: &writer)
  }

  /// Reads ``write(to:)``. Throws ``SessionError/Code/corruptState`` for anything else.
  init(stored bytes: Span<UInt8>) throws(SessionError) {
    do {
      var reader = ByteReader(bytes)
      guard try reader.u8() == Self.version else { throw SessionError(.unsupportedVersion) }
      let id = try SessionID(from: &reader)
      let associatedData = try reader.lengthPrefixed(atMost: 256)
      let (created, ordinal) = (try reader.u64(), try reader.u64())
      let origin = try reader.u8()
      guard origin <= 3 else { throw SessionError(.corruptState) }
      guard let standing = Standing(rawValue: try reader.u8()) else { throw SessionError(.corruptState) }
      let (committed, seen) = (try reader.u64(), try reader.u64())
      let (turned, replaced) = (try reader.u64(), try reader.u64())
      let phase: Phase
      switch try reader.u8() {
      case 1: phase = .starting(try Initiation.Head(from: &reader))
      case 2: phase = .answering
      case 3: phase = .confirmed
      default: throw SessionError(.corruptState)
      }
      let ratchet = try Ratchet(from: &reader)
      try reader.finish()
      self.init(
        id: id, associatedData: associatedData, created: created, isOurs: origin & 1 != 0, ratchet: ratchet, phase: phase,
        turned: turned)
      isWithoutPair = origin & 2 != 0
      (self.ordinal, self.standing, self.replaced) = (ordinal, standing, replaced)
      (self.committed, self.seen) = (committed, seen)
    } catch {
      throw SessionError(.corruptState)
    }
  }
}

extension Ratchet {
  func write(to writer: inout SecretBuffer) {
    writer.append(roots.ec.bytes)
    writer.append(roots.pq.bytes)
    switch sending {
    case .turn(let turn):
      writer.u8(1)
      writer.append(turn.headerKey.bytes)
      writer.append(turn.remote.dh.bytes)
      writer.append(turn.remote.kem.bytes)
      writer.u32(turn.previousCount)
      writer.u8(turn.confirmationKey == nil ? 0 : 1)
      if let key = turn.confirmationKey { writer.append(key.bytes) }
    case .chain(let chain):
      writer.u8(2)
      writer.append(chain.headerKey.bytes)
      writer.append(chain.nextHeaderKey.bytes)
      writer.append(chain.keys.dh.secret)
      writer.append(chain.keys.kem.seed)
      writer.lengthPrefixed(chain.kemBlock)
      writer.u32(chain.previousCount)
      writer.u32(chain.confirmationPrekey)
      chain.chain.write(to: &writer)
      writer.u32(chain.number)
    }
    switch receiving {
    case .answerAwaited: writer.u8(1)
    case .chain(let chain):
      writer.u8(2)
      writer.append(chain.headerKey.bytes)
      writer.append(chain.fingerprint.bytes)
      chain.chain.write(to: &writer)
      writer.u32(chain.number)
      SkippedKey.write(chain.skipped, to: &writer)
    }
    writer.append(nextReceivingHeaderKey.bytes)
    writer.u8(UInt8(skipped.chains.count))
    for chain in skipped.chains {
      writer.append(chain.headerKey.bytes)
      writer.append(chain.fingerprint.bytes)
      SkippedKey.write(chain.keys, to: &writer)
    }
  }

  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws {
    roots = RootKeys(ec: try reader.key(), pq: try reader.key())
    switch try reader.u8() {
    case 1:
      let headerKey = try reader.key()
      let dh = try X25519.PublicKey(try reader.bytes(32))
      let kem = try MLKEM768.PublicKey(try reader.bytes(MLKEM768.publicKeyBytes))
      let previousCount = try reader.u32()
      let confirmationKey: MLKEM1024.PublicKey?
      if try reader.flag() {
        confirmationKey = try MLKEM1024.PublicKey(try reader.bytes(MLKEM1024.publicKeyBytes))
      } else {
        confirmationKey = nil
      }
      sending = .turn(
        DueTurn(
          headerKey: headerKey, remote: RemoteRatchetKeys(dh: dh, kem: kem), previousCount: previousCount,
          confirmationKey: confirmationKey))
    case 2:
      let headerKey = try reader.key()
      let nextHeaderKey = try reader.key()
      let keys = try LocalRatchetKeys(dh: try reader.secret(), kemSeed: try reader.secret(MLKEM.seedBytes))
      let kemBlock = try reader.lengthPrefixed(atMost: RatchetHeader.maximumSealedBytes)
      let (previousCount, confirmationPrekey) = (try reader.u32(), try reader.u32())
      let chain = try ChainKeys(from: &reader)
      sending = .chain(
        SendingChain(
          headerKey: headerKey, nextHeaderKey: nextHeaderKey, keys: keys, kemBlock: kemBlock,
          previousCount: previousCount, confirmationPrekey: confirmationPrekey, chain: chain, number: try reader.u32()))
    default: throw WireError.invalid
    }
    switch try reader.u8() {
    case 1: receiving = .answerAwaited
    case 2:
      let headerKey = try reader.key()
      let fingerprint = try Digest(try reader.bytes(Digest.byteCount))
      let chain = try ChainKeys(from: &reader)
      let number = try reader.u32()
      receiving = .chain(
        ReceivingChain(
          headerKey: headerKey, fingerprint: fingerprint, chain: chain, number: number,
          skipped: try SkippedKey.readList(from: &reader)))
    default: throw WireError.invalid
    }
    nextReceivingHeaderKey = try reader.key()
    for _ in 0..<(try reader.u8()) {
      let headerKey = try reader.key()
      let fingerprint = try Digest(try reader.bytes(Digest.byteCount))
      skipped.append(
        SkippedChain(headerKey: headerKey, fingerprint: fingerprint, keys: try SkippedKey.readList(from: &reader)))
    }
  }
}

extension ChainKeys {
  fileprivate func write(to writer: inout SecretBuffer) {
    writer.append(ec.bytes)
    writer.append(pq.bytes)
  }

  @_lifetime(reader: copy reader)
  fileprivate init(from reader: inout ByteReader) throws(WireError) {
    self.init(ec: try reader.key(), pq: try reader.key())
  }
}

extension SkippedKey {
  fileprivate static func write(_ keys: [SkippedKey], to writer: inout SecretBuffer) {
    writer.u16(UInt16(keys.count))
    for key in keys {
      writer.u32(key.number)
      writer.u64(key.since)
      writer.append(key.messageKey.bytes)
    }
  }

  @_lifetime(reader: copy reader)
  fileprivate static func readList(from reader: inout ByteReader) throws(WireError) -> [SkippedKey] {
    var keys: [SkippedKey] = []
    for _ in 0..<(try reader.u16()) {
      let number = try reader.u32()
      let since = try reader.u64()
      keys.append(SkippedKey(number: number, messageKey: try reader.key(), since: since))
    }
    return keys
  }
}
