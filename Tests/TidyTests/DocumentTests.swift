import Foundation
import Testing

/// The documents name what is there: every limit a peer can meet, and no file that is not in the clone.
@Suite struct DocumentTests {
  /// A named bound found in the sources.
  private struct Limit {
    /// The type it belongs to and its name, as the document spells it.
    let name: String
    let path: String
    /// Its value, where the declaration is plain arithmetic.
    let value: UInt64?
  }

  /// Rooms whose limits a peer can run into. The others bound what this machine does to itself.
  private static let roomsOnTheWire: Set<String> = ["Wire", "Noise", "Session", "Artifact", "Transfer", "Node"]

  /// Limits in those rooms that no peer can observe, each with why.
  private static let excused: [String: String] = [
    "GlobPattern.maximumBytes": "a pattern of `--only` never leaves this machine",
    "PeerTroubles.maximumCount": "how much of what went wrong a user is told of",
  ]

  @Test func everyLimitStandsInTheProtocolDocumentWithItsNumber() throws {
    let document = try #require(Tree.text("docs/PROTOCOL.md"), "docs/PROTOCOL.md is missing")
    let lines = document.split(separator: "\n")
    let limits = try Self.limits()
    #expect(limits.count > 20, "the limits were not found")
    for limit in limits where Self.excused[limit.name] == nil {
      let rows = lines.filter { $0.contains("`\(limit.name)`") }
      let spellings = limit.value.map(Self.spellings) ?? []
      let says = rows.contains { row in limit.value == nil || spellings.contains { Self.contains(row, number: $0) } }
      #expect(says, "docs/PROTOCOL.md has no line with `\(limit.name)` and \(spellings.first ?? "its value") (\(limit.path))")
    }
    for name in Self.excused.keys {
      #expect(limits.contains { $0.name == name }, "\(name) is excused but not there")
    }
  }

  @Test func everyLinkInADocumentLeadsToAFileOfTheClone() throws {
    var documents = try Tree.files("docs", ["md"])
    documents += ["README.md", "CHANGELOG.md"].compactMap { path in
      Tree.text(path).map { Tree.File(path: path, lines: $0.split(separator: "\n", omittingEmptySubsequences: false)) }
    }
    #expect(documents.count >= 2, "the documents were not found")
    for document in documents {
      let folder = Tree.root.appending(path: document.path).deletingLastPathComponent()
      for line in document.lines {
        for match in line.matches(of: /\]\(([^)\s#]+)[^)]*\)/) where !match.output.1.contains("://") {
          let target = folder.appending(path: String(match.output.1)).standardizedFileURL
          #expect(
            target.path.hasPrefix(Tree.root.standardizedFileURL.path) && FileManager.default.fileExists(atPath: target.path),
            "\(document.path) links to \(match.output.1)")
        }
      }
    }
  }

  private static func limits() throws -> [Limit] {
    let declaration = /^(\s*)(?:public |package |internal )?static let ((?:maximum|minimum)\w*)\s*(?::\s*\w+)?\s*=\s*(.*)$/
    let type =
      /^(\s*)(?:@\S+ )*(?:public |package |internal |private |fileprivate |final |indirect )*(?:enum|struct|class|actor|extension|protocol) ([\w.]+)/
    var limits: [Limit] = []
    for file in try Tree.files("Sources") where roomsOnTheWire.contains(file.room) {
      for (index, line) in file.lines.enumerated() {
        guard let found = line.firstMatch(of: declaration) else { continue }
        let owner = file.lines[..<index].reversed().lazy.compactMap { $0.firstMatch(of: type) }
          .first { $0.output.1.count < found.output.1.count }
        let expression = found.output.3.firstRange(of: "//").map { found.output.3[..<$0.lowerBound] } ?? found.output.3
        limits.append(
          Limit(
            name: (owner.map { "\($0.output.2)." } ?? "") + found.output.2, path: file.path,
            value: evaluate(expression)))
      }
    }
    return limits
  }

  /// The value of a literal, a product, a sum, or a shift of literals; nothing where other names occur.
  private static func evaluate(_ expression: Substring) -> UInt64? {
    let text = expression.replacing("_", with: "").replacing("(", with: "").replacing(")", with: "").filter { $0 != " " }
    guard !text.isEmpty else { return nil }
    if let minus = text.lastIndex(of: "-") {
      guard let left = evaluate(text[..<minus]), let right = evaluate(text[text.index(after: minus)...]) else { return nil }
      return left >= right ? left - right : nil
    }
    if let shift = text.firstRange(of: "<<") {
      guard let left = UInt64(text[..<shift.lowerBound]), let right = UInt64(text[shift.upperBound...]), right < 64 else {
        return nil
      }
      return left << right
    }
    var sum: UInt64 = 0
    for term in text.split(separator: "+") {
      var product: UInt64 = 1
      for factor in term.split(separator: "*") {
        guard let value = UInt64(factor) else { return nil }
        product *= value
      }
      sum += product
    }
    return sum
  }

  /// The ways to write a number: 49,152 and 49152, 48 KiB, 32 MiB, 7 days, 2^53 - 1.
  private static func spellings(_ value: UInt64) -> [String] {
    var grouped = ""
    for (index, digit) in String(value).reversed().enumerated() {
      if index > 0, index.isMultiple(of: 3) { grouped.append(",") }
      grouped.append(digit)
    }
    var all = [String(grouped.reversed()), String(value)]
    for (unit, size): (String, UInt64) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("days", 86_400)]
    where value >= size && value.isMultiple(of: size) {
      all.append("\(value / size) \(unit)")
    }
    if value == 1 << 53 - 1 { all += ["2^53 - 1", "2^53−1", "2⁵³ − 1", "2^53-1"] }
    return all
  }

  /// True where `number` stands in `row` by itself, not inside a longer one.
  private static func contains(_ row: Substring, number: String) -> Bool {
    row.ranges(of: number).contains { range in
      let before = range.lowerBound > row.startIndex ? row[row.index(before: range.lowerBound)] : " "
      let after = range.upperBound < row.endIndex ? row[range.upperBound] : " "
      return !before.isNumber && !after.isNumber && before != ","
    }
  }
}
