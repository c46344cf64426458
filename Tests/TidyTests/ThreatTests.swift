import Foundation
import Testing

/// `docs/THREATS.md` names for each promise the tests that hold it: what it names is there, and no promise stands without.
@Suite struct ThreatTests {
  /// A test as the document spells it: `Tests/SessionTests: aFlippedBit…`.
  private static func named(in line: Substring) -> [(folder: String, function: String)] {
    line.matches(of: /`(Tests\/\w+): (\w+)`/).map { (String($0.output.1), String($0.output.2)) }
  }

  private static func lines() throws -> [Substring] {
    try #require(Tree.text("docs/THREATS.md"), "docs/THREATS.md is missing").split(separator: "\n")
  }

  /// The functions of a folder that a `@Test` stands before, on their line or above it.
  private static func tests(of folder: String) throws -> Set<String> {
    var found: Set<String> = []
    for file in try Tree.files(folder) {
      var isTest = false
      for line in file.lines {
        if line.contains("@Test") { isTest = true }
        guard let function = line.firstMatch(of: /\bfunc (\w+)\(/) else { continue }
        if isTest { found.insert(String(function.output.1)) }
        isTest = false
      }
    }
    return found
  }

  @Test func everyTestThatTheThreatDocumentNamesIsThere() throws {
    let all = try Self.lines().flatMap { Self.named(in: $0) }
    #expect(all.count > 50, "the document names no tests")
    for (folder, names) in Dictionary(grouping: all, by: \.folder) {
      let tests = try Self.tests(of: folder)
      for name in Set(names.map(\.function)).subtracting(tests).sorted() {
        Issue.record("docs/THREATS.md names \(folder): \(name), which is not there")
      }
    }
  }

  @Test func everyPromiseHasATestOrSaysThatItHasNone() throws {
    var rows = 0
    for line in try Self.lines() where line.hasPrefix("| ") && !line.hasPrefix("| promise ") && !line.hasPrefix("| attack ") {
      rows += 1
      #expect(!Self.named(in: line).isEmpty || line.contains("no test yet"), "docs/THREATS.md: \(line.prefix(80))")
    }
    #expect(rows > 20, "the document makes no promises")
  }
}
