import Artifact
import EventLoop
import Glibc
import Primitives
import Testing

@testable import Store

/// A small file system of its own, for what only a full or read-only one shows. Needs root.
final class SmallFileSystem {
  let path: String

  init?(_ temporary: TemporaryFolder, options: String) throws {
    path = try temporary.folder("small")
    guard mount("pawl", path, "tmpfs", 0, options) == 0 else { return nil }
  }

  func makeReadOnly() -> Bool { mount("pawl", path, "tmpfs", UInt(MS_REMOUNT) | UInt(MS_RDONLY), nil) == 0 }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  private static func mount(_ source: String, _ target: String, _ type: String, _ flags: UInt, _ options: String?) -> Int32 {
    Glibc.mount(source, target, type, flags, options)
  }

  private func mount(_ source: String, _ target: String, _ type: String, _ flags: UInt, _ options: String?) -> Int32 {
    Self.mount(source, target, type, flags, options)
  }
}

@Suite struct HostileDestinationTests {
  private func plan(_ destination: String, _ files: [(String, [UInt8])], rule: ConflictRule = .skip) throws -> PlacementPlan {
    try PlacementPlan.make(
      destination: destination, folder: "lora", files: try wanted(files), chunkBytes: chunkBytes, rule: rule, shortID: "1")
  }

  @Test func whatDoesNotFitIsRefusedBeforeAByteMoves() throws {
    let temporary = try TemporaryFolder()
    let huge = WantedFile(
      index: 0, path: try SafePath("huge"), sizeBytes: 1 << 55, isExecutable: false, root: HashTree.emptyRoot)
    let plan = try PlacementPlan.make(
      destination: temporary("out"), folder: "lora", files: [huge], chunkBytes: 16 << 20, rule: .skip, shortID: "1")
    #expect(code { _ = try PartialFolder.create(plan) } == .noSpace)
    #expect(try temporary.names("out") == [])
  }

