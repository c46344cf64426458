internal import Primitives
internal import Wire

/// Signed prekeys of one node for one other node, with at most sixteen one-time pairs. One signature pair over all of it,
/// owner, addressee and expiry included.
///
/// Body = `owner 32‖addressee 32‖nonce 16‖issued u64‖expires u64‖SPK id u32‖EC(SPK)‖PQSPK id u32‖KEM1024(PQSPK)‖n u16‖
/// n × {id u32‖EC‖KEM1024}`; then `Sig("bundle", body)`.
public struct Bundle: Hashable, Sendable {
  /// One-time pairs in one bundle: a batch, and what fits a link frame with room to spare.
  static let maximumPairs = 16
  /// Bytes of a nonce.
  public static let nonceBytes = 16
  private static let fixedBytes = 32 + 32 + nonceBytes + 8 + 8 + 4 + TypedKey.ecBytes + 4 + TypedKey.kemBytes + 2
  private static let pairBytes = 4 + TypedKey.ecBytes + TypedKey.kemBytes
  /// Bytes of the largest bundle.
  public static let maximumBytes = fixedBytes + maximumPairs * pairBytes + SignatureKind.signatureBytes
  /// Bytes of a bundle without pairs, the kind an INIT carries.
  static let bareBytes = fixedBytes + SignatureKind.signatureBytes
  /// The nonce of a bundle that nobody asked for.
  static let pushedNonce = [UInt8](repeating: 0, count: nonceBytes)

  /// The public half of a one-time pair.
  struct Pair: Hashable, Sendable {
    let id: UInt32
    let ec: X25519.PublicKey
    let kem: MLKEM1024.PublicKey
  }

  /// Whose prekeys.
  public let owner: NodeID
  /// Who alone may use them.
  public let addressee: NodeID
  /// The request's, or zeros.
  public let nonce: [UInt8]
  /// Unix seconds on the owner's clock.
  public let issued: UInt64
  /// Unix seconds on the owner's clock.
  public let expires: UInt64
  let spkID: UInt32
  let spk: X25519.PublicKey
  let pqspkID: UInt32
  let pqspk: MLKEM1024.PublicKey
  let pairs: [Pair]
  /// Body and signature.
  public let bytes: [UInt8]

  /// Reads a bundle; it is to be trusted after ``verify(owner:addressee:at:)``.
  public init(parsing bytes: Span<UInt8>) throws(SessionError) {
    do {
      var reader = ByteReader(bytes)
      let (owner, addressee) = (NodeID(try reader.bytes(32)), NodeID(try reader.bytes(32)))
      nonce = try reader.bytes(Self.nonceBytes)
      issued = try reader.u64()
      expires = try reader.u64()
      spkID = try reader.u32()
      spk = try TypedKey.readEC(from: &reader)
      pqspkID = try reader.u32()
      pqspk = try TypedKey.readKEM(from: &reader)
      let count = Int(try reader.u16())
      guard let owner, let addressee, spkID == pqspkID, count <= Self.maximumPairs else { throw SessionError(.malformed) }
      self.owner = owner
      self.addressee = addressee
      var pairs: [Pair] = []
      for _ in 0..<count {
        let id = try reader.u32()
        let pair = Pair(id: id, ec: try TypedKey.readEC(from: &reader), kem: try TypedKey.readKEM(from: &reader))
        guard id != 0, !pairs.contains(where: { $0.id == id }) else { throw SessionError(.malformed) }
        pairs.append(pair)
      }
      self.pairs = pairs
      guard reader.remaining == SignatureKind.signatureBytes else { throw SessionError(.malformed) }
    } catch {
      throw SessionError(.malformed)
    }
    self.bytes = [UInt8](copying: bytes)
  }

  /// Returning means: `owner` signed this for `addressee`, and it is in time.
  public func verify(owner: IdentityRecord, addressee: NodeID, at now: UInt64) throws(SessionError) {
    guard self.owner == owner.id else { throw SessionError(.wrongOwner) }
    guard self.addressee == addressee else { throw SessionError(.wrongAddressee) }
    guard issued <= expires, expires - issued <= SessionTimes.bundleLife else { throw SessionError(.malformed) }
    try checkTimes(at: now)
    let split = bytes.count - SignatureKind.signatureBytes
    guard owner.verify(kind: .bundle, body: Array(bytes[..<split]), signature: Array(bytes[split...])) else {
      throw SessionError(.badSignature)
    }
  }

  /// Returning means that it is in time, allowing for an hour of clock skew.
  func checkTimes(at now: UInt64) throws(SessionError) {
    guard issued <= now + SessionTimes.clockSkew else { throw SessionError(.notYetValid) }
    guard now < expires + SessionTimes.clockSkew else { throw SessionError(.expired) }
  }

  /// Makes and signs one of our own. It expires before the signed prekeys it names die, however late they are replaced;
  /// throws ``SessionError/Code/unknownPrekey`` if they are as good as dead.
  static func issue(
    by identity: Identity, to addressee: NodeID, nonce: [UInt8], prekeys: SignedPrekeys, pairs: [OneTimePair],
    at now: UInt64, crypto: SessionCrypto
  ) throws(SessionError) -> Bundle {
    let expires = min(now + SessionTimes.bundleLife, prekeys.lastExpiry)
    guard now <= expires else { throw SessionError(.unknownPrekey) }
    var body = ByteWriter(capacity: fixedBytes + pairs.count * pairBytes)
    body.append(identity.id.bytes)
    body.append(addressee.bytes)
    body.append(nonce)
    body.u64(now)
    body.u64(expires)
    body.u32(prekeys.id)
    body.append(TypedKey.encode(prekeys.ec.publicKey))
    body.u32(prekeys.id)
    body.append(TypedKey.encode(prekeys.kem.publicKey))
    body.u16(UInt16(pairs.count))
    for pair in pairs {
      let pair = pair.publicPair
      body.u32(pair.id)
      body.append(TypedKey.encode(pair.ec))
      body.append(TypedKey.encode(pair.kem))
    }
    let signature = try identity.sign(kind: .bundle, body: body.bytes, crypto: crypto)
    return try Bundle(parsing: (body.bytes + signature).span)
  }

  /// Equal bundles are the same bytes.
  public static func == (one: Bundle, other: Bundle) -> Bool { one.bytes == other.bytes }

  /// By the bytes.
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
