/// Where in memory a piece of a key was found.
public struct KeyFinding: Hashable, Sendable, CustomStringConvertible {
  /// What key.
  public let kind: String
  /// In what guise: `plain`, or as the arithmetic of HMAC and SHA-256 knows it.
  public let guise: String
  /// Where.
  public let address: UInt
  /// The line of the mapping: `[heap]`, `[stack]`, a file, or nothing for anonymous memory.
  public let mapping: String
  /// Whether it lies in a place that the test named as one for secrets.
  public let isAllowed: Bool

  /// One line.
  public var description: String { "\(kind) (\(guise)) at \(String(address, radix: 16)) \(mapping)" }
}

/// All sixteen-byte pieces of all keys, in every guise, so that one pass over memory looks for all of them.
///
/// A piece begins at a multiple of eight bytes within its key: the middle ones also show a scalar that was clamped. Two
/// words side by side are needed for a finding, so that one word on the scanner's own stack is none.
struct KeyIndex: ~Copyable {
  private struct Piece {
    let second: UInt64
    let entry: Int
    let guise: Int
  }

  private static let guises = ["plain", "inner pad", "outer pad", "words", "inner pad words", "outer pad words"]
  /// 2^22 bits: few enough pieces share one.
  private static let bits: UInt64 = 22
  private static let maskWord = UInt64(KeyLedger.mask) * 0x0101_0101_0101_0101

  private let entries: [KeyLedger.Entry]
  private var pieces: [UInt64: [Piece]] = [:]
  private let filter: UnsafeMutablePointer<UInt64>

  init(_ entries: [KeyLedger.Entry]) {
    self.entries = entries
    let words = 1 << (Int(Self.bits) - 6)
    filter = .allocate(capacity: words)
    filter.initialize(repeating: 0, count: words)
    for (number, entry) in entries.enumerated() {
      for guise in Self.guises.indices {
        let bytes = Self.disguise(entry.masked, guise)
        for start in stride(from: 0, through: bytes.count - 16, by: 8) {
          let (first, second) = (Self.word(bytes, start), Self.word(bytes, start + 8))
          pieces[first, default: []].append(Piece(second: second, entry: number, guise: guise))
          let slot = Self.slot(first)
          filter[slot >> 6] |= 1 << UInt64(slot & 63)
        }
      }
    }
  }

  deinit { filter.deallocate() }

  /// Looks at every offset of `base[range]`; both words must lie before `end`.
  func search(_ base: UnsafeRawPointer, _ range: Range<Int>, end: Int, _ found: (Int, String, String) -> Void) {
    var offset = range.lowerBound
    let last = min(range.upperBound, end - 15)
    while offset < last {
      let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ Self.maskWord
      let slot = Self.slot(word)
      if filter[slot >> 6] & (1 << UInt64(slot & 63)) != 0, let candidates = pieces[word] {
        let second = base.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self) ^ Self.maskWord
        for piece in candidates where piece.second == second {
          found(offset, entries[piece.entry].kind, Self.guises[piece.guise])
        }
      }
      offset += 1
    }
  }

  private static func slot(_ word: UInt64) -> Int {
    Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> (64 - bits))
  }

  private static func word(_ bytes: [UInt8], _ start: Int) -> UInt64 {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: UInt64.self) }
  }

  /// HMAC XORs its key with 36 or 5C in every byte; SHA-256 turns the bytes of every 32-bit word around.
  private static func disguise(_ masked: [UInt8], _ guise: Int) -> [UInt8] {
    let pad: UInt8 = [0, 0x36, 0x5C][guise % 3]
    var bytes = masked.map { $0 ^ pad }
    if guise >= 3 {
      for start in stride(from: 0, through: bytes.count - 4, by: 4) { bytes[start..<start + 4].reverse() }
    }
    return bytes
  }
}
