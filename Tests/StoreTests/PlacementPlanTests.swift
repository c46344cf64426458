import Artifact
import EventLoop
import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct PlacementPlanTests {
  private func plan(
    _ temporary: TemporaryFolder, _ files: [(String, [UInt8])], rule: ConflictRule = .skip, folder: String? = "lora"
  ) throws -> PlacementPlan {
    try PlacementPlan.make(
      destination: temporary("out"), folder: folder, files: try wanted(files), chunkBytes: chunkBytes, rule: rule,
      shortID: "12ab")
  }

  @Test func whatIsThereIsComparedInSlicesAndTheNextLookKnows() async throws {
    let temporary = try TemporaryFolder()
    let same = pattern(10 * chunkBytes), other = pattern(10 * chunkBytes, seed: 1)
    for (name, bytes) in [("a", same), ("b", other), ("c", other), ("c (2)", same)] {
      try temporary.file("out/lora/\(name)", bytes)
    }
    let files = try wanted(["a", "b", "c", "d"].map { ($0, same) })
    let comparisons = ContentComparisons()
    func look(_ comparisons: ContentComparisons?) throws -> [PlannedFile] {
      try PlacementPlan.make(
        destination: temporary("out"), folder: "lora", files: files, chunkBytes: chunkBytes, rule: .rename, shortID: "1",
        comparisons: comparisons
      ).files
    }
    _ = try look(comparisons)
    #expect(comparisons.isIncomplete)
    // Forty chunks, three in each slice, the third of which ends it.
    var slices = 1
    while try !comparisons.step(WorkSlice(bytes: 3 * chunkBytes, time: .seconds(60))) { slices += 1 }
    #expect(slices >= 14)
    #expect(!comparisons.isIncomplete)
    let planned = try look(comparisons)
    #expect(!comparisons.isIncomplete)
    #expect(planned == (try look(nil)))
    #expect(planned.map(\.action) == [.identical, .write, .identical, .write])
    #expect(planned.map(\.target) == ["lora/a", "lora/b (2)", "lora/c (2)", "lora/d"])
    // One that was changed since is read anew.
    try temporary.file("out/lora/b", same + [0])
    try temporary.file("out/lora/b", same)
    #expect(try look(comparisons)[1].action == .write)
    let pool = WorkerPool(threads: 1, name: "test.compare")
    try await comparisons.hash(on: pool)
    #expect(try look(comparisons)[1].action == .identical)
    await pool.stop()
  }

  @Test func aFileThatChangesWithEveryLookIsDifferentInTheEnd() async throws {
    let temporary = try TemporaryFolder()
    let pool = WorkerPool(threads: 1, name: "test.compare")
    let comparisons = ContentComparisons()
    var looks = 0
    repeat {
      looks += 1
      try temporary.file("out/lora/a", pattern(1_000, seed: UInt8(looks)))
      _ = try PlacementPlan.make(
        destination: temporary("out"), folder: "lora", files: try wanted([("a", pattern(1_000))]), chunkBytes: chunkBytes,
        rule: .skip, shortID: "1", comparisons: comparisons)
      try temporary.file("out/lora/a", pattern(1_000, seed: UInt8(100 + looks)))
      if comparisons.isIncomplete { try await comparisons.hash(on: pool) } else { break }
    } while looks < 20
    #expect(looks == 5)
    await pool.stop()
  }

  @Test func aMissingDestinationIsMade() throws {
    let temporary = try TemporaryFolder()
    let plan = try PlacementPlan.make(
      destination: temporary("a/b/c"), folder: "lora", files: try wanted([("x", [1])]), chunkBytes: chunkBytes, rule: .skip,
      shortID: "1")
    #expect(try temporary.names("a/b") == ["c"])
    #expect(plan.resultPath == temporary("a/b/c/lora"))
    #expect(plan.partial == temporary("a/b/c/.pawl-partial-1"))
    #expect(plan.toFetch == [0])
  }

  @Test func aSingleFileLandsInTheDestinationItself() throws {
    let temporary = try TemporaryFolder()
    let plan = try plan(temporary, [("one.bin", [1])], folder: nil)
    #expect(plan.resultPath == temporary("out/one.bin"))
    #expect(plan.files[0].target == "one.bin")
  }

  @Test func identicalContentIsNoConflictWhateverTheRule() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/sub/a", pattern(200_000))
    for rule in [ConflictRule.skip, .overwrite, .rename] {
      let plan = try plan(temporary, [("sub/a", pattern(200_000)), ("sub/b", [1])], rule: rule)
      #expect(plan.files.map(\.action) == [.identical, .write])
      #expect(plan.toFetch == [1])
      #expect(plan.conflicts.isEmpty)
    }
  }

  @Test func differentContentFollowsTheRule() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/a.txt", pattern(10))
    let files = [("a.txt", pattern(10, seed: 1)), ("b", [1])]
    let skip = try plan(temporary, files)
    #expect(skip.files.map(\.action) == [.conflict, .write])
    #expect(skip.conflicts == [0])
    #expect(try plan(temporary, files, rule: .overwrite).files.map(\.action) == [.overwrite, .write])
    let rename = try plan(temporary, files, rule: .rename)
    #expect(rename.files.map(\.target) == ["lora/a (2).txt", "lora/b"])
    #expect(rename.toFetch == [0, 1])
  }

  @Test func aRenamedFileTakesNoNameOfAnother() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/a.txt", [9])
    try temporary.file("out/lora/a (3).txt", [9])
    let plan = try plan(temporary, [("a.txt", [1]), ("a (2).txt", [2])], rule: .rename)
    #expect(plan.files.map(\.target) == ["lora/a (4).txt", "lora/a (2).txt"])
  }

  @Test func identicalContentIsNoConflictUnderANumberedNameEither() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/a.txt", [9])
    try temporary.file("out/lora/a (2).txt", [8])
    try temporary.file("out/lora/a (3).txt", [1])
    let plan = try plan(temporary, [("a.txt", [1]), ("b", [2])], rule: .rename)
    #expect(plan.files.map(\.target) == ["lora/a (3).txt", "lora/b"])
    #expect(plan.files.map(\.action) == [.identical, .write])
    // A name that the artifact itself needs is never taken for a copy of another file's.
    let both = try self.plan(temporary, [("a (3).txt", [1]), ("a.txt", [1])], rule: .rename)
    #expect(both.files.map(\.target) == ["lora/a (3).txt", "lora/a (4).txt"])
    #expect(both.files.map(\.action) == [.identical, .write])
  }

  @Test func anotherLookFindsWhatWentAndWhatCameSinceThePlanWasMade() throws {
    let temporary = try TemporaryFolder()
    for name in ["same", "goes", "changes", "other", "blocks"] {
      try temporary.file("out/lora/\(name)", name == "other" || name == "blocks" ? [9] : [1])
    }
    let files = ["blocks", "changes", "goes", "new", "other", "same"].map { ($0, [UInt8(1)]) }
    let stored = try plan(temporary, files)
    #expect(stored.files.map(\.action) == [.conflict, .identical, .identical, .write, .conflict, .identical])
    #expect(try stored.judgedAgain() == stored)
    unlink(temporary("out/lora/goes"))
    unlink(temporary("out/lora/blocks"))
    try temporary.file("out/lora/changes", [7])
    try temporary.file("out/lora/other", [1])
    let again = try stored.judgedAgain()
    #expect(again.files.map(\.action) == [.write, .conflict, .write, .write, .identical, .identical])
    #expect(again.toFetch == [0, 2, 3])
    // What was to be fetched before stays where it was planned, under whatever name.
    let renamed = try plan(temporary, files, rule: .rename)
    #expect(renamed.files[1].target == "lora/changes (2)" && renamed.files[1].action == .write)
    unlink(temporary("out/lora/same"))
    let later = try renamed.judgedAgain()
    #expect(later.files[1] == renamed.files[1])
    #expect(later.files[5].action == .write)
  }

  @Test func aPlanIsReadAsItWasWritten() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/a \"1\".txt", [9])
    try temporary.file("out/lora/same", [1])
    let files: [(String, [UInt8])] = [("a \"1\".txt", [1]), ("same", [1]), ("模型/x", pattern(70_000))]
    for rule in [ConflictRule.skip, .overwrite, .rename] {
      let plan = try plan(temporary, files, rule: rule)
      #expect(try PlacementPlan(decoding: plan.encoded()) == plan)
    }
    let bare = try plan(temporary, [("one.bin", [1])], folder: nil)
    #expect(try PlacementPlan(decoding: bare.encoded()) == bare)
    for damaged in ["", "{}", "[]", String(decoding: bare.encoded().dropLast(), as: UTF8.self)] {
      #expect(code { _ = try PlacementPlan(decoding: Array(damaged.utf8)) } == .badRecord)
    }
  }

  /// Transfers that wait to be resumed outlive the program that began them.
  @Test func aPlanOfAnOlderProgramIsRead() throws {
    let root = HashTree.emptyRoot
    let text = """
      {"chunkBytes":65536,"destination":"/out","files":[{"action":"write","index":3,"isExecutable":true,"path":"a/b","root":"\(root.hex)",\
      "sizeBytes":0,"target":"lora/a/b (2)"},{"action":"conflict","index":4,"isExecutable":false,"path":"c","root":"\(root.hex)",\
      "sizeBytes":7,"target":"lora/c"}],"folder":"lora","partialName":".pawl-partial-1","rule":"rename"}
      """
    let plan = try PlacementPlan(decoding: Array(text.utf8))
    #expect(plan.toFetch == [3] && plan.conflicts == [4] && plan.folder == "lora" && plan.rule == .rename)
    #expect(plan.files[0].target == "lora/a/b (2)" && plan.files[0].isExecutable && plan.files[0].root == root)
    #expect(plan.files[1].sizeBytes == 7 && !plan.files[1].isExecutable)
  }

  @Test(arguments: [
    ("model.safetensors", 2, "model (2).safetensors"), (".hidden", 3, ".hidden (3)"), ("README", 2, "README (2)"),
    ("a.tar.gz", 10, "a.tar (10).gz"),
  ])
  func copiesAreNumberedBeforeTheEnding(_ name: String, _ number: Int, _ expected: String) {
    #expect(ConflictJudge.numbered(name, number) == expected)
  }

  @Test func aNumberedNameStillFits() {
    let name = String(repeating: "模", count: 83) + ".bin"  // 253 bytes
    let numbered = ConflictJudge.numbered(name, 12)
    #expect(numbered.utf8.count <= 255)
    #expect(numbered.hasSuffix(" (12).bin"))
  }

  @Test func aDestinationOnAFileIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out")
    #expect(code { _ = try plan(temporary, [("a", [1])]) } == .notAFolder)
    try temporary.file("below")
    let result = code {
      _ = try PlacementPlan.make(
        destination: temporary("below/x"), folder: nil, files: try wanted([("a", [1])]), chunkBytes: chunkBytes, rule: .skip,
        shortID: "1")
    }
    #expect(result == .notAFolder)
  }

  @Test func aLinkBelowTheDestinationIsRefusedWhateverTheRule() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("elsewhere")
    try temporary.folder("out")
    try temporary.link("out/lora", to: temporary("elsewhere"))
    for rule in [ConflictRule.skip, .overwrite, .rename] {
      #expect(code { _ = try plan(temporary, [("a", [1])], rule: rule) } == .symlinkInDestination)
    }
    unlink(temporary("out/lora"))
    try temporary.file("out/lora/b")
    try temporary.link("out/lora/a", to: "/etc/passwd")
    for rule in [ConflictRule.skip, .overwrite, .rename] {
      #expect(throws: StoreError(.symlinkInDestination, temporary("out/lora/a"), detail: "")) {
        try plan(temporary, [("a", [1])], rule: rule)
      }
    }
  }

  @Test func aLinkToTheDestinationIsTheUsersOwnAndFollowed() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("real")
    try temporary.link("out", to: temporary("real"))
    #expect(try plan(temporary, [("a", [1])]).toFetch == [0])
  }

  @Test func aFileInAFoldersPlaceIsAConflict() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/sub", [1])
    let files = [("a", [UInt8(1)]), ("sub/x", [2])]
    #expect(try plan(temporary, files).files.map(\.action) == [.write, .conflict])
    #expect(code { _ = try plan(temporary, files, rule: .overwrite) } == .notAFolder)
  }

  @Test func aFolderInAFilesPlaceIsNeverReplaced() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("out/lora/a")
    #expect(try plan(temporary, [("a", [1])]).files[0].action == .conflict)
    #expect(code { _ = try plan(temporary, [("a", [1])], rule: .overwrite) } == .destinationIsFolder)
    #expect(try plan(temporary, [("a", [1])], rule: .rename).files[0].target == "lora/a (2)")
  }

  @Test func noPermissionHasItsOwnError() {
    // Root is refused nothing by modes, so the answer of the system is put in its place.
    #expect(StoreError.destination(EACCES, "/x").code == .noPermission)
    #expect(StoreError.destination(EROFS, "/x").code == .noPermission)
    #expect(StoreError.destination(EDQUOT, "/x").code == .noSpace)
  }

  @Test func aPlanSurvivesItsRecord() throws {
    let temporary = try TemporaryFolder()
    let plan = try plan(temporary, [("a/模型.bin", pattern(5)), ("b", [])])
    #expect(try PlacementPlan(decoding: plan.encoded()) == plan)
    #expect(code { _ = try PlacementPlan(decoding: [0x7B]) } == .badRecord)
  }

  @Test func theRecordIsWrittenIntoRoomThatSufficesFromTheBeginning() throws {
    let files = (100..<1_100).map { index in
      PlannedFile(
        index: index, path: "caption/image-\(index).txt", target: "lora/caption/image-\(index).txt", sizeBytes: 100,
        isExecutable: false, root: digest(1), action: .identical)
    }
    let plan = PlacementPlan(
      destination: "/d", folder: "lora", partialName: ".pawl-partial-1", chunkBytes: chunkBytes, rule: .skip, files: files)
    let record = plan.encoded()
    // An array that had to grow would have twice the room that was reserved.
    #expect(record.capacity < record.count * 3 / 2)
    #expect(try PlacementPlan(decoding: record) == plan)
  }
}
