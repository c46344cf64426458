internal import CSodium

/// Keys from passwords.
public enum PasswordHash {
  /// The length of a salt.
  public static let saltBytes = 16
  /// The least memory, 8 KiB.
  public static let minimumMemoryBytes = 8 << 10

  /// Argon2id, version 1.3, one lane (RFC 9106), 32 bytes out.
  ///
  /// - Parameters:
  ///   - password: of any length, also empty.
  ///   - salt: exactly 16 bytes.
  ///   - operations: passes over the memory, at least one.
  ///   - memoryBytes: from 8 KiB, in whole KiB; a rest is ignored.
  ///
  /// Throws `badLength` where a parameter is out of its range, and `outOfMemory` where the system does not give the memory.
  public static func argon2id(
    password: Span<UInt8>, salt: [UInt8], operations: Int, memoryBytes: Int
  ) throws(CryptoError) -> SecretBytes {
    guard salt.count == saltBytes, (1...Int(UInt32.max)).contains(operations),
      memoryBytes >= minimumMemoryBytes, memoryBytes >> 10 <= Int(UInt32.max), password.count <= Int(UInt32.max)
    else { throw CryptoError(.badLength) }
    let key = SecretBytes(zeroes: 32)
    let status = unsafe password.withUnsafeBytes { password in
      // An empty password has no address; libsodium wants one all the same.
      let none: CChar = 0
      return unsafe withUnsafePointer(to: none) { none in
        unsafe crypto_pwhash(
          key.slot.bytes, UInt64(key.count), password.baseAddress?.assumingMemoryBound(to: CChar.self) ?? none,
          UInt64(password.count), salt, UInt64(operations), memoryBytes, crypto_pwhash_ALG_ARGON2ID13)
      }
    }
    guard status == 0 else { throw CryptoError(.outOfMemory) }
    return key
  }
}