  @Test func aDiskThatFillsUpMeanwhileIsNoSpace() throws {
    let temporary = try TemporaryFolder()
    guard let small = try SmallFileSystem(temporary, options: "size=1m") else { return }
    let bytes = pattern(600_000)
    let plan = try plan(small.path, [("a", bytes)])
    let partial = try PartialFolder.create(plan)
    try temporary.file("small/other", pattern(700_000))
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: 0) } } == .noSpace)
    #expect(code { _ = try PartialFolder.create(plan) } == .noSpace)
    #expect(!temporary.exists("small/lora"))
    unlink(temporary("small/other"))
    try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: 0) }
    try partial.finish([0])
    _ = try partial.place()
    #expect(try temporary.bytes("small/lora/a") == bytes)
  }

  @Test func aReadOnlyDestinationIsNoPermission() throws {
    let temporary = try TemporaryFolder()
    guard let small = try SmallFileSystem(temporary, options: "size=1m") else { return }
    guard small.makeReadOnly() else { return }
    #expect(code { _ = try plan(small.path, [("a", [1])]) } == .noPermission)
  }

  @Test func aPartOnAnotherFileSystemIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("small/lora")
    guard let small = try SmallFileSystem(temporary, options: "size=1m") else { return }
    // The small one stands where the artifact's folder is to go.
    let result = code {
      _ = try PlacementPlan.make(
        destination: temporary.path, folder: "small", files: try wanted([("a", [1])]), chunkBytes: chunkBytes, rule: .skip,
        shortID: "1")
    }
    #expect(result == .otherFileSystem)
    _ = small
  }

  @Test func aLinkPutInPlaceAfterThePlanIsNotFollowed() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("outside")
    try temporary.file("victim", [42])
    let plan = try plan(try temporary.folder("out"), [("a", [1]), ("sub/b", [2])], rule: .overwrite)
    let partial = try PartialFolder.create(plan)
    for file in 0..<2 {
      let bytes = [UInt8(file + 1)]
      try bytes.withUnsafeBytes { try partial.write($0, file: file, at: 0) }
    }
    try partial.finish([0, 1])
    try temporary.folder("out/lora")
    try temporary.link("out/lora/sub", to: temporary("outside"))
    #expect(code { _ = try partial.place() } == .symlinkInDestination)
    #expect(try temporary.names("outside") == [])
    unlink(temporary("out/lora/sub"))
    unlink(temporary("out/lora/a"))
    try temporary.link("out/lora/a", to: temporary("victim"))
    let (again, lost) = try PartialFolder.reopen(plan)
    #expect(lost == [0])
    let bytes: [UInt8] = [1]
    try bytes.withUnsafeBytes { try again.write($0, file: 0, at: 0) }
    try again.finish([0, 1])
    #expect(code { _ = try again.place() } == .symlinkInDestination)
    #expect(try temporary.bytes("victim") == [42])
  }

  @Test func aLinkInThePartialFolderIsNotFollowed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("victim", [42, 42])
    let plan = try plan(try temporary.folder("out"), [("a", [1, 1]), ("b", [2, 2]), ("sub/c", [3, 3])])
    let partial = try PartialFolder.create(plan)
    try temporary.folder("out/.pawl-partial-1/lora")
    try temporary.link("out/.pawl-partial-1/lora/a", to: temporary("victim"))
    #expect(link(temporary("victim"), temporary("out/.pawl-partial-1/lora/b")) == 0)
    try temporary.folder("outside")
    try temporary.link("out/.pawl-partial-1/lora/sub", to: temporary("outside"))
    let bytes: [UInt8] = [1, 1]
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: 0) } } == .symlinkInDestination)
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 1, at: 0) } } == .insecure)
    #expect(code { try bytes.withUnsafeBytes { try partial.write($0, file: 2, at: 0) } } == .symlinkInDestination)
    #expect(try temporary.bytes("victim") == [42, 42])
    #expect(try temporary.names("outside") == [])
  }

  @Test func aPartialFolderThatIsALinkIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("outside")
    let plan = try plan(try temporary.folder("out"), [("a", [1])])
    try temporary.link("out/.pawl-partial-1", to: temporary("outside"))
    #expect(code { _ = try PartialFolder.create(plan) } == .symlinkInDestination)
    #expect(try temporary.names("outside") == [])
  }

  /// Two threads swap a folder and a link for each other while files are placed through that name.
  @Test func aRacingLinkNeverLeadsOutside() async throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("outside")
    try temporary.folder("out/lora/sub")
    try temporary.link("out/link", to: temporary("outside"))
    let folder = try #require(Descriptor.open(temporary("out"), O_RDONLY | O_DIRECTORY))
    let pool = WorkerPool(threads: 1, name: "swap")
    let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
    async let swapping: Void = pool.run {
      hasBegun.yield()
      let lora = try #require(folder.open("lora", O_RDONLY | O_DIRECTORY))
      while !StopSignal.isSet {
        renameat(lora.raw, "sub", folder.raw, "held")
        renameat(folder.raw, "link", lora.raw, "sub")
        renameat(lora.raw, "sub", folder.raw, "link")
        renameat(folder.raw, "held", lora.raw, "sub")
      }
    }
    for await _ in begun { break }
    for round in 0..<300 {
      let bytes = [UInt8(truncatingIfNeeded: round)]
      guard let plan = try? plan(temporary("out"), [("sub/x", bytes)], rule: .overwrite), !plan.toFetch.isEmpty,
        let partial = try? PartialFolder.create(plan)
      else { continue }
      try bytes.withUnsafeBytes { try partial.write($0, file: 0, at: 0) }
      try partial.finish([0])
      _ = try? partial.place()
      try partial.discard()
    }
    await pool.stop()
    try await swapping
    #expect(try temporary.names("outside") == [])
  }

  @Test func theWalkWithoutOpenat2RefusesTheSameLinks() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("in/sub/a", [1])
    try temporary.file("outside/a", [2])
    try temporary.link("in/link", to: temporary("outside"))
    try temporary.link("in/file", to: temporary("outside/a"))
    let folder = try #require(Descriptor.open(temporary("in"), O_RDONLY | O_DIRECTORY))
    #expect(Beneath.walk(folder, "sub/a", O_RDONLY) != nil)
    for path in ["link/a", "file", "../outside/a", "sub/../../outside/a", "", "/etc/passwd"] {
      #expect(Beneath.walk(folder, path, O_RDONLY) == nil, "\(path)")
      #expect(errno == ELOOP, "\(path)")
      #expect(Beneath.open(folder, path, O_RDONLY) == nil, "\(path)")
    }
    #expect(Beneath.walk(folder, "none/a", O_RDONLY) == nil)
    #expect(errno == ENOENT)
    #expect(Beneath.walk(folder, "sub/a/b", O_RDONLY) == nil)
    #expect(errno == ENOTDIR)
  }

  @Test func theRenameWithoutRenameat2ReplacesNothing() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("new", [1])
    try temporary.file("old", [2])
    try temporary.file("folder/x", [3])
    try temporary.file("taken/y", [4])
    let folder = try #require(Descriptor.open(temporary.path, O_RDONLY | O_DIRECTORY))
    #expect(!Rename.linkThenUnlink(folder, "new", folder, "old"))
    #expect(errno == EEXIST)
    #expect(!Rename.linkThenUnlink(folder, "folder", folder, "taken"))
    #expect(errno == EEXIST)
    #expect(Rename.linkThenUnlink(folder, "new", folder, "fresh"))
    #expect(Rename.linkThenUnlink(folder, "folder", folder, "fresh folder"))
    #expect(try temporary.names() == ["fresh", "fresh folder", "old", "taken"])
    #expect(try temporary.bytes("old") == [2])
  }
}
