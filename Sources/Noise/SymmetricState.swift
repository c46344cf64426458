internal import Primitives

/// SymmetricState (Noise §5.2): the chaining key ck, the hash h, and the cipher once a key was mixed in.
struct SymmetricState: ~Copyable, Sendable {
  private var chainingKey: SecretBytes
  private(set) var hash: Digest
  private var cipher: CipherState?

  /// InitializeSymmetric: h = ck = the name padded to 32 bytes, or its hash where it is longer.
  init(protocolName: String) {
    let name = Array(protocolName.utf8)
    let padded = name + [UInt8](repeating: 0, count: max(0, Digest.byteCount - name.count))
    hash = (try? Digest(padded)) ?? SHA256Hash.hash(name)
    chainingKey = SecretBytes(copying: hash.span)
  }

  /// MixHash: h = HASH(h ‖ data).
  mutating func mixHash(_ data: Span<UInt8>) {
    var hasher = SHA256Hash.Hasher()
    hasher.update(hash.span)
    hasher.update(data)
    hash = hasher.finalize()
  }

  /// MixKey: ck, k = HKDF(ck, ikm, 2). Noise's HKDF is RFC 5869's with the chaining key as salt and no info.
  mutating func mixKey(_ ikm: Span<UInt8>) {
    var output = HKDF.derive(salt: chainingKey.span, ikm: ikm, info: [UInt8]().span, count: 64)
    chainingKey = output.take(32)
    cipher = CipherState(key: output.take(32))
  }

  /// MixKeyAndHash: ck, temp_h, k = HKDF(ck, psk, 3).
  mutating func mixKeyAndHash(_ psk: borrowing SecretBytes) {
    var output = HKDF.derive(salt: chainingKey.span, ikm: psk.span, info: [UInt8]().span, count: 96)
    chainingKey = output.take(32)
    let mixed = output.take(32)
    mixHash(mixed.span)
    cipher = CipherState(key: output.take(32))
  }

  /// EncryptAndHash. Without a key the plaintext itself goes out (§5.1); in XK there always is one by then.
  mutating func encryptAndHash(_ plaintext: Span<UInt8>) throws(NoiseError) -> [UInt8] {
    let text = try cipher?.encrypt(plaintext, ad: hash.span) ?? [UInt8](copying: plaintext)
    mixHash(text.span)
    return text
  }

  /// DecryptAndHash.
  mutating func decryptAndHash(_ text: Span<UInt8>) throws(NoiseError) -> [UInt8] {
    let plaintext = try cipher?.decrypt(text, ad: hash.span) ?? [UInt8](copying: text)
    mixHash(text)
    return plaintext
  }

  /// Split: the cipher from initiator to responder, and the one back.
  consuming func split() -> Split {
    let none: [UInt8] = []
    var output = HKDF.derive(salt: chainingKey.span, ikm: none.span, info: none.span, count: 64)
    return Split(first: CipherState(key: output.take(32)), second: CipherState(key: output.take(32)))
  }

  /// A tuple cannot hold what cannot be copied.
  struct Split: ~Copyable {
    let first: CipherState
    let second: CipherState
  }
}
