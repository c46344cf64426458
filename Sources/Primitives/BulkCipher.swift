internal import CSodium
internal import Crypto
internal import FoundationEssentials

/// The AEAD of the bulk data path: whole chunks between raw buffers, called from worker threads.
///
/// Layout: a sealed chunk is ciphertext ‖ tag, 16 bytes longer than its plaintext. The nonce travels elsewhere (in the
/// frame's head); it need not lie next to the ciphertext.
public struct BulkCipher: Sendable {
  /// The ciphers a grant may name; the raw value is the protocol's.
  public enum Algorithm: UInt8, Sendable, CaseIterable {
    /// AES-256-GCM: about 3 GB/s a core where the processor has AES instructions.
    case aes256gcm = 1
    /// ChaCha20-Poly1305: for processors that have none.
    case chachaPoly = 2
  }

  /// The length of a key.
  public static let keyBytes = 32
  /// The length of a nonce.
  public static let nonceBytes = 12
  /// The length of the tag.
  public static let tagBytes = 16

  /// What this machine runs, fastest first. Without AES instructions AES-256-GCM is slow and not in constant time: then
  /// it comes last.
  public static let preferred: [Algorithm] = {
    #if arch(arm64)
      return [.aes256gcm, .chachaPoly]
    #else
      Sodium.start()
      return crypto_aead_aes256gcm_is_available() == 1 ? [.aes256gcm, .chachaPoly] : [.chachaPoly, .aes256gcm]
    #endif
  }()

  private enum Key {
    case aes(SymmetricKey)
    case chacha(SecretBox)
  }

  private let key: Key

  /// The cipher in use.
  public var algorithm: Algorithm {
    switch key {
    case .aes: .aes256gcm
    case .chacha: .chachaPoly
    }
  }

  /// Copies a key of 32 bytes. Of an AES key swift-crypto makes copies that are neither locked in memory nor wiped.
  public init(algorithm: Algorithm, key: borrowing SecretBytes) {
    precondition(key.count == Self.keyBytes, "a 32-byte key")
    switch algorithm {
    case .aes256gcm: self.key = .aes(unsafe key.span.withUnsafeBytes { unsafe SymmetricKey(data: $0) })
    case .chachaPoly: self.key = .chacha(SecretBox(key.clone()))
    }
  }

  /// Writes ciphertext ‖ tag over `output`, which is exactly 16 bytes longer than `plaintext`.
  ///
  /// The two may be the same memory from the same start (in place), but may not overlap otherwise. The nonce must be
  /// new under this key. Throws `badLength` where lengths do not fit.
  @unsafe public func seal(
    _ plaintext: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, ad: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) throws(CryptoError) {
    guard nonce.count == Self.nonceBytes, output.count == plaintext.count + Self.tagBytes,
      let out = output.baseAddress, let iv = nonce.baseAddress
    else { throw CryptoError(.badLength) }
    switch key {
    case .aes(let key):
      let box = unsafe try? AES.GCM.seal(plaintext, using: key, nonce: AES.GCM.Nonce(data: nonce), authenticating: ad)
      guard let combined = box?.combined else { throw CryptoError(.badLength) }
      unsafe combined.withUnsafeBytes {
        unsafe out.copyMemory(from: $0.baseAddress! + Self.nonceBytes, byteCount: output.count)
      }
    case .chacha(let key):
      let bytes = unsafe out.assumingMemoryBound(to: UInt8.self)
      unsafe crypto_aead_chacha20poly1305_ietf_encrypt(
        bytes, nil, plaintext.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(plaintext.count),
        ad.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(ad.count), nil,
        iv.assumingMemoryBound(to: UInt8.self), key.bytes.slot.bytes)
    }
  }

  /// Opens ciphertext ‖ tag and lends the plaintext to `body`, in memory that ends with it.
  ///
  /// `body` runs only after the tag verified; the plaintext is never seen otherwise. `sealed` is not changed. Throws
  /// `authenticationFailed`, or what `body` throws.
  @unsafe public func open<R>(
    _ sealed: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, ad: UnsafeRawBufferPointer,
    body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    guard nonce.count == Self.nonceBytes, sealed.count >= Self.tagBytes, let iv = nonce.baseAddress,
      let text = sealed.baseAddress
    else { throw CryptoError(.authenticationFailed) }
    let size = sealed.count - Self.tagBytes
    switch key {
    case .aes(let key):
      let box = unsafe try? AES.GCM.SealedBox(
        nonce: AES.GCM.Nonce(data: nonce), ciphertext: UnsafeRawBufferPointer(rebasing: sealed[..<size]),
        tag: UnsafeRawBufferPointer(rebasing: sealed[size...]))
      guard let box, let plaintext = unsafe try? AES.GCM.open(box, using: key, authenticating: ad) else {
        throw CryptoError(.authenticationFailed)
      }
      return try unsafe plaintext.withUnsafeBytes { try unsafe body($0) }
    case .chacha(let key):
      let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 16)
      defer { unsafe scratch.deallocate() }
      let status = unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
        scratch.baseAddress!.assumingMemoryBound(to: UInt8.self), nil, nil, text.assumingMemoryBound(to: UInt8.self),
        UInt64(sealed.count), ad.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(ad.count),
        iv.assumingMemoryBound(to: UInt8.self), key.bytes.slot.bytes)
      guard status == 0 else { throw CryptoError(.authenticationFailed) }
      return try unsafe body(UnsafeRawBufferPointer(rebasing: scratch[..<size]))
    }
  }
}

extension BulkCipher {
  /// Ciphertext ‖ tag of `plaintext`, for pieces small enough not to care about a copy. The nonce has 12 bytes.
  public func seal(_ plaintext: [UInt8], nonce: [UInt8], ad: [UInt8]) throws(CryptoError) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: plaintext.count + Self.tagBytes)
    var failure: CryptoError?
    unsafe plaintext.withUnsafeBytes { plaintext in
      unsafe nonce.withUnsafeBytes { nonce in
        unsafe ad.withUnsafeBytes { ad in
          unsafe output.withUnsafeMutableBytes { output in
            do throws(CryptoError) { try unsafe seal(plaintext, nonce: nonce, ad: ad, into: output) } catch { failure = error }
          }
        }
      }
    }
    if let failure { throw failure }
    return output
  }

  /// The plaintext of ciphertext ‖ tag. Throws `authenticationFailed`.
  public func open(_ sealed: [UInt8], nonce: [UInt8], ad: [UInt8]) throws(CryptoError) -> [UInt8] {
    let plaintext = unsafe sealed.withUnsafeBytes { sealed in
      unsafe nonce.withUnsafeBytes { nonce in
        unsafe ad.withUnsafeBytes { ad in
          unsafe try? open(sealed, nonce: nonce, ad: ad) { unsafe [UInt8]($0) }
        }
      }
    }
    guard let plaintext else { throw CryptoError(.authenticationFailed) }
    return plaintext
  }
}
