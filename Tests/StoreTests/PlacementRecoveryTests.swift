import Artifact
import Glibc
import Testing

@testable import Store

/// A placement that a crash cut short.
@Suite struct PlacementRecoveryTests {
  /// Where files go: a folder that is new, one that is there already, and no folder at all.
  static let cases = ["new folder", "folder", "file"]

  private func pull(_ temporary: TemporaryFolder, _ place: String) throws -> Pull {
    if place == "folder" {
      try temporary.file("out/lora/mine.txt", [42])
      try temporary.file("out/lora/same.bin", pattern(900, seed: 9))
    }
    let files =
      place == "file" ? [("one.bin", pattern(70_000))] : PartialFolderTests.files + [("same.bin", pattern(900, seed: 9))]
    return try Pull(temporary, files, folder: place == "file" ? nil : "lora")
  }

  private func check(_ pull: Pull, _ place: String, _ recovery: PlacementRecovery) throws {
    guard case .placed(let placed) = recovery else {
      Issue.record("\(place): \(recovery)")
      return
    }
    #expect(placed.map(\.index) == Array(pull.files.indices) && placed.allSatisfy { $0.outcome != .conflict })
    for (index, file) in pull.files.enumerated() { #expect(try TemporaryFolder.bytes(at: placed[index].path) == file.1) }
    #expect(try pull.temporary.names("out") == [place == "file" ? "one.bin" : "lora"], "no partial folder is left")
    if place == "folder" { #expect(try pull.temporary.bytes("out/lora/mine.txt") == [42]) }
  }

  @Test(arguments: Self.cases, [true, false])
  func aKillAtAnyStepOfAPlacementIsCompletedByTheNextStart(_ place: String, _ isSameBoot: Bool) throws {
    var steps = 0
    var isWhole = false
    while !isWhole {
      let temporary = try TemporaryFolder()
      let pull = try pull(temporary, place)
      let partial = try PartialFolder.create(pull.plan)
      for file in pull.plan.toFetch { try pull.write(partial, file) }
      // Step 0: right after the record said so, before anything was synced.
      if steps > 0 {
        try partial.finish(pull.plan.toFetch)
        var number = 0
        do {
          _ = try partial.place { step throws(StoreError) in
            number += 1
            if number == steps { throw StoreError(.io, detail: step) }
          }
          isWhole = true
        } catch { #expect(error.code == .io) }
      } else {
        // Empty files are made by finishing alone.
        try partial.finish(pull.plan.toFetch.filter { pull.files[$0].1.isEmpty })
      }
      partial.closeFiles()
      try check(pull, place, try PartialFolder.recover(pull.plan, isSameBoot: isSameBoot))
      steps += 1
    }
    #expect(steps >= 4, "\(place)")
  }

  @Test func theRecoveryItselfMayBeKilledAtAnyStep() throws {
    for place in Self.cases {
      var steps = 1
      while true {
        let temporary = try TemporaryFolder()
        let pull = try pull(temporary, place)
        try pull.writeAll(try PartialFolder.create(pull.plan))
        var number = 0
        let first = try? PartialFolder.recover(pull.plan, isSameBoot: true) { step throws(StoreError) in
          number += 1
          if number == steps { throw StoreError(.io, detail: step) }
        }
        try check(pull, place, try PartialFolder.recover(pull.plan, isSameBoot: true))
        if first != nil { break }
        steps += 1
      }
      #expect(steps >= 3)
    }
  }

  @Test func afterAnotherBootAFileThatIsNotWholeRollsThePlacementBack() throws {
    let temporary = try TemporaryFolder()
    let pull = try pull(temporary, "new folder")
    try pull.writeAll(try PartialFolder.create(pull.plan))
    let staged = "out/\(pull.plan.partialName)/lora/a.bin"
    var bytes = try temporary.bytes(staged)
    bytes[123] ^= 1
    try temporary.file(staged, bytes)
    guard case .unfinished(let lost) = try PartialFolder.recover(pull.plan, isSameBoot: false) else {
      Issue.record("it was placed")
      return
    }
    #expect(lost == [0])
    #expect(try temporary.names("out") == [pull.plan.partialName], "it can be resumed")
  }

  @Test func aDiskThatIsAwayAndAFolderThatIsGoneAreToldApart() throws {
    let temporary = try TemporaryFolder()
    let pull = try pull(temporary, "new folder")
    let partial = try PartialFolder.create(pull.plan)
    try partial.discard()
    guard case .gone = try PartialFolder.recover(pull.plan, isSameBoot: true) else {
      Issue.record("not gone")
      return
    }
    try #require(rmdir(temporary("out")) == 0)
    guard case .away = try PartialFolder.recover(pull.plan, isSameBoot: true) else {
      Issue.record("not away")
      return
    }
  }

  // MARK: Removing a partial folder

  @Test func onlyWhatTheTransferWroteIsRemoved() throws {
    let temporary = try TemporaryFolder()
    let pull = try pull(temporary, "new folder")
    try pull.writeAll(try PartialFolder.create(pull.plan))
    let volume = PartialFolder.volume(of: pull.plan)
    #expect(volume != nil)
    // Another transfer's folder, another file system, a folder that is a link.
    #expect(code { _ = try PartialFolder.retire(pull.plan, shortID: "34cd", volume: volume) } == .badRecord)
    #expect(try PartialFolder.retire(pull.plan, shortID: "12ab", volume: (volume ?? 0) &+ 1) == .moved(volume: volume ?? 0))
    #expect(try temporary.names("out/\(pull.plan.partialName)/lora") == ["a.bin", "empty", "same.bin", "sub", "模型 🚀"])
    try temporary.folder("out/\(pull.plan.partialName)/lora/nothing/deeper")
    let mine = try temporary.file("out/\(pull.plan.partialName)/lora/sub/mine.txt", [42])
    #expect(try PartialFolder.retire(pull.plan, shortID: "12ab", volume: volume) == .removed(left: pull.plan.partial))
    #expect(try TemporaryFolder.bytes(at: mine) == [42])
    #expect(try temporary.names("out/\(pull.plan.partialName)/lora") == ["sub"])
    unlink(mine)
    #expect(try PartialFolder.retire(pull.plan, shortID: "12ab", volume: nil) == .removed(left: nil))
    #expect(try temporary.names("out").isEmpty)
    #expect(try PartialFolder.retire(pull.plan, shortID: "12ab", volume: volume) == .gone)
    try temporary.file("elsewhere/lora/a.bin", [1])
    try temporary.link("out/\(pull.plan.partialName)", to: temporary("elsewhere"))
    #expect(code { _ = try PartialFolder.retire(pull.plan, shortID: "12ab", volume: volume) } == .symlinkInDestination)
    #expect(temporary.exists("elsewhere/lora/a.bin"))
    unlink(pull.plan.partial)
    rmdir(temporary("out"))
    #expect(try PartialFolder.retire(pull.plan, shortID: "12ab", volume: volume) == .away)
  }
}
