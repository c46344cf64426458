/// One line, with its newline, in pieces to be written one after the other. They are made as they are taken.
public struct LinePieces: Sequence, IteratorProtocol, Sendable {
  /// Entries of a list that are encoded at once.
  static let entriesPerPiece = 512

  private enum Step {
    case head
    case entries(from: Int)
    case tail
    case end
  }

  private let head: [UInt8]
  private let tail: [UInt8]
  private let count: Int
  private let encode: @Sendable (Range<Int>) -> [UInt8]?
  private var step = Step.head

  /// A line in one piece.
  public init(_ line: [UInt8]) { self.init(head: line, tail: [], count: 0) { _ in nil } }

  /// A line with a list that was left empty on it.
  ///
  /// - Parameters:
  ///   - line: the line without the list's entries.
  ///   - key: the list's key, which occurs once.
  ///   - entries: what belongs into the list.
  init(_ line: [UInt8], list key: String, _ entries: [some Encodable & Sendable]) {
    // Within a text the quotes would be escaped, so this is the list and nothing else.
    let empty = Array("\"\(key)\":[]".utf8)
    guard !entries.isEmpty, let place = Self.find(empty, in: line) else {
      self.init(line)
      return
    }
    let end = place + empty.count - 1
    self.init(head: Array(line[..<end]), tail: Array(line[end...]), count: entries.count) { range in
      try? Lines.elements(Array(entries[range]))
    }
  }

  private init(head: [UInt8], tail: [UInt8], count: Int, encode: @escaping @Sendable (Range<Int>) -> [UInt8]?) {
    self.head = head
    self.tail = tail
    self.count = count
    self.encode = encode
  }

  /// The next piece.
  public mutating func next() -> [UInt8]? {
    switch step {
    case .head:
      step = count > 0 ? .entries(from: 0) : .end
      return head
    case .entries(let start):
      let end = Swift.min(start + Self.entriesPerPiece, count)
      step = end < count ? .entries(from: end) : .tail
      guard let piece = encode(start..<end) else { return nil }
      return start == 0 ? piece : [UInt8(ascii: ",")] + piece
    case .tail:
      step = .end
      return tail
    case .end: return nil
    }
  }

  /// The whole line.
  var joined: [UInt8] { reduce(into: []) { $0 += $1 } }

  private static func find(_ wanted: [UInt8], in line: [UInt8]) -> Int? {
    guard line.count >= wanted.count else { return nil }
    return (0...(line.count - wanted.count)).first { line[$0...].starts(with: wanted) }
  }
}
