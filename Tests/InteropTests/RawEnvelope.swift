import Wire

@testable import Primitives
@testable import Session

/// An envelope put together by the letter of §9 from primitives alone: also one that no honest sender makes.
struct RawEnvelope {
  var magic: [UInt8] = [0x01, 0x45]
  var salt: [UInt8]
  var header: [UInt8]
  var headerKey: [UInt8]
  /// prk of the message.
  var messageKey: [UInt8]
  var associatedData: [UInt8]
  /// The padded plaintext.
  var plaintext: [UInt8]

  /// `Expand(prk, label ‖ salt, count)`
  static func expand(_ prk: [UInt8], _ label: String, _ salt: [UInt8], _ count: Int) -> [UInt8] {
    var material = HKDF.expand(prk: SecretBytes(copying: prk), info: Array(label.utf8) + salt, count: count)
    return material.takeBytes(count)
  }

  static func seal(_ plaintext: [UInt8], _ key: some Sequence<UInt8>, _ nonce: some Sequence<UInt8>, _ ad: [UInt8]) -> [UInt8] {
    let nonce = Array(nonce)
    return ChaChaPoly.seal(plaintext.span, key: SecretBytes(copying: Array(key)), nonce: nonce.span, ad: ad.span)
  }

  /// Key 32 ‖ nonce 12 of the header.
  var headerMaterial: [UInt8] { Self.expand(headerKey, "pawl/1 header", salt, 44) }

  /// Key 32 ‖ nonce 12 ‖ commitment 32 of the message.
  var messageMaterial: [UInt8] { Self.expand(messageKey, "pawl/1 message", salt, 76) }

  var sealedHeader: [UInt8] {
    let material = headerMaterial
    return Self.seal(header, material[..<32], material[32...], magic + salt)
  }

  /// The envelope; `commitment` in place of the right one.
  func bytes(commitment: [UInt8]? = nil) -> [UInt8] {
    let (sealed, material) = (sealedHeader, messageMaterial)
    let covered =
      magic + salt + [UInt8(sealed.count >> 8), UInt8(sealed.count & 0xFF)] + sealed + (commitment ?? Array(material[44...]))
    return covered + Self.seal(plaintext, material[..<32], material[32..<44], associatedData + covered)
  }

  /// seq ‖ seen ‖ length ‖ payload ‖ padding, by default as it must be.
  static func plaintext(sequence: UInt64, seen: UInt64, payload: [UInt8], length: Int? = nil, padded: Int? = nil) -> [UInt8] {
    var writer = ByteWriter()
    writer.u64(sequence)
    writer.u64(seen)
    writer.u32(UInt32(length ?? payload.count))
    writer.append(payload)
    let size = padded ?? Letter.paddedBytes(payload.count)
    return writer.bytes + [UInt8](repeating: 0, count: max(0, size - writer.bytes.count))
  }
}
