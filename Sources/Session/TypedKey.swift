internal import Primitives
internal import Wire

/// Public keys with the byte that tells their kind, so that one kind is never read as another.
enum TypedKey {
  private static let x25519: UInt8 = 0x05
  private static let mlkem1024: UInt8 = 0x0A
  /// Bytes of EC(pk).
  static let ecBytes = 33
  /// Bytes of KEM1024(pk).
  static let kemBytes = 1 + MLKEM1024.publicKeyBytes

  /// EC(pk) = `05‖32`
  static func encode(_ key: X25519.PublicKey) -> [UInt8] { [x25519] + key.bytes }

  /// KEM1024(pk) = `0A‖1568`
  static func encode(_ key: MLKEM1024.PublicKey) -> [UInt8] { [mlkem1024] + key.bytes }

  /// Reads EC(pk).
  @_lifetime(reader: copy reader)
  static func readEC(from reader: inout ByteReader) throws(WireError) -> X25519.PublicKey {
    guard try reader.u8() == x25519 else { throw .invalid }
    let bytes = try reader.bytes(32)
    guard let key = try? X25519.PublicKey(bytes) else { throw .invalid }
    return key
  }

  /// Reads KEM1024(pk); the key has passed FIPS 203's modulus check.
  @_lifetime(reader: copy reader)
  static func readKEM(from reader: inout ByteReader) throws(WireError) -> MLKEM1024.PublicKey {
    guard try reader.u8() == mlkem1024 else { throw .invalid }
    let bytes = try reader.bytes(MLKEM1024.publicKeyBytes)
    guard let key = try? MLKEM1024.PublicKey(bytes) else { throw .invalid }
    return key
  }
}
