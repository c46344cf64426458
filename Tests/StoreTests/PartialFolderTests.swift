import Artifact
import EventLoop
import Glibc
import Primitives
import Testing

@testable import Store

/// A pull without a network: a plan and the bytes that belong to it.
struct Pull {
  let temporary: TemporaryFolder
  let files: [(String, [UInt8])]
  let plan: PlacementPlan

  init(
    _ temporary: TemporaryFolder, _ files: [(String, [UInt8])], rule: ConflictRule = .skip, folder: String? = "lora"
  ) throws {
    self.temporary = temporary
    self.files = files
    plan = try PlacementPlan.make(
      destination: temporary("out"), folder: folder, files: try wanted(files), chunkBytes: chunkBytes, rule: rule,
      shortID: "12ab")
  }

  func write(_ partial: PartialFolder, _ file: Int) throws {
    let bytes = files[file].1
    var offset = 0
    while offset < bytes.count {
      let end = min(offset + chunkBytes, bytes.count)
      try bytes[offset..<end].withUnsafeBytes { try partial.write($0, file: file, at: UInt64(offset)) }
      offset = end
    }
  }

  func writeAll(_ partial: PartialFolder) throws {
    for file in plan.toFetch { try write(partial, file) }
    try partial.finish(plan.toFetch)
  }
}

@Suite struct PartialFolderTests {
  static let files = [("a.bin", pattern(200_000)), ("empty", []), ("sub/deep/b", pattern(70_000, seed: 3)), ("模型 🚀", [7])]

