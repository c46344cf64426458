public import Primitives
internal import Wire

/// The private half of our own node.
public final class Identity: Sendable {
  private static let header = Array("pawl identity 1\n".utf8)

  /// The public half.
  public let record: IdentityRecord
  private let signing: SigningKeys
  /// The link key and IK of PQXDH.
  let agreement: AgreementKeys

  /// Our node id.
  public var id: NodeID { record.id }

  /// A new node.
  public static func generate(_ crypto: SessionCrypto) throws(SessionError) -> Identity {
    let signing = SigningKeys(crypto.randomness)
    let agreement = AgreementKeys(crypto.randomness)
    let body = body(signing, agreement)
    guard let signature = try? signing.sign(kind: .identity, body: body, crypto: crypto) else {
      throw SessionError(.internalFailure)
    }
    return Identity(record: try IdentityRecord(stored: (body + signature).span), signing: signing, agreement: agreement)
  }

  private init(record: IdentityRecord, signing: SigningKeys, agreement: AgreementKeys) {
    self.record = record
    self.signing = signing
    self.agreement = agreement
  }

  /// Reads ``serialized()``. Throws ``SessionError/Code/unsupportedVersion`` for another format, and
  /// ``SessionError/Code/corruptState`` unless the record is genuine and of these keys.
  public init(parsing bytes: Span<UInt8>) throws(SessionError) {
    var reader = ByteReader(bytes)
    guard let header = try? reader.bytes(Self.header.count), header == Self.header else {
      throw SessionError(.unsupportedVersion)
    }
    do {
      signing = try SigningKeys(ed25519: try reader.secret(), mldsa: try reader.secret())
      agreement = try AgreementKeys(link: try reader.secret(), agree: try reader.secret())
      let recordBytes = try reader.bytes(IdentityRecord.byteCount)
      record = try IdentityRecord(parsing: recordBytes.span)
      try reader.finish()
    } catch {
      throw SessionError(.corruptState)
    }
    guard record.bytes.starts(with: Self.body(signing, agreement)) else { throw SessionError(.corruptState) }
  }

  private static func body(_ signing: SigningKeys, _ agreement: AgreementKeys) -> [UInt8] {
    IdentityRecord.body(
      ed25519: signing.ed25519.publicKey, mldsa: signing.mldsa.publicKey, link: agreement.link.publicKey,
      agree: agreement.agree.publicKey)
  }

  /// Four seeds and the record. Whoever has these bytes is this node: they belong in a file that only its owner reads.
  public func serialized() -> SecretBuffer {
    var writer = SecretBuffer(capacity: 8_192)
    writer.append(Self.header)
    signing.write(to: &writer)
    agreement.write(to: &writer)
    writer.append(record.bytes)
    return writer
  }

  /// A clone of the Noise static key, for one handshake.
  public func linkKey() -> X25519.PrivateKey { agreement.link.clone() }

  /// Signs `body` as that kind of thing with both keys: `Ed25519 64‖ML-DSA-65 3309`.
  public func sign(kind: SignatureKind, body: [UInt8], crypto: SessionCrypto) throws(SessionError) -> [UInt8] {
    do {
      return try signing.sign(kind: kind, body: body, crypto: crypto)
    } catch {
      throw SessionError(.internalFailure)
    }
  }
}
