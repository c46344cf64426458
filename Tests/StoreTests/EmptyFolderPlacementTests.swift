import Artifact
import Glibc
import Testing

@testable import Store

/// Folders of an artifact that hold nothing, at the puller.
@Suite struct EmptyFolderPlacementTests {
  private func plan(
    _ temporary: TemporaryFolder, rule: ConflictRule = .skip, folders: [String] = ["empty/inner", "void"]
  ) throws -> PlacementPlan {
    try PlacementPlan.make(
      destination: temporary("out"), folder: "lora", files: try wanted([("sub/a", [1])]), chunkBytes: chunkBytes, rule: rule,
      shortID: "12ab", emptyFolders: try folders.map { try SafePath($0) })
  }

  private func filled(_ plan: PlacementPlan) throws -> PartialFolder {
    let partial = try PartialFolder.create(plan)
    for file in plan.toFetch {
      try ([1] as [UInt8]).withUnsafeBytes { try partial.write($0, file: file, at: 0) }
    }
    try partial.finish(plan.toFetch)
    return partial
  }

  @Test func theyAppearWithTheArtifactInOneStep() throws {
    let temporary = try TemporaryFolder()
    let partial = try filled(try plan(temporary))
    #expect(try temporary.names("out") == [".pawl-partial-12ab"])
    // What an earlier run left there was never verified.
    try temporary.file("out/.pawl-partial-12ab/lora/void/stray")
    _ = try partial.place()
    #expect(try temporary.names("out") == ["lora"])
    #expect(try temporary.names("out/lora") == ["empty", "sub", "void"])
    #expect(try temporary.names("out/lora/empty") == ["inner"])
    #expect(try temporary.names("out/lora/void") == [])
    #expect(partial.foldersLeftAlone.isEmpty)
    let mask = umask(0o022)
    umask(mask)
    #expect(try temporary.mode("out/lora/void") == 0o755 & ~mask)
  }

  @Test(arguments: [ConflictRule.skip, .overwrite, .rename])
  func oneThatIsThereIsNoConflictWhateverIsInIt(_ rule: ConflictRule) throws {
    let temporary = try TemporaryFolder()
    try temporary.file("out/lora/void/mine", [9])
    let partial = try filled(try plan(temporary, rule: rule))
    #expect(try partial.place().map(\.outcome) == [.placed])
    #expect(try temporary.names("out/lora") == ["empty", "sub", "void"])
    #expect(try temporary.bytes("out/lora/void/mine") == [9])
    #expect(partial.foldersLeftAlone.isEmpty)
    // Again: all is there.
    let again = try filled(try plan(temporary, rule: rule))
    #expect(try again.place().map(\.outcome) == [.identical])
  }

  @Test func aFileInItsPlaceIsAConflict() throws {
    for (name, left) in [("void", ["void"]), ("empty", ["empty/inner"]), ("empty/inner", ["empty/inner"])] {
      let temporary = try TemporaryFolder()
      try temporary.file("out/lora/\(name)", [9])
      let partial = try filled(try plan(temporary))
      #expect(try partial.place().map(\.outcome) == [.placed])
      #expect(partial.foldersLeftAlone == left)
      #expect(try temporary.bytes("out/lora/\(name)") == [9])
      for rule in [ConflictRule.overwrite, .rename] {
        // Before a byte moves.
        #expect(code { _ = try plan(temporary, rule: rule) } == .notAFolder)
      }
    }
  }

  @Test func aFileThatAppearsMeanwhileIsAConflictToo() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("out/lora")
    let partial = try filled(try plan(temporary))
    try temporary.file("out/lora/void", [9])
    _ = try partial.place()
    #expect(partial.foldersLeftAlone == ["void"])
    #expect(try temporary.bytes("out/lora/void") == [9])
    let other = try TemporaryFolder()
    try other.folder("out/lora")
    let overwriting = try filled(try plan(other, rule: .overwrite))
    try other.file("out/lora/void", [9])
    #expect(code { _ = try overwriting.place() } == .notAFolder)
    #expect(try other.bytes("out/lora/void") == [9])
  }

  @Test(arguments: [ConflictRule.skip, .overwrite, .rename])
  func aLinkInItsPlaceIsNotFollowed(_ rule: ConflictRule) throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("elsewhere")
    try temporary.folder("out/lora")
    try temporary.link("out/lora/empty", to: temporary("elsewhere"))
    #expect(code { _ = try plan(temporary, rule: rule) } == .symlinkInDestination)
    unlink(temporary("out/lora/empty"))
    let partial = try filled(try plan(temporary, rule: rule))
    try temporary.link("out/lora/empty", to: temporary("elsewhere"))
    #expect(code { _ = try partial.place() } == .symlinkInDestination)
    #expect(try temporary.names("elsewhere").isEmpty)
  }

  @Test func aPlacingThatWasCutShortMakesThem() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("out/lora/sub")
    _ = try filled(try plan(temporary))
    #expect(rename(temporary("out/.pawl-partial-12ab/lora/sub/a"), temporary("out/lora/sub/a")) == 0)
    let (partial, lost) = try PartialFolder.reopen(try PlacementPlan(decoding: try plan(temporary).encoded()))
    #expect(lost.isEmpty)
    _ = try partial.place()
    #expect(try temporary.names("out/lora") == ["empty", "sub", "void"])
  }

  @Test func aPlanOfAnOlderProgramHasNone() throws {
    let temporary = try TemporaryFolder()
    let text = String(decoding: try plan(temporary, folders: []).encoded(), as: UTF8.self)
    #expect(!text.contains("emptyFolders"))
    #expect(try PlacementPlan(decoding: Array(text.utf8)).emptyFolders == nil)
    let whole = try plan(temporary)
    #expect(try PlacementPlan(decoding: whole.encoded()) == whole)
  }
}
