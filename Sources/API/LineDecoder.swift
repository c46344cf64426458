/// Cuts a byte stream into lines.
///
/// A line ends with `\n` (a `\r` before it is dropped); empty lines are skipped. Only whole lines come out.
public struct LineDecoder: Sendable {
  /// A request: the longest fields are a few paths and a few thousand aliases and patterns.
  public static let maximumRequestBytes = 1 << 20
  /// A reply: 100,000 files with paths of 1,024 bytes, escaped threefold at worst.
  public static let maximumReplyBytes = 512 << 20

  /// The other side sent a line that is longer than allowed.
  public struct TooLong: Error, Hashable, Sendable {
    /// What was allowed, in bytes.
    public let maximumBytes: Int
  }

  private static let newline = UInt8(ascii: "\n")
  /// Lines up to here are copied out of the buffer, which stays for the next ones.
  private static let copiedBytes = 1 << 20

  private let maximumBytes: Int
  private var buffer: [UInt8] = []
  /// Where the line that is being read begins.
  private var start = 0
  /// Up to where no newline was found.
  private var searched = 0

  /// A decoder that refuses lines above `maximumBytes`.
  public init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

  /// Takes what came from the stream.
  public mutating func append(_ bytes: [UInt8]) {
    if start > 0, start == buffer.count || start > maximumBytes {
      buffer.removeSubrange(..<start)
      searched -= start
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// Bytes that wait here: whole lines not yet taken and the beginning of the next.
  public var pendingBytes: Int { buffer.count - start }

  /// The next line without its end, or nil when more bytes are needed.
  public mutating func next() throws(TooLong) -> [UInt8]? {
    while true {
      guard let end = buffer[searched...].firstIndex(of: Self.newline) else {
        searched = buffer.count
        guard pendingBytes <= maximumBytes else { throw TooLong(maximumBytes: maximumBytes) }
        return nil
      }
      // A long line that is alone here leaves as it is, without a copy.
      if start == 0, end + 1 == buffer.count, end <= maximumBytes, end > Self.copiedBytes {
        return takeAll()
      }
      var line = buffer[start..<end]
      start = end + 1
      searched = start
      guard line.count <= maximumBytes else { throw TooLong(maximumBytes: maximumBytes) }
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if !line.isEmpty { return Array(line) }
    }
  }

  private mutating func takeAll() -> [UInt8] {
    var line = buffer
    buffer = []
    start = 0
    searched = 0
    line.removeLast()
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return line
  }
}
