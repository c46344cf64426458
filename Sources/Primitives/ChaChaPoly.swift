internal import CSodium

/// ChaCha20-Poly1305 (RFC 8439 §2.8) for messages: envelopes, headers, handshakes.
public enum ChaChaPoly {
  /// The length of a key.
  public static let keyBytes = 32
  /// The length of a nonce.
  public static let nonceBytes = 12
  /// The length of the tag behind the ciphertext.
  public static let tagBytes = 16

  /// Ciphertext ‖ tag. The key has 32 bytes and the nonce 12; the pair must never seal two messages.
  public static func seal(
    _ plaintext: Span<UInt8>, key: borrowing SecretBytes, nonce: Span<UInt8>, ad: Span<UInt8>
  ) -> [UInt8] {
    precondition(key.count == keyBytes && nonce.count == nonceBytes, "a 32-byte key and a 12-byte nonce")
    let size = plaintext.count + tagBytes
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { out, initialised in
      unsafe AEADCall(plaintext, nonce, ad).run { plaintext, nonce, ad in
        _ = unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
          out.baseAddress!, nil, plaintext.baseAddress, UInt64(plaintext.count), ad.baseAddress, UInt64(ad.count), nil,
          nonce.baseAddress!, key.slot.bytes)
      }
      initialised = size
    }
  }

  /// The plaintext of ciphertext ‖ tag. Throws `authenticationFailed`, whatever was wrong.
  public static func open(
    _ sealed: Span<UInt8>, key: borrowing SecretBytes, nonce: Span<UInt8>, ad: Span<UInt8>
  ) throws(CryptoError) -> [UInt8] {
    precondition(key.count == keyBytes && nonce.count == nonceBytes, "a 32-byte key and a 12-byte nonce")
    guard sealed.count >= tagBytes else { throw CryptoError(.authenticationFailed) }
    let size = sealed.count - tagBytes
    var isGood = false
    // One byte of room even for an empty plaintext, so that there is an address to give.
    let plaintext = unsafe [UInt8](unsafeUninitializedCapacity: max(size, 1)) { out, initialised in
      unsafe AEADCall(sealed, nonce, ad).run { sealed, nonce, ad in
        isGood =
          unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
            out.baseAddress!, nil, nil, sealed.baseAddress!, UInt64(sealed.count), ad.baseAddress, UInt64(ad.count),
            nonce.baseAddress!, key.slot.bytes) == 0
      }
      initialised = isGood ? size : 0
    }
    guard isGood else { throw CryptoError(.authenticationFailed) }
    return plaintext
  }

  /// As the other ``seal(_:key:nonce:ad:)-(Span<UInt8>,_,_,_)``, for arrays.
  public static func seal(
    _ plaintext: [UInt8], key: borrowing SecretBytes, nonce: [UInt8], ad: [UInt8]
  ) -> [UInt8] {
    seal(plaintext.span, key: key, nonce: nonce.span, ad: ad.span)
  }

  /// As the other ``open(_:key:nonce:ad:)-(Span<UInt8>,_,_,_)``, for arrays.
  public static func open(
    _ sealed: [UInt8], key: borrowing SecretBytes, nonce: [UInt8], ad: [UInt8]
  ) throws(CryptoError) -> [UInt8] {
    try open(sealed.span, key: key, nonce: nonce.span, ad: ad.span)
  }

  /// As the other ``seal(_:key:nonce:ad:)-(Span<UInt8>,_,_,_)``, with the nonce as an array.
  public static func seal(
    _ plaintext: Span<UInt8>, key: borrowing SecretBytes, nonce: [UInt8], ad: Span<UInt8>
  ) -> [UInt8] {
    seal(plaintext, key: key, nonce: nonce.span, ad: ad)
  }

  /// As the other ``open(_:key:nonce:ad:)-(Span<UInt8>,_,_,_)``, with the nonce as an array.
  public static func open(
    _ sealed: Span<UInt8>, key: borrowing SecretBytes, nonce: [UInt8], ad: Span<UInt8>
  ) throws(CryptoError) -> [UInt8] {
    try open(sealed, key: key, nonce: nonce.span, ad: ad)
  }
}

/// The three inputs of an AEAD call as addresses.
private struct AEADCall: ~Escapable {
  let text: Span<UInt8>
  let nonce: Span<UInt8>
  let ad: Span<UInt8>

  @_lifetime(copy text, copy nonce, copy ad)
  init(_ text: Span<UInt8>, _ nonce: Span<UInt8>, _ ad: Span<UInt8>) {
    self.text = text
    self.nonce = nonce
    self.ad = ad
  }

  typealias Bytes = UnsafeBufferPointer<UInt8>

  func run(_ body: (Bytes, Bytes, Bytes) -> Void) {
    unsafe text.withUnsafeBufferPointer { text in
      unsafe nonce.withUnsafeBufferPointer { nonce in
        unsafe ad.withUnsafeBufferPointer { ad in unsafe body(text, nonce, ad) }
      }
    }
  }
}
