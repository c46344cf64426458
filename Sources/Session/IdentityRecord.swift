public import Primitives
internal import Wire

/// The public half of a node: two signing keys and two X25519 keys, signed by both signing keys.
///
/// Body R = `"pawl/1 identity"‖Ed25519 32‖ML-DSA-65 1952‖link X25519 32‖agree X25519 32`; record = `R‖Sig("identity", R)`.
/// One key agrees on links (Noise forbids any other use of its static key), the other on sessions.
public struct IdentityRecord: Hashable, Sendable {
  private static let label = Array("pawl/1 identity".utf8)
  /// Bytes of R.
  static let bodyBytes = 15 + 32 + 1_952 + 32 + 32
  /// Bytes of a record.
  public static let byteCount = bodyBytes + SignatureKind.signatureBytes

  /// SHA-256 of R.
  public let id: NodeID
  /// The whole record.
  public let bytes: [UInt8]
  /// One of the two keys every signature of this node must verify under.
  public let ed25519Key: Ed25519.PublicKey
  /// The other one.
  public let mldsaKey: MLDSA65.PublicKey
  /// The Noise static key.
  public let linkKey: X25519.PublicKey
  /// The identity key IK of PQXDH.
  public let agreeKey: X25519.PublicKey

  /// Reads a record from a peer. Returning means that both its signatures verify.
  public init(parsing bytes: Span<UInt8>) throws(SessionError) {
    try self.init(stored: bytes)
    let body = Array(self.bytes.prefix(Self.bodyBytes))
    guard verify(kind: .identity, body: body, signature: Array(self.bytes.suffix(SignatureKind.signatureBytes))) else {
      throw SessionError(.badSignature)
    }
  }

  /// Reads a record that was verified before it was stored.
  public init(stored bytes: Span<UInt8>) throws(SessionError) {
    guard bytes.count == Self.byteCount else { throw SessionError(.malformed) }
    do {
      var reader = ByteReader(bytes)
      guard try reader.bytes(Self.label.count) == Self.label else { throw SessionError(.malformed) }
      ed25519Key = try Ed25519.PublicKey(try reader.bytes(32))
      mldsaKey = try MLDSA65.PublicKey(try reader.bytes(1_952))
      linkKey = try X25519.PublicKey(try reader.bytes(32))
      agreeKey = try X25519.PublicKey(try reader.bytes(32))
    } catch {
      throw SessionError(.malformed)
    }
    id = NodeID(SHA256Hash.hash(bytes.extracting(0..<Self.bodyBytes)))
    self.bytes = [UInt8](copying: bytes)
  }

  /// R of these keys.
  static func body(
    ed25519: Ed25519.PublicKey, mldsa: MLDSA65.PublicKey, link: X25519.PublicKey, agree: X25519.PublicKey
  ) -> [UInt8] {
    label + ed25519.bytes + mldsa.bytes + link.bytes + agree.bytes
  }

  /// Whether this node signed `body` as that kind of thing: both algorithms must say so.
  public func verify(kind: SignatureKind, body: [UInt8], signature: [UInt8]) -> Bool {
    guard signature.count == SignatureKind.signatureBytes else { return false }
    let message = kind.message(body)
    let classical = Array(signature.prefix(SignatureKind.ed25519Bytes))
    let quantum = Array(signature.suffix(SignatureKind.mldsaBytes))
    return Ed25519.verify(signature: classical, message: message, key: ed25519Key)
      && MLDSA65.verify(signature: quantum, message: message, key: mldsaKey)
  }

  /// Equal records are the same bytes.
  public static func == (one: IdentityRecord, other: IdentityRecord) -> Bool { one.bytes == other.bytes }

  /// By id: two valid records of one node differ at most in their signatures.
  public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
