internal import Primitives
internal import Wire

/// One generation of signed prekeys, private half: SPK (X25519) and PQSPK (ML-KEM-1024).
///
/// Both are made, named and deleted together, so one id stands for both.
final class SignedPrekeys: Sendable {
  private static let version: UInt8 = 1

  /// Names this generation in bundles; random, so that a restored backup does not give one id to two keys.
  let id: UInt32
  /// Unix seconds.
  let created: UInt64
  /// SPK
  let ec: X25519.PrivateKey
  /// PQSPK
  let kem: MLKEM1024.PrivateKey

  /// A new one.
  convenience init(id: UInt32, at now: UInt64, randomness: Randomness) {
    self.init(
      id: id, created: now, ec: X25519.PrivateKey.generate(randomness), kem: MLKEM1024.PrivateKey.generate(randomness))
  }

  /// Reads a stored one.
  convenience init(_ stored: StoredBlob, key: StateKey) throws(SessionError) {
    let opened = try SecretPlace.prekeys(stored.id).open(stored.bytes, with: key)
    do {
      var reader = ByteReader(opened.span)
      guard try reader.u8() == Self.version else { throw SessionError(.unsupportedVersion) }
      let created = try reader.u64()
      let ec = try X25519.PrivateKey(try reader.secret())
      let kem = try MLKEM1024.PrivateKey(seed: try reader.secret(MLKEM.seedBytes))
      try reader.finish()
      self.init(id: stored.id, created: created, ec: ec, kem: kem)
    } catch {
      throw SessionError(.corruptState)
    }
  }

  private init(
    id: UInt32, created: UInt64, ec: consuming X25519.PrivateKey, kem: consuming MLKEM1024.PrivateKey
  ) {
    self.id = id
    self.created = created
    self.ec = ec
    self.kem = kem
  }

  /// For the store.
  var stored: StoredSecret { StoredSecret(.prekeys(id)) { self.write(to: &$0) } }

  private func write(to writer: inout SecretBuffer) {
    writer.u8(Self.version)
    writer.u64(created)
    writer.append(ec.secret)
    writer.append(kem.seed)
  }

  /// When no bundle that names it is valid any more, on any clock.
  var dies: UInt64 { created + SessionTimes.prekeyLife }

  /// When the last bundle that names it expires, on our clock: both sides' skew lies between that and the end.
  var lastExpiry: UInt64 { dies - 2 * SessionTimes.clockSkew }
}
