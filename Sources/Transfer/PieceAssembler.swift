/// Puts an object of known length together from pieces of 1 MiB.
///
/// Memory grows with what has come, never with what was announced. Pieces may come in any order, each once: two workers that
/// open them do not finish in the order in which they began.
public struct PieceAssembler: Sendable {
  private let layout: PieceLayout
  /// Pieces that are joined already.
  private var joined = 0
  /// Pieces that came before one that is still missing.
  private var early: [Int: [UInt8]] = [:]
  /// What is joined so far; all of it once ``isComplete``.
  public private(set) var bytes: [UInt8] = []

  /// For an object of `sizeBytes`; nil if that is nothing, or more than `limit`.
  public init?(sizeBytes: Int, limit: Int) {
    guard sizeBytes > 0, sizeBytes <= limit else { return nil }
    layout = PieceLayout(sizeBytes: sizeBytes)
  }

  /// How many pieces the object has.
  public var count: Int { layout.count }

  /// Whether all pieces are there.
  public var isComplete: Bool { joined == layout.count }

  /// Adds a piece. False, and nothing is changed, if there is no such piece, if it was there, or if its length is wrong.
  public mutating func add(piece: Int, _ content: [UInt8]) -> Bool {
    guard piece >= joined, piece < layout.count, early[piece] == nil, content.count == layout.length(of: piece) else {
      return false
    }
    early[piece] = content
    while let next = early.removeValue(forKey: joined) {
      bytes.append(contentsOf: next)
      joined += 1
    }
    return true
  }
}