  @Test func nothingHasItsFinalNameBeforeAllIsPlaced() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, Self.files)
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    #expect(try temporary.names("out") == [".pawl-partial-12ab"])
    #expect(try temporary.mode("out/.pawl-partial-12ab") == 0o700)
    let placed = try partial.place()
    #expect(try temporary.names("out") == ["lora"])
    #expect(placed.allSatisfy { $0.outcome == .placed })
    for (index, file) in Self.files.enumerated() {
      #expect(placed[index].path == temporary("out/lora/\(file.0)"))
      #expect(try temporary.bytes("out/lora/\(file.0)") == file.1)
    }
  }

  @Test func aSingleFileIsPlacedInTheDestination() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, [("one.bin", pattern(100))], folder: nil)
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    #expect(try partial.place().map(\.path) == [temporary("out/one.bin")])
    #expect(try temporary.names("out") == ["one.bin"])
  }

  @Test func anUnfinishedFileIsNotPlaced() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, Self.files)
    let partial = try PartialFolder.create(pull.plan)
    for file in pull.plan.toFetch { try pull.write(partial, file) }
    try partial.finish([0, 1, 3])
    #expect(code { _ = try partial.place() } == .io)
    #expect(try temporary.names("out") == [".pawl-partial-12ab"])
    // A file of which nothing came is not made up either.
    let other = try Pull(try TemporaryFolder(), Self.files)
    #expect(code { try PartialFolder.create(other.plan).finish([0]) } == .doesNotExist)
  }

  @Test func aWriteBeyondTheFilesEndIsRefused() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, [("a", pattern(10))])
    let partial = try PartialFolder.create(pull.plan)
    let bytes = pattern(11)
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: 0) } } == .io)
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: .max) } } == .io)
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 9, at: 0) } } == .io)
  }

  @Test func filesJoinAFolderThatIsThere() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/mine.txt", [42])
    try temporary.file("out/lora/a.bin", pattern(200_000))
    let pull = try Pull(temporary, Self.files)
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    #expect(try partial.place().map(\.outcome) == [.identical, .placed, .placed, .placed])
    #expect(try temporary.bytes("out/lora/mine.txt") == [42])
    #expect(try temporary.bytes("out/lora/sub/deep/b") == Self.files[2].1)
    #expect(try temporary.names("out") == ["lora"])
  }

  @Test func skipLeavesOverwriteReplacesRenameSetsBeside() throws {
    for (rule, outcome) in [(ConflictRule.skip, PlacedFile.Outcome.conflict), (.overwrite, .placed), (.rename, .placed)] {
      let temporary = try TemporaryFolder()
      try temporary.file("out/lora/a.txt", [9, 9])
      let pull = try Pull(temporary, [("a.txt", [1]), ("b", [2])], rule: rule)
      let partial = try PartialFolder.create(pull.plan)
      try pull.writeAll(partial)
      #expect(try partial.place().map(\.outcome) == [outcome, .placed])
      #expect(try temporary.bytes("out/lora/a.txt") == (rule == .overwrite ? [1] : [9, 9]))
      #expect(try temporary.bytes("out/lora/b") == [2])
      #expect(try temporary.names("out/lora") == (rule == .rename ? ["a (2).txt", "a.txt", "b"] : ["a.txt", "b"]))
    }
  }

  @Test func aFileThatAppearsMeanwhileIsJudgedByTheRule() throws {
    for rule in [ConflictRule.skip, .overwrite, .rename] {
      let temporary = try TemporaryFolder()
      let pull = try Pull(temporary, [("a.txt", [1]), ("b", [2])], rule: rule)
      let partial = try PartialFolder.create(pull.plan)
      try pull.writeAll(partial)
      try temporary.file("out/lora/a.txt", [9])
      let placed = try partial.place()
      #expect(try temporary.bytes("out/lora/a.txt") == (rule == .overwrite ? [1] : [9]))
      #expect(placed[0].outcome == (rule == .skip ? .conflict : .placed))
      #expect(placed[0].path == temporary(rule == .rename ? "out/lora/a (2).txt" : "out/lora/a.txt"))
      #expect(try temporary.bytes("out/lora/b") == [2])
    }
  }

  @Test func aFileUnderANumberedNameIsNamedAsItIs() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/sub/a.txt", [9, 9])
    let files: [(String, [UInt8])] = [("b", [2]), ("sub/a.txt", [1])]
    for outcome in [PlacedFile.Outcome.placed, .identical] {
      let pull = try Pull(temporary, files, rule: .rename)
      let partial = try PartialFolder.create(pull.plan)
      try pull.writeAll(partial)
      let placed = try partial.place()
      #expect(placed.map(\.placedAs) == [nil, "sub/a (2).txt"])
      #expect(placed[1].path == temporary("out/lora/sub/a (2).txt"))
      #expect(placed[1].outcome == outcome)
      #expect(try temporary.names("out/lora/sub") == ["a (2).txt", "a.txt"], "a second pull adds nothing")
    }
    // A bare file has no folder around it.
    try temporary.file("out/one.bin", [3])
    let bare = try Pull(temporary, [("one.bin", [1])], rule: .rename, folder: nil)
    let partial = try PartialFolder.create(bare.plan)
    try bare.writeAll(partial)
    #expect(try partial.place().map(\.placedAs) == ["one (2).bin"])
  }

  @Test func aNumberedNameIsFoundAlsoWhereTheFirstNameWasTakenMeanwhile() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/a (2).txt", [1])
    let pull = try Pull(temporary, [("a.txt", [1]), ("b", [2])], rule: .rename)
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    try temporary.file("out/lora/a.txt", [9])
    let placed = try partial.place()
    #expect(placed.map(\.placedAs) == ["a (2).txt", nil])
    #expect(placed.map(\.outcome) == [.identical, .placed])
    #expect(try temporary.names("out/lora") == ["a (2).txt", "a.txt", "b"])
  }

  @Test func executablesGet0755AndNoFileAnythingMore() throws {
    let temporary = try TemporaryFolder()
    let files = [true, false].enumerated().map { index, isExecutable in
      WantedFile(
        index: index, path: (try? SafePath("f\(index)"))!, sizeBytes: 0, isExecutable: isExecutable, root: HashTree.emptyRoot)
    }
    let plan = try PlacementPlan.make(
      destination: temporary("out"), folder: "lora", files: files, chunkBytes: chunkBytes, rule: .skip, shortID: "1")
    let partial = try PartialFolder.create(plan)
    try partial.finish([0, 1])
    _ = try partial.place()
    let mask = umask(0o022)
    umask(mask)
    #expect(try temporary.mode("out/lora/f0") == 0o755 & ~mask)
    #expect(try temporary.mode("out/lora/f1") == 0o644 & ~mask)
    #expect(try temporary.mode("out/lora") == 0o755 & ~mask)
  }

  @Test func aKilledTransferGoesOnWhereItStopped() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, Self.files)
    do {  // dropped without a close, as kill -9 drops it
      let partial = try PartialFolder.create(pull.plan)
      try pull.write(partial, 0)
      try pull.files[2].1[..<chunkBytes].withUnsafeBytes { try partial.write($0, file: 2, at: 0) }
    }
    let (partial, lost) = try PartialFolder.reopen(try PlacementPlan(decoding: pull.plan.encoded()))
    #expect(lost == [1, 3])
    #expect(partial.placed.isEmpty)
    try pull.files[2].1[chunkBytes...].withUnsafeBytes { try partial.write($0, file: 2, at: UInt64(chunkBytes)) }
    try pull.write(partial, 3)
    try partial.finish(pull.plan.toFetch)
    _ = try partial.place()
    for file in Self.files { #expect(try temporary.bytes("out/lora/\(file.0)") == file.1) }
  }

  @Test func afterAnotherBootOnlyChunksThatHashRightCount() throws {
    let temporary = try TemporaryFolder()
    let bytes = pattern(4 * chunkBytes + 5)
    let pull = try Pull(temporary, [("a", bytes)])
    let partial = try PartialFolder.create(pull.plan)
    try pull.write(partial, 0)
    let zeroes = [UInt8](repeating: 0, count: chunkBytes)
    try zeroes.withUnsafeBytes { try partial.write($0, file: 0, at: UInt64(2 * chunkBytes)) }
    let (reopened, lost) = try PartialFolder.reopen(pull.plan)
    #expect(lost.isEmpty)
    let leaves = (0..<5).map { chunk in
      bytes[(chunk * chunkBytes)..<min((chunk + 1) * chunkBytes, bytes.count)].withUnsafeBytes { HashTree.leaf($0) }
    }
    #expect(try reopened.rehash(file: 0, WorkSlice()) { leaves[$0] == $1 } == [true, true, false, true, true])
  }

  @Test func aPlacingThatWasCutShortIsRedone() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/old", [1])
    try temporary.file("out/lora/sub/deep/b", [1])
    let pull = try Pull(temporary, Self.files, rule: .overwrite)
    try pull.writeAll(try PartialFolder.create(pull.plan))
    // Two files were moved, then the machine went.
    #expect(rename(temporary("out/.pawl-partial-12ab/lora/a.bin"), temporary("out/lora/a.bin")) == 0)
    #expect(rename(temporary("out/.pawl-partial-12ab/lora/sub/deep/b"), temporary("out/lora/sub/deep/b")) == 0)
    let (partial, lost) = try PartialFolder.reopen(pull.plan)
    #expect(lost.isEmpty)
    #expect(partial.placed == [0, 2])
    try partial.finish(pull.plan.toFetch)
    #expect(try partial.place().allSatisfy { $0.outcome == .placed })
    for file in Self.files { #expect(try temporary.bytes("out/lora/\(file.0)") == file.1) }
    #expect(try temporary.names("out") == ["lora"])
  }

  @Test func aWholeFolderThatWasMovedBeforeACrashIsRecognised() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, Self.files)
    try pull.writeAll(try PartialFolder.create(pull.plan))
    #expect(rename(temporary("out/.pawl-partial-12ab/lora"), temporary("out/lora")) == 0)
    let (partial, lost) = try PartialFolder.reopen(pull.plan)
    #expect(lost.isEmpty)
    try partial.finish(pull.plan.toFetch)
    #expect(try partial.place().count == 4)
    #expect(try temporary.names("out") == ["lora"])
  }

  @Test func whatAnotherPlanLeftBehindDoesNotComeAlong() throws {
    let temporary = try TemporaryFolder()
    let first = try PartialFolder.create(try Pull(temporary, Self.files).plan)
    try pattern(10).withUnsafeBytes { try first.write($0, file: 2, at: 0) }
    let pull = try Pull(temporary, [("a.bin", [1]), ("sub/x", [2])])
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    _ = try partial.place()
    #expect(try temporary.names("out/lora") == ["a.bin", "sub"])
    #expect(try temporary.names("out/lora/sub") == ["x"])
  }

  @Test func placingGoesOnAfterWhatStoppedItIsMended() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, [("a", [1]), ("sub/b", [2])])
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    try temporary.file("out/lora/sub", [9])
    #expect(code { _ = try partial.place() } == .notAFolder)
    #expect(try temporary.bytes("out/lora/sub") == [9])
    unlink(temporary("out/lora/sub"))
    #expect(try partial.place().map(\.outcome) == [.placed, .placed])
    #expect(try temporary.bytes("out/lora/sub/b") == [2])
    #expect(try temporary.names("out") == ["lora"])
  }

  @Test func aPartialFileThatIsGoneOrCutIsFetchedAgain() throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, Self.files)
    try pull.writeAll(try PartialFolder.create(pull.plan))
    unlink(temporary("out/.pawl-partial-12ab/lora/模型 🚀"))
    #expect(truncate(temporary("out/.pawl-partial-12ab/lora/a.bin"), 5) == 0)
    #expect(try PartialFolder.reopen(pull.plan).lost == [0, 3])
    try PartialFolder.discard(pull.plan)
    #expect(code { _ = try PartialFolder.reopen(pull.plan) } == .doesNotExist)
  }

  @Test func discardingLeavesNothingBehind() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("outside", [1])
    let pull = try Pull(temporary, Self.files)
    let partial = try PartialFolder.create(pull.plan)
    try pull.writeAll(partial)
    try temporary.link("out/.pawl-partial-12ab/link", to: temporary("outside"))
    try partial.discard()
    try partial.discard()
    #expect(try temporary.names("out") == [])
    #expect(temporary.exists("outside"))
  }

  @Test func thousandsOfFilesKeepFewDescriptors() throws {
    let temporary = try TemporaryFolder()
    let files = (0..<2_000).map { ("d\($0 % 10)/\($0)", [UInt8(truncatingIfNeeded: $0)]) }
    let pull = try Pull(temporary, files)
    let partial = try PartialFolder.create(pull.plan)
    for file in 0..<2_000 {
      try pull.write(partial, file)
      #expect(partial.openFiles <= DescriptorPool.capacity)
    }
    try partial.finish(pull.plan.toFetch)
    #expect(try partial.place().count == 2_000)
    #expect(try temporary.bytes("out/lora/d7/1997") == [UInt8(truncatingIfNeeded: 1_997)])
  }

  @Test func manyThreadsWriteOneFile() async throws {
    let temporary = try TemporaryFolder()
    let bytes = pattern(32 * chunkBytes)
    let pull = try Pull(temporary, [("a", bytes)])
    let partial = try PartialFolder.create(pull.plan)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for chunk in 0..<32 {
        group.addTask {
          let offset = chunk * chunkBytes
          try bytes[offset..<offset + chunkBytes].withUnsafeBytes { try partial.write($0, file: 0, at: UInt64(offset)) }
        }
      }
      try await group.waitForAll()
    }
    try partial.finish([0])
    _ = try partial.place()
    #expect(try temporary.bytes("out/lora/a") == bytes)
  }
}
