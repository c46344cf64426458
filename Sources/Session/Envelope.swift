internal import Primitives
internal import Wire

/// The outside of one ratchet message: `01‖45‖salt 16‖u16 |EH|‖EH‖commit 32‖C`.
///
/// Both encryptions are ChaCha20-Poly1305 under keys into which sixteen fresh random bytes are mixed, so that a state that
/// was cloned or rolled back never repeats a key and nonce.
public struct Envelope: Sendable {
  /// Bytes of the longest JSON in one envelope.
  public static let maximumPayloadBytes = Letter.maximumBytes - Letter.overheadBytes
  static let saltBytes = 16
  private static let magic: [UInt8] = [0x01, 0x45]
  private static let openBytes = 18
  private static let commitBytes = 32
  private static let tagBytes = 16
  /// Bytes of the longest envelope.
  public static let maximumBytes =
    openBytes + 2 + RatchetHeader.maximumSealedBytes + commitBytes + Letter.maximumBytes + tagBytes

  private let salt: [UInt8]
  private let sealedHeader: [UInt8]
  private let commitment: [UInt8]
  /// Everything before C.
  private let covered: [UInt8]
  private let ciphertext: [UInt8]

  /// Cuts an envelope into its parts, none of which is genuine before it opens.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    guard bytes.count <= Self.maximumBytes else { throw .oversized }
    var reader = ByteReader(bytes)
    guard try reader.bytes(2) == Self.magic else { throw .invalid }
    salt = try reader.bytes(Self.saltBytes)
    let length = Int(try reader.u16())
    guard length <= RatchetHeader.maximumSealedBytes else { throw .oversized }
    sealedHeader = try reader.bytes(length)
    commitment = try reader.bytes(Self.commitBytes)
    covered = [UInt8](copying: bytes.extracting(0..<bytes.count - reader.remaining))
    ciphertext = reader.rest()
    guard ciphertext.count > Self.tagBytes else { throw .truncated }
  }

  /// The header, if this is the header key it was sealed under.
  func header(under key: SecretBox) -> RatchetHeader? {
    let (headerKey, nonce) = Self.headerKey(key, salt: salt)
    guard
      let bytes = try? ChaChaPoly.open(
        sealedHeader.span, key: headerKey.bytes, nonce: nonce, ad: covered.span.extracting(0..<Self.openBytes))
    else { return nil }
    return try? RatchetHeader(parsing: bytes.span)
  }

  /// The letter, if this is the message key it was sealed under. Throws ``SessionError/Code/refused`` and says no more.
  func letter(under messageKey: SecretBox, associatedData: [UInt8]) throws(SessionError) -> Letter {
    let keys = Self.messageKeys(messageKey, salt: salt)
    guard ConstantTime.equal(keys.commitment, commitment) else { throw SessionError(.refused) }
    do {
      let bytes = try ChaChaPoly.open(
        ciphertext.span, key: keys.key.bytes, nonce: keys.nonce, ad: (associatedData + covered).span)
      return try Letter(parsing: bytes.span)
    } catch {
      throw SessionError(.refused)
    }
  }

  /// Seals a header and a letter under a fresh salt.
  static func seal(
    header: [UInt8], headerKey: SecretBox, letter: Letter, messageKey: SecretBox, associatedData: [UInt8],
    crypto: SessionCrypto
  ) -> [UInt8] {
    let salt = crypto.randomness.bytes(saltBytes)
    let open = magic + salt
    let (key, nonce) = Self.headerKey(headerKey, salt: salt)
    let sealedHeader = crypto.seal(header.span, key.bytes, nonce.span, open.span)
    let keys = messageKeys(messageKey, salt: salt)
    var writer = ByteWriter(capacity: maximumBytes)
    writer.append(open)
    writer.u16(UInt16(sealedHeader.count))
    writer.append(sealedHeader)
    writer.append(keys.commitment)
    let plaintext = letter.encoded
    let covered = associatedData + writer.bytes
    let ciphertext = crypto.seal(plaintext.span, keys.key.bytes, keys.nonce.span, covered.span)
    writer.append(ciphertext)
    return writer.bytes
  }

  /// `Expand(HK, "pawl/1 header"‖salt, 44) = key‖nonce`
  private static func headerKey(_ key: SecretBox, salt: [UInt8]) -> (SecretBox, nonce: [UInt8]) {
    var material = HKDF.expand(prk: key.bytes, info: Array("pawl/1 header".utf8) + salt, count: 44)
    let headerKey = SecretBox(material.take(32))
    return (headerKey, material.takeBytes(12))
  }

  /// `Expand(prk, "pawl/1 message"‖salt, 76) = key‖nonce‖commit`
  private static func messageKeys(
    _ prk: SecretBox, salt: [UInt8]
  ) -> (key: SecretBox, nonce: [UInt8], commitment: [UInt8]) {
    var material = HKDF.expand(prk: prk.bytes, info: Array("pawl/1 message".utf8) + salt, count: 76)
    let key = SecretBox(material.take(32))
    let nonce = material.takeBytes(12)
    return (key, nonce, material.takeBytes(32))
  }
}
