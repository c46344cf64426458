internal import Primitives
internal import Wire

/// The header of an envelope before its encryption: `dh 32‖PN u32‖N u32‖KB`.
struct RatchetHeader: Sendable {
  /// Bytes of the longest header with its tag.
  static let maximumSealedBytes =
    32 + 8 + 1 + MLKEM768.publicKeyBytes + MLKEM768.ciphertextBytes + MLKEM1024.ciphertextBytes + 16

  /// What the chain's sender did in the KEM ratchet when it began the chain.
  enum Encapsulation: Hashable, Sendable {
    /// 01, the initiator's first chain: there was no key to encapsulate to.
    case none
    /// 02, every later chain: a secret to the receiver's last ML-KEM-768 key.
    case answer([UInt8])
    /// 03, the responder's first chain (CONFIRM): and one to the signed prekey in the INIT's bundle.
    case confirm([UInt8], [UInt8])

    fileprivate var flag: UInt8 {
      switch self {
      case .none: 1
      case .answer: 2
      case .confirm: 3
      }
    }
  }

  /// The chain's ratchet keys.
  let keys: RemoteRatchetKeys
  /// PN: messages in the sender's chain before this one.
  let previousCount: UInt32
  /// N: this message's number in its chain.
  let number: UInt32
  /// The rest of KB.
  let encapsulation: Encapsulation
  /// SHA-256 of all that is the same in every header of one chain.
  let chainFingerprint: Digest
  /// As it was decrypted.
  private let bytes: [UInt8]

  /// Reads a decrypted header. Unknown flags and trailing bytes are refused.
  init(parsing bytes: Span<UInt8>) throws(WireError) {
    try self.init(parsing: [UInt8](copying: bytes))
  }

  /// Reads a decrypted header. Unknown flags and trailing bytes are refused.
  init(parsing decrypted: [UInt8]) throws(WireError) {
    let bytes = decrypted.span
    var reader = ByteReader(bytes)
    let dhBytes = try reader.bytes(32)
    previousCount = try reader.u32()
    number = try reader.u32()
    let constant = bytes.extracting(40..<bytes.count)
    let flag = try reader.u8()
    let kemBytes = try reader.bytes(MLKEM768.publicKeyBytes)
    switch flag {
    case 1: encapsulation = .none
    case 2: encapsulation = .answer(try reader.bytes(MLKEM768.ciphertextBytes))
    case 3:
      let first = try reader.bytes(MLKEM768.ciphertextBytes)
      encapsulation = .confirm(first, try reader.bytes(MLKEM1024.ciphertextBytes))
    default: throw .invalid
    }
    try reader.finish()
    guard let dh = try? X25519.PublicKey(dhBytes), let kem = try? MLKEM768.PublicKey(kemBytes) else { throw .invalid }
    keys = RemoteRatchetKeys(dh: dh, kem: kem)
    var hasher = SHA256Hash.Hasher()
    hasher.update(bytes.extracting(0..<36))
    hasher.update(constant)
    chainFingerprint = hasher.finalize()
    self.bytes = decrypted
  }

  private init(_ other: RatchetHeader, number: UInt32) {
    keys = other.keys
    previousCount = other.previousCount
    encapsulation = other.encapsulation
    chainFingerprint = other.chainFingerprint
    bytes = other.bytes
    self.number = number
  }

  /// What ``init(parsing:)`` would make of a header of the same chain; nil if it is another's. Reading two kilobytes of keys and hashing
  /// them costs more than decrypting them.
  func repeated(_ decrypted: [UInt8]) -> RatchetHeader? {
    let (mine, other) = (bytes.span, decrypted.span)
    guard mine.count == other.count, mine.extracting(0..<36).isSame(as: other.extracting(0..<36)),
      mine.extracting(40..<mine.count).isSame(as: other.extracting(40..<other.count))
    else { return nil }
    var reader = ByteReader(other.extracting(36..<40))
    guard let number = try? reader.u32() else { return nil }
    return RatchetHeader(self, number: number)
  }

  /// `KB = flag‖ek768‖[ct768]‖[ct1024]`
  static func kemBlock(_ key: MLKEM768.PublicKey, _ encapsulation: Encapsulation) -> [UInt8] {
    let head = [encapsulation.flag] + key.bytes
    switch encapsulation {
    case .none: return head
    case .answer(let ciphertext): return head + ciphertext
    case .confirm(let first, let second): return head + first + second
    }
  }

  /// The header's bytes for one message of a chain of ours.
  static func encode(dh: X25519.PublicKey, previousCount: UInt32, number: UInt32, kemBlock: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: 40 + kemBlock.count)
    writer.append(dh.bytes)
    writer.u32(previousCount)
    writer.u32(number)
    writer.append(kemBlock)
    return writer.bytes
  }
}

/// A header of a chain, shared by the copies of a ratchet.
final class KnownHeader: Sendable {
  let header: RatchetHeader

  init(_ header: RatchetHeader) { self.header = header }
}
