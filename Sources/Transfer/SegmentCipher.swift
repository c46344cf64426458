public import Primitives
internal import Wire

/// Who takes part in a grant, as its key binds it.
public struct SegmentContext: Hashable, Sendable {
  /// The session whose envelope carried the grant.
  public let session: SegmentSession
  /// The node id of the side that seals.
  public let server: Digest
  /// The node id of the side that opens.
  public let puller: Digest

  /// A context.
  public init(session: SegmentSession, server: Digest, puller: Digest) {
    self.session = session
    self.server = server
    self.puller = puller
  }
}

/// The key of one grant (annex A8).
enum SegmentKey {
  private static let label = "pawl/1 segment"

  /// HKDF(0^32, secret, "pawl/1 segment" ‖ kind ‖ aead ‖ sid ‖ server id ‖ puller id ‖ transfer id ‖ gid ‖ digest, 32).
  static func derive(from grant: Grant, context: SegmentContext) -> SecretBytes {
    var info = ByteWriter(capacity: 160)
    info.text(label)
    info.u8(grant.kind.rawValue)
    info.u8(grant.aead.rawValue)
    info.append(context.session.bytes)
    info.append(context.server.bytes)
    info.append(context.puller.bytes)
    info.append(grant.transfer.bytes)
    info.append(grant.grant.bytes)
    info.append(grant.digest.bytes)
    let salt = [UInt8](repeating: 0, count: TransferLimits.secretBytes)
    var material = HKDF.derive(
      salt: salt, ikm: grant.secret.bytes, info: info.bytes, count: BulkCipher.keyBytes)
    return material.take(BulkCipher.keyBytes)
  }
}

/// Seals and opens the frames of one grant, between raw buffers, on any thread.
public struct SegmentCipher: Sendable {
  /// The grant whose key this is.
  public let grant: GrantID
  private let cipher: BulkCipher

  /// Derives the grant's key. Both sides get the same only if they agree on everything that the key binds.
  public init(grant: Grant, context: SegmentContext) {
    self.grant = grant.grant
    cipher = BulkCipher(algorithm: grant.aead, key: SegmentKey.derive(from: grant, context: context))
  }

  /// Writes header ‖ ciphertext ‖ tag to the front of `frame` and returns their length: 48 more than the plaintext's.
  ///
  /// The plaintext may lie in the frame itself, from byte 32 on. Each (file, chunk) may be sealed once under a grant: only
  /// ``SealJob`` calls this.
  func seal(
    file: UInt32, chunk: UInt64, plaintext: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer
  ) throws(CryptoError) -> Int {
    let header = SegmentHeader(grant: grant, file: file, chunk: chunk, plaintextBytes: plaintext.count)
    let total = SegmentHeader.byteCount + header.sealedBytes
    guard plaintext.count > 0, frame.count >= total else { throw CryptoError(.badLength) }
    unsafe header.write(into: frame)
    let open = unsafe UnsafeRawBufferPointer(rebasing: frame[..<SegmentHeader.byteCount])
    try unsafe cipher.seal(
      plaintext, nonce: UnsafeRawBufferPointer(rebasing: open[SegmentHeader.nonceOffset...]), ad: open,
      into: UnsafeMutableRawBufferPointer(rebasing: frame[SegmentHeader.byteCount..<total]))
    return total
  }

  /// Opens a whole frame, header ‖ ciphertext ‖ tag, and lends the plaintext to `body`.
  ///
  /// `body` runs only if the tag verified. Throws ``CryptoError`` if it did not, or what `body` throws.
  func open<R>(_ frame: UnsafeRawBufferPointer, body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
    guard frame.count > SegmentHeader.byteCount else { throw CryptoError(.authenticationFailed) }
    let open = unsafe UnsafeRawBufferPointer(rebasing: frame[..<SegmentHeader.byteCount])
    return try unsafe cipher.open(
      UnsafeRawBufferPointer(rebasing: frame[SegmentHeader.byteCount...]),
      nonce: UnsafeRawBufferPointer(rebasing: open[SegmentHeader.nonceOffset...]), ad: open, body: body)
  }
}
