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

  private let bytes: [UInt8]
  /// Where EH ends and the commitment begins.
  private let headerEnd: Int

  /// Cuts an envelope into its parts, none of which is genuine before it opens.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    try self.init(parsing: [UInt8](copying: bytes))
  }

  /// Cuts an envelope into its parts, none of which is genuine before it opens.
  init(parsing bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumBytes else { throw .oversized }
    var reader = ByteReader(bytes.span)
    guard try reader.bytes(2) == Self.magic else { throw .invalid }
    _ = try reader.span(Self.saltBytes)
    let length = Int(try reader.u16())
    guard length <= RatchetHeader.maximumSealedBytes else { throw .oversized }
    _ = try reader.span(length)
    headerEnd = bytes.count - reader.remaining
    _ = try reader.span(Self.commitBytes)
    guard reader.remaining > Self.tagBytes else { throw .truncated }
    self.bytes = bytes
  }

  /// What its acknowledgement names.
  var id: EnvelopeID { EnvelopeID(commitment: bytes.span.extracting(headerEnd..<headerEnd + Self.commitBytes)) }

  /// Whether its header can be no other than a ``ShortHeader``.
  var hasShortHeader: Bool { headerEnd - Self.openBytes - 2 == ShortHeader.sealedBytes }

  private var salt: [UInt8] { Array(bytes[2..<Self.openBytes]) }

  /// The header, if this is the header key it was sealed under.
  ///
  /// - Parameter known: a header of the chain that the key is of: all of them are the same but for their number.
  func header(under key: SecretBox, knowing known: RatchetHeader? = nil) -> RatchetHeader? {
    guard let header = openedHeader(under: key) else { return nil }
    if let known, let header = known.repeated(header) { return header }
    return try? RatchetHeader(parsing: header)
  }

  /// The short header, if it is one and this is the header key it was sealed under.
  func shortHeader(under key: SecretBox) -> ShortHeader? {
    guard hasShortHeader, let header = openedHeader(under: key) else { return nil }
    return try? ShortHeader(parsing: header.span)
  }

  private func openedHeader(under key: SecretBox) -> [UInt8]? {
    let keys = EnvelopeKeys(header: key, salt: salt)
    let bytes = bytes.span
    return try? ChaChaPoly.open(
      bytes.extracting(Self.openBytes + 2..<headerEnd), key: keys.key, nonce: keys.nonce,
      ad: bytes.extracting(0..<Self.openBytes))
  }

  /// The letter, if this is the message key it was sealed under. Throws ``SessionError/Code/refused`` and says no more.
  func letter(under messageKey: SecretBox, associatedData: [UInt8]) throws(SessionError) -> Letter {
    let keys = EnvelopeKeys(message: messageKey, salt: salt)
    let bytes = bytes.span
    let covered = headerEnd + Self.commitBytes
    guard ConstantTime.equal(keys.commitment.span, bytes.extracting(headerEnd..<covered)) else {
      throw SessionError(.refused)
    }
    var associated = ByteWriter(capacity: associatedData.count + covered)
    associated.append(associatedData)
    associated.append(bytes.extracting(0..<covered))
    let ad = associated.bytes
    do {
      let plaintext = try ChaChaPoly.open(
        bytes.extracting(covered..<bytes.count), key: keys.key, nonce: keys.nonce, ad: ad.span)
      return try Letter(parsing: plaintext.span)
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
    let headerKeys = EnvelopeKeys(header: headerKey, salt: salt)
    let sealedHeader = crypto.seal(header.span, headerKeys.key, headerKeys.nonce.span, open.span)
    let keys = EnvelopeKeys(message: messageKey, salt: salt)
    let plaintext = letter.encoded
    // Exactly as much as it takes: an outbox keeps a thousand of them.
    var writer = ByteWriter(
      capacity: openBytes + 2 + sealedHeader.count + commitBytes + plaintext.count + tagBytes)
    writer.append(open)
    writer.u16(UInt16(sealedHeader.count))
    writer.append(sealedHeader)
    writer.append(keys.commitment)
    let covered = associatedData + writer.bytes
    let ciphertext = crypto.seal(plaintext.span, keys.key, keys.nonce.span, covered.span)
    writer.append(ciphertext)
    return writer.bytes
  }
}

/// The key and nonce of one of an envelope's two encryptions, good for that one alone.
private struct EnvelopeKeys: ~Copyable {
  private static let headerLabel = Array("pawl/1 header".utf8)
  private static let messageLabel = Array("pawl/1 message".utf8)

  let key: SecretBytes
  let nonce: [UInt8]
  /// What tells a receiver that no other message key opens the envelope; empty for a header.
  let commitment: [UInt8]

  /// `Expand(HK, "pawl/1 header"‖salt, 44) = key‖nonce`
  init(header prk: SecretBox, salt: [UInt8]) {
    var material = HKDF.expand(prk: prk.bytes, info: Self.headerLabel + salt, count: 44)
    key = material.take(32)
    nonce = material.takeBytes(12)
    commitment = []
  }

  /// `Expand(prk, "pawl/1 message"‖salt, 76) = key‖nonce‖commit`
  init(message prk: SecretBox, salt: [UInt8]) {
    var material = HKDF.expand(prk: prk.bytes, info: Self.messageLabel + salt, count: 76)
    key = material.take(32)
    nonce = material.takeBytes(12)
    commitment = material.takeBytes(32)
  }
}
