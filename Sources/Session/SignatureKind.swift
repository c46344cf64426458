internal import Primitives

/// What is being signed. Part of the signed message, so a signature of one kind never passes for another.
public enum SignatureKind: String, Hashable, Sendable {
  /// An identity record's body, by itself.
  case identity
  /// A prekey bundle.
  case bundle
  /// An artifact's manifest.
  case manifest
  /// Leave to serve and receive somebody else's artifact.
  case reshare

  /// Bytes of a signature: Ed25519 64, ML-DSA-65 3,309.
  public static let signatureBytes = ed25519Bytes + mldsaBytes
  static let ed25519Bytes = 64
  static let mldsaBytes = 3_309

  /// What both algorithms sign: the DSSE pre-authentication encoding of the kind's media type and the body.
  func message(_ body: [UInt8]) -> [UInt8] {
    DSSE.pae(type: "application/vnd.pawl.\(rawValue).v1", body: body)
  }
}
