import Foundation
import Testing

/// Rules for every file that a machine can hold.
@Suite struct SourceRuleTests {
  /// A file is a room: one longer than this wants to be two.
  private static let maximumLines = 400

  @Test func noFileIsLongerThanFourHundredLines() throws {
    let files = try Tree.files("Sources", ["swift", "c", "h"]) + Tree.files("Tests")
    #expect(files.count > 50, "the sources were not found")
    for file in files {
      let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
      #expect(count <= Self.maximumLines, "\(file.path): \(count) lines")
    }
  }

  @Test func noMarkerIsLeftBehind() throws {
    let markers = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    for file in try Tree.files("Sources", ["swift", "c", "h"]) + Tree.files("Tests") + Tree.files("scripts", ["sh"]) {
      for (index, line) in file.lines.enumerated() {
        for marker in markers where line.split(whereSeparator: { !$0.isLetter }).contains(marker[...]) {
          Issue.record("\(file.path):\(index + 1): \(marker)")
        }
      }
    }
  }

  @Test func nothingInTheSourcesIsForced() throws {
    let forced = ["try" + "!", "as" + "!", "fatal" + "Error("]
    for file in try Tree.files("Sources") {
      for (number, text) in file.code {
        for word in forced where text.contains(word) {
          Issue.record("\(file.path):\(number): \(word)")
        }
      }
    }
  }

  @Test func uncheckedConcurrencyStaysInTheTwoRoomsThatMayHaveIt() throws {
    let rooms: Set<String> = ["EventLoop", "Primitives"]
    let words = ["@unchecked" + " Sendable", "nonisolated" + "(unsafe)"]
    for file in try Tree.files("Sources") {
      for (number, text) in file.code where words.contains(where: { text.contains($0) }) {
        #expect(rooms.contains(file.room), "\(file.path):\(number): \(text)")
      }
    }
  }

  @Test func everyUncheckedConcurrencySaysWhyItHolds() throws {
    let words = ["@unchecked" + " Sendable", "nonisolated" + "(unsafe)"]
    for file in try Tree.files("Sources") {
      for (number, text) in file.code where words.contains(where: { text.contains($0) }) {
        // The reason stands above it, or above the group of declarations it belongs to.
        let above = file.lines[..<(number - 1)].suffix(12).split(separator: "", omittingEmptySubsequences: false).last ?? []
        #expect(
          above.contains { $0.contains("//") } || file.lines[number - 1].contains("//"),
          "\(file.path):\(number): no invariant is given")
      }
    }
  }

  @Test func noSourceNamesAFolderOfSomebodysMachine() throws {
    let folders = try Regex(#""/(?:home|root|tmp|opt|mnt|srv|work|workspace|Users)(?:/|")"#)
    for file in try Tree.files("Sources", ["swift", "c", "h"]) {
      for (index, line) in file.lines.enumerated() where line.contains(folders) {
        Issue.record("\(file.path):\(index + 1): \(line)")
      }
    }
  }

  @Test func noTestSleepsToWait() throws {
    let sleeps = try Regex(#"\b(?:Task\.sleep|Thread\.sleep|usleep|nanosleep|sleep)\("#)
    for file in try Tree.files("Tests") where file.room != "TidyTests" {
      for (number, text) in file.code where text.contains(sleeps) {
        Issue.record("\(file.path):\(number): \(text)")
      }
    }
  }

  /// A child that was just forked has every descriptor of the process, so what starts processes runs apart from everything else.
  @Test func testsThatStartProcessesRunApart() throws {
    let script = try #require(Tree.text("scripts/test.sh"))
    let line = try #require(script.split(separator: "\n").first { $0.hasPrefix("apart='") })
    let apart = try Regex(String(line.dropFirst("apart='".count).dropLast()))
    let starting = ["processExits" + "With", "Inheritance." + "sleeper", "DiskImage(" + "temporary", "Subprocess" + ".run"]
    let suite = try Regex(#"struct (\w+Tests)\b"#)
    var found = 0
    for file in try Tree.files("Tests")
    where file.code.contains(where: { line in starting.contains { line.text.contains($0) } }) {
      for (_, text) in file.code {
        guard let match = text.firstMatch(of: suite), let name = match[1].substring else { continue }
        found += 1
        #expect("\(file.room).\(name)/a()".contains(apart), "\(file.path): scripts/test.sh does not name \(name)")
      }
    }
    #expect(found >= 6)
    #expect(!"StoreTests.DatabaseTests/a()".contains(apart))
  }
}
