import Glibc
import Primitives
import Wire

@testable import Session
@testable import Store

/// What a process that is about to be killed has done, line by line, in a file that outlives it. SIGKILL takes nothing from a file that was
/// written to.
final class ConversationLog: Sendable {
  private let file: Int32

  init(_ path: String) throws {
    file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    guard file >= 0 else { throw StoreError.state(errno, path) }
  }

  deinit { close(file) }

  /// Appends lines in one piece.
  func append(_ lines: [String]) {
    let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
    let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    precondition(count == bytes.count, "the log is on a disk with room")
  }

  func append(_ line: String) { append([line]) }
}

/// What a log says, over all processes that wrote to it.
struct ConversationHistory {
  private let lines: [[Substring]]

  init(_ path: String) throws {
    let bytes = try TemporaryFolder.bytes(at: path)
    lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
  }

  private func all(_ kind: Substring) -> [[Substring]] { lines.filter { $0[0] == kind }.map { Array($0.dropFirst()) } }

  /// Processes that were started.
  var processes: Int { all("process").count }
  /// Commits that took.
  var commits: Int { all("commit").count }
  /// Whether the conversation ran through.
  var isOver: Bool { !all("end").isEmpty }
  /// Whether one of its processes said goodbye before, or after, a commit.
  func deaths(_ moment: String) -> Int { all("death").count { $0[0] == moment } }
  /// Texts that were committed for sending, in their order.
  var said: [(end: Int, text: String)] { all("said").map { (Int($0[0]) ?? -1, String($0[1])) } }
  /// Texts that were delivered with a commit that took, in their order.
  var delivered: [(end: Int, text: String)] { all("delivered").map { (Int($0[0]) ?? -1, String($0[1])) } }
  /// A hash of each key and nonce that anything was sealed under.
  var seals: [String] { all("seal").map { String($0[0]) } }
  /// Every envelope that went out, as often as it did: end, session, number; digest, salt.
  var sent: [(place: String, digest: String, salt: String)] {
    all("sent").map { ($0[..<3].joined(separator: " "), String($0[3]), String($0[4])) }
  }
  /// Envelopes that went out.
  var sentCount: Int { all("sent").count }
  /// Envelopes that the network lost, and such as it let overtake others.
  var lost: Int { all("lost").count }
  var overtaken: Int { all("overtaken").count }
  /// Names of events.
  var events: Set<String> { Set(all("event").map { String($0[0]) }) }
  /// How many there were, and the names of those after so many.
  var eventCount: Int { all("event").count }
  func events(after count: Int) -> Set<String> { Set(all("event").dropFirst(count).map { String($0[0]) }) }
  /// The bundle that the inviter gave the joiner.
  var offered: [UInt8]? { all("offered").last.flatMap { Hex.decode(String($0[0])) } }
  /// Grows with everything that need not be done again.
  var progress: Int {
    said.count + delivered.count + all("offered").count + all("repaired").count
      + all("event").count { ["started", "confirmed", "batchHeld"].contains($0[0]) }
  }
  /// The session that was spoiled on purpose, and whether another has taken its place.
  var spoiled: String? { all("spoiled").last.map { String($0[0]) } }
  var isRepaired: Bool { !all("repaired").isEmpty }
}

/// What a process is to do: written by the test, read by the process.
struct Orders {
  /// Die at this commit of the process, counted from 1…
  var commit = Int.max
  /// …before it, or right after it.
  var isBefore = false
  /// Texts to say in all.
  var texts = 0
  /// Draw the same sixteen bytes whenever sixteen are drawn: what a salt is there to make harmless.
  var hasFixedSalts = false

  func write(to path: String) throws {
    unlink(path)
    try ConversationLog(path).append("\(commit) \(isBefore ? 1 : 0) \(texts) \(hasFixedSalts ? 1 : 0)")
  }

  init() {}

  init(reading path: String) throws {
    let text = String(decoding: try TemporaryFolder.bytes(at: path), as: UTF8.self)
    let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard numbers.count == 4 else { throw StoreError.state(EINVAL, path) }
    (commit, isBefore, texts, hasFixedSalts) = (numbers[0], numbers[1] == 1, numbers[2], numbers[3] == 1)
  }
}
