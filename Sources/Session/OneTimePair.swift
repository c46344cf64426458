internal import Primitives
internal import Wire

/// A one-time prekey pair (OPK and its ML-KEM-1024 companion), private half. Minted for one peer, good for one session.
final class OneTimePair: Sendable {
  private static let version: UInt8 = 1
  /// Unused pairs per peer. Four starts can be under way at once; a fifth gets the oldest pair again, so that asking
  /// costs us nothing that grows.
  static let maximumUnused = 4

  /// Names the pair in this peer's bundles.
  let id: UInt32
  /// When it was last handed out, Unix seconds.
  let issued: UInt64
  /// OPK
  let ec: X25519.PrivateKey
  /// Its companion.
  let kem: MLKEM1024.PrivateKey

  /// A new one.
  convenience init(id: UInt32, at now: UInt64, randomness: Randomness) {
    self.init(
      id: id, issued: now, ec: X25519.PrivateKey.generate(randomness), kem: MLKEM1024.PrivateKey.generate(randomness))
  }

  /// The same pair handed out again.
  convenience init(again pair: OneTimePair, at now: UInt64) {
    self.init(id: pair.id, issued: max(pair.issued, now), ec: pair.ec.clone(), kem: pair.kem.clone())
  }

  /// Reads a stored one.
  convenience init(_ stored: StoredBlob, of peer: NodeID, key: StateKey) throws(SessionError) {
    let opened = try SecretPlace.pair(stored.id, of: peer).open(stored.bytes, with: key)
    do {
      var reader = ByteReader(opened.span)
      guard try reader.u8() == Self.version else { throw SessionError(.unsupportedVersion) }
      let issued = try reader.u64()
      let ec = try X25519.PrivateKey(try reader.secret())
      let kem = try MLKEM1024.PrivateKey(seed: try reader.secret(MLKEM.seedBytes))
      try reader.finish()
      self.init(id: stored.id, issued: issued, ec: ec, kem: kem)
    } catch {
      throw SessionError(.corruptState)
    }
  }

  private init(
    id: UInt32, issued: UInt64, ec: consuming X25519.PrivateKey, kem: consuming MLKEM1024.PrivateKey
  ) {
    self.id = id
    self.issued = issued
    self.ec = ec
    self.kem = kem
  }

  /// For the store.
  func stored(of peer: NodeID) -> StoredSecret { StoredSecret(.pair(id, of: peer)) { self.write(to: &$0) } }

  private func write(to writer: inout SecretBuffer) {
    writer.u8(Self.version)
    writer.u64(issued)
    writer.append(ec.secret)
    writer.append(kem.seed)
  }

  /// When no bundle that names it is valid any more, on any clock.
  var dies: UInt64 { issued + SessionTimes.bundleLife + 2 * SessionTimes.clockSkew }

  /// The public half, as bundles carry it.
  var publicPair: Bundle.Pair { Bundle.Pair(id: id, ec: ec.publicKey, kem: kem.publicKey) }
}
