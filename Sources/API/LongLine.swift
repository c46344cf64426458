/// A reply with a long list, taken apart without being decoded: what stands around the list, and the list in portions.
///
/// It looks for brackets and quotes alone. What it finds is judged by the JSON decoder that gets the parts, and a line that is
/// written in another way than this program's has no list here: it is decoded as a whole.
struct LongLine {
  /// Shorter lines are decoded as a whole.
  static let fromBytes = 256 << 10

  /// The line with an empty list.
  let rest: [UInt8]
  /// Parts of the line, each some of the list's entries with commas between them.
  let portions: [Range<Int>]

  /// Nil if the line is short, or has no list under one of the keys at its first or second level.
  init?(_ line: [UInt8], keys: Set<String>) {
    guard line.count >= Self.fromBytes else { return nil }
    var skimmer = Skimmer(keys: keys.map { Array("\"\($0)\":[".utf8) })
    line.withUnsafeBufferPointer { skimmer.skim($0) }
    guard let list = skimmer.list else { return nil }
    rest = Array(line[..<list.lowerBound]) + Array(line[list.upperBound...])
    portions = skimmer.portions
  }
}

private struct Skimmer {
  let keys: [[UInt8]]
  /// What is between the list's brackets.
  var list: Range<Int>?
  var portions: [Range<Int>] = []

  init(keys: [[UInt8]]) { self.keys = keys }

  mutating func skim(_ line: UnsafeBufferPointer<UInt8>) {
    var depth = 0
    var position = 0
    while position < line.count {
      switch line[position] {
      case UInt8(ascii: "\""):
        if depth <= 2, let key = keys.first(where: { Self.stands($0, in: line, at: position) }) {
          return skimList(line, from: position + key.count)
        }
        position = Self.end(ofTextAt: position, in: line)
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
      position += 1
    }
  }

  private mutating func skimList(_ line: UnsafeBufferPointer<UInt8>, from start: Int) {
    var depth = 0
    var position = start
    var portion = start
    var entries = 0
    while position < line.count {
      switch line[position] {
      case UInt8(ascii: "\""): position = Self.end(ofTextAt: position, in: line)
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "]") where depth == 0:
        if position > portion { portions.append(portion..<position) }
        list = start..<position
        return
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ",") where depth == 0:
        entries += 1
        if entries % LinePieces.entriesPerPiece == 0 {
          portions.append(portion..<position)
          portion = position + 1
        }
      default: break
      }
      position += 1
    }
  }

  private static func stands(_ wanted: [UInt8], in line: UnsafeBufferPointer<UInt8>, at position: Int) -> Bool {
    position + wanted.count <= line.count && wanted.indices.allSatisfy { wanted[$0] == line[position + $0] }
  }

  /// The closing quote of the text whose opening quote is at `start`, or the line's last byte.
  private static func end(ofTextAt start: Int, in line: UnsafeBufferPointer<UInt8>) -> Int {
    var position = start + 1
    while position < line.count, line[position] != UInt8(ascii: "\"") {
      position += line[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return Swift.min(position, line.count - 1)
  }
}
