internal import Primitives
internal import Wire

/// A one-time prekey pair (OPK and its ML-KEM-1024 companion), private half. Minted for one peer, good for one session.
final class OneTimePair: Sendable {
  /// Version 1 knew no batches.
  private static let version: UInt8 = 2
  /// Unused pairs per peer that were minted on request. Four starts can be under way at once; a fifth gets the oldest pair
  /// again, so that asking costs us nothing that grows.
  static let maximumUnused = 4
  /// Unused pairs per peer that were handed over in batches: a whole new one a week for as long as any of them lives makes
  /// fewer. Above it the oldest goes.
  static let maximumBatched = 128

  /// Names the pair in this peer's bundles.
  let id: UInt32
  /// When it was last handed out, Unix seconds.
  let issued: UInt64
  /// Whether it was handed over in a batch, not on request.
  let isBatched: Bool
  /// OPK
  let ec: X25519.PrivateKey
  /// Its companion.
  let kem: MLKEM1024.PrivateKey

  /// A new one.
  convenience init(id: UInt32, at now: UInt64, isBatched: Bool = false, randomness: Randomness) {
    self.init(
      id: id, issued: now, isBatched: isBatched, ec: X25519.PrivateKey.generate(randomness),
      kem: MLKEM1024.PrivateKey.generate(randomness))
  }

  /// The same pair handed out again.
  convenience init(again pair: OneTimePair, at now: UInt64) {
    self.init(
      id: pair.id, issued: max(pair.issued, now), isBatched: pair.isBatched, ec: pair.ec.clone(), kem: pair.kem.clone())
  }

  /// Reads a stored one.
  convenience init(_ stored: StoredBlob, of peer: NodeID, key: StateKey) throws(SessionError) {
    let opened = try SecretPlace.pair(stored.id, of: peer).open(stored.bytes, with: key)
    do {
      var reader = ByteReader(opened.span)
      let version = try reader.u8()
      guard (1...Self.version).contains(version) else { throw SessionError(.unsupportedVersion) }
      let kind = version == 1 ? 0 : try reader.u8()
      guard kind <= 1 else { throw SessionError(.corruptState) }
      let issued = try reader.u64()
      let ec = try X25519.PrivateKey(try reader.secret())
      let kem = try MLKEM1024.PrivateKey(seed: try reader.secret(MLKEM.seedBytes))
      try reader.finish()
      self.init(id: stored.id, issued: issued, isBatched: kind == 1, ec: ec, kem: kem)
    } catch {
      throw SessionError(.corruptState)
    }
  }

  private init(
    id: UInt32, issued: UInt64, isBatched: Bool, ec: consuming X25519.PrivateKey, kem: consuming MLKEM1024.PrivateKey
  ) {
    self.id = id
    self.issued = issued
    self.isBatched = isBatched
    self.ec = ec
    self.kem = kem
  }

  /// For the store.
  func stored(of peer: NodeID) -> StoredSecret { StoredSecret(.pair(id, of: peer)) { self.write(to: &$0) } }

  private func write(to writer: inout SecretBuffer) {
    writer.u8(Self.version)
    writer.u8(isBatched ? 1 : 0)
    writer.u64(issued)
    writer.append(ec.secret)
    writer.append(kem.seed)
  }

  /// When no bundle that names it is valid any more, on any clock.
  var dies: UInt64 { issued + SessionTimes.bundleLife + 2 * SessionTimes.clockSkew }

  /// The public half, as bundles carry it.
  var publicPair: Bundle.Pair { Bundle.Pair(id: id, ec: ec.publicKey, kem: kem.publicKey) }
}
