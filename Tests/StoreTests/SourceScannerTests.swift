import Artifact
import EventLoop
import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct SourceScannerTests {
  @Test func aFolderIsWalkedSortedWithItsEmptyFolders() throws {
    let temporary = try TemporaryFolder()
    for name in ["lora/b.txt", "lora/a/z.bin", "lora/a.txt", "lora/训练/模型🚀.safetensors"] { try temporary.file(name) }
    try temporary.folder("lora/empty/inner")
    try temporary.folder("lora/e\u{301}mpty")
    try temporary.folder("lora/.pawl-partial-12ab")
    try temporary.file("lora/.pawl-partial-12ab/half")
    let tree = try SourceScanner.scan(temporary("lora"))
    #expect(tree.files.map(\.path.text) == ["a.txt", "a/z.bin", "b.txt", "训练/模型🚀.safetensors"])
    #expect(tree.emptyFolders.map { Array($0.text.utf8) } == ["empty/inner", "\u{E9}mpty"].map { Array($0.utf8) })
    #expect(tree.leftOut.count == 0)
    #expect(tree.baseName == "lora")
    #expect(tree.isFolder)
    #expect(tree.root == temporary("lora"))
  }

  @Test func aSingleFileLiesUnderItsFolder() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("x/one.bin", pattern(10), mode: 0o755)
    let tree = try SourceScanner.scan(temporary("x/one.bin"))
    #expect(!tree.isFolder)
    #expect(tree.root == temporary("x"))
    #expect(tree.baseName == "one.bin")
    #expect(tree.files.map(\.source) == ["one.bin"])
    #expect(tree.files[0].isExecutable)
    #expect(tree.files[0].identity.sizeBytes == 10)
  }

  @Test func aLinkInsideIsRefusedAndNamed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a")
    try temporary.link("lora/secret", to: "/etc/passwd")
    #expect(throws: StoreError(.symlinkInSource, temporary("lora/secret"), detail: "")) {
      try SourceScanner.scan(temporary("lora"))
    }
  }

  @Test func aLinkedFolderInsideIsRefusedAndNamed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a")
    try temporary.folder("other")
    try temporary.link("lora/sub", to: temporary("other"))
    #expect(throws: StoreError(.symlinkInSource, temporary("lora/sub"), detail: "")) {
      try SourceScanner.scan(temporary("lora"))
    }
  }

  @Test func aLinkAsTheSharedPathIsFollowedAndGivesItsName() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("real/lora/a", pattern(10))
    try temporary.link("latest", to: "real/lora")
    for path in ["latest", "latest//"] {
      let tree = try SourceScanner.scan(temporary(path))
      #expect(tree.root == temporary("real/lora"))
      #expect(tree.baseName == "latest")
      #expect(tree.isFolder)
      #expect(tree.files.map(\.path.text) == ["a"])
    }
    try temporary.link("models", to: temporary("real"))
    #expect(try SourceScanner.scan(temporary("models/lora")).root == temporary("real/lora"))
    try temporary.link("best.bin", to: temporary("models/lora/a"))
    let tree = try SourceScanner.scan(temporary("best.bin"))
    #expect(!tree.isFolder)
    #expect(tree.baseName == "best.bin")
    #expect(tree.files.map(\.path.text) == ["best.bin"])
    #expect(tree.files.map(\.source) == ["a"])
    #expect(try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes).facts.root == root(pattern(10)))
    // What it leads to from now on is not what was shared.
    unlink(temporary("best.bin"))
    try temporary.link("best.bin", to: "/etc/passwd")
    #expect(try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes).facts.root == root(pattern(10)))
    try temporary.link("gone", to: "nothing")
    #expect(code { _ = try SourceScanner.scan(temporary("gone")) } == .sourceMissing)
    try temporary.link("circle", to: "circle")
    #expect(code { _ = try SourceScanner.scan(temporary("circle")) } == .linkLeadsOut)
    try temporary.link("null", to: "/dev/null")
    #expect(code { _ = try SourceScanner.scan(temporary("null")) } == .specialFile)
  }

  @Test func junkIsLeftOutAndToldAtAnyDepth() throws {
    let temporary = try TemporaryFolder()
    let kept = [".envrc", ".gitignore", "env", "git/a", "sub/x.tmp", "tmp/a"]
    let junk = [
      ".DS_Store", ".env", ".env.local", ".git/HEAD", ".tmp", ".tmp-1/a", "__pycache__/a.pyc", "sub/.env", "sub/.git",
      "sub/deep/.env",
    ]
    for name in kept + junk { try temporary.file("lora/\(name)") }
    try temporary.link("lora/.tmplink", to: "/etc/passwd")
    #expect(mkfifo(temporary("lora/.tmppipe"), 0o600) == 0)
    let tree = try SourceScanner.scan(temporary("lora"))
    #expect(tree.files.map(\.path.text) == kept)
    #expect(tree.emptyFolders.map(\.text) == ["sub/deep"], "what is left of a folder of junk is an empty folder")
    #expect(
      tree.leftOut.paths.sorted() == [
        ".DS_Store", ".env", ".env.local", ".git/", ".tmp", ".tmp-1/", ".tmplink", ".tmppipe", "__pycache__/", "sub/.env",
        "sub/.git",
        "sub/deep/.env",
      ])
    #expect(tree.leftOut.count == 12)
    unlink(temporary("lora/.tmplink"))
    unlink(temporary("lora/.tmppipe"))
    let whole = try SourceScanner.scan(temporary("lora"), options: ScanOptions(takesAll: true))
    #expect(whole.files.map(\.path.text) == (kept + junk).sorted())
    #expect(whole.leftOut.count == 0)
    // A path that is given is meant.
    #expect(try SourceScanner.scan(temporary("lora/.env")).files.map(\.path.text) == [".env"])
    #expect(try SourceScanner.scan(temporary("lora/.git")).files.map(\.path.text) == ["HEAD"])
  }

  @Test func aFolderOfJunkAloneIsEmptyAndSaysWhatItHolds() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/.env")
    let error = #expect(throws: StoreError.self) { try SourceScanner.scan(temporary("lora")) }
    #expect(error?.code == .emptyArtifact)
    #expect(error?.detail.contains(".env") == true && error?.detail.contains("--all") == true)
  }

  @Test func whatIsLeftOutIsCountedToTheEndAndNamedAtTheBeginning() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a")
    for number in 100..<350 { try temporary.file("lora/.tmp\(number)") }
    let leftOut = try SourceScanner.scan(temporary("lora")).leftOut
    #expect(leftOut.count == 250)
    #expect(leftOut.paths == (100..<200).map { ".tmp\($0)" })
  }

  @Test func emptyFoldersKeepTheRulesOfPaths() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("case/A/x")
    try temporary.folder("case/a")
    #expect(code { _ = try SourceScanner.scan(temporary("case")) } == .badName)
    try temporary.file("bad/x")
    try temporary.folder("bad/new\nline")
    #expect(code { _ = try SourceScanner.scan(temporary("bad")) } == .badName)
  }

  @Test func pipesAndSocketsAreRefusedAndNamed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a")
    #expect(mkfifo(temporary("lora/pipe"), 0o600) == 0)
    #expect(throws: StoreError(.specialFile, temporary("lora/pipe"), detail: "")) {
      try SourceScanner.scan(temporary("lora"))
    }
    #expect(code { _ = try SourceScanner.scan(temporary("lora/pipe")) } == .specialFile)
    #expect(code { _ = try SourceScanner.scan("/dev/null") } == .specialFile)
  }

  @Test func missingAndEmptySourcesAreToldApart() throws {
    let temporary = try TemporaryFolder()
    try temporary.folder("empty/inner")
    #expect(code { _ = try SourceScanner.scan(temporary("none")) } == .sourceMissing)
    #expect(code { _ = try SourceScanner.scan(temporary("empty")) } == .emptyArtifact)
  }

  @Test func anUnreadableSourceHasItsOwnError() {
    // Root may read everything, so the answer of the system is put in its place.
    #expect(StoreError.source(EACCES, "/x").code == .sourceUnreadable)
    #expect(StoreError.source(EIO, "/x").message == "/x: the disk reported an error")
  }

  @Test func tooManyFilesAreRefused() throws {
    let temporary = try TemporaryFolder()
    for number in 0..<4 { try temporary.file("many/\(number)") }
    #expect(try SourceScanner.scan(temporary("many"), maximumFiles: 4).files.count == 4)
    #expect(code { _ = try SourceScanner.scan(temporary("many"), maximumFiles: 3) } == .tooManyFiles)
  }

  @Test func namesThatCannotTravelAreRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("bad/new\nline")
    #expect(code { _ = try SourceScanner.scan(temporary("bad")) } == .badName)
    try temporary.file("case/Readme")
    try temporary.file("case/README")
    #expect(code { _ = try SourceScanner.scan(temporary("case")) } == .badName)
    try temporary.folder("raw")
    let raw: [CChar] = [CChar(bitPattern: 0xFF), 0]
    let folder = try #require(Descriptor.open(temporary("raw"), O_RDONLY | O_DIRECTORY))
    let made = openat(folder.raw, raw, O_CREAT | O_WRONLY, 0o600)
    try #require(made >= 0)
    close(made)
    #expect(code { _ = try SourceScanner.scan(temporary("raw")) } == .badName)
    unlinkat(folder.raw, raw, 0)
  }

  @Test func aDecomposedNameTravelsComposedAndIsStillFound() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/e\u{301}.bin", pattern(5))
    let tree = try SourceScanner.scan(temporary("lora"))
    #expect(Array(tree.files[0].path.text.utf8) == Array("\u{E9}.bin".utf8))
    let hashed = try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes)
    #expect(hashed.facts.sha256 == SHA256Hash.hash(pattern(5)))
  }

  @Test(arguments: [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes, 5 * chunkBytes + 7])
  func onePassGivesTheHashAndTheLeaves(_ size: Int) throws {
    let temporary = try TemporaryFolder()
    let bytes = pattern(size)
    try temporary.file("f", bytes)
    let tree = try SourceScanner.scan(temporary("f"))
    var seen = 0
    let hashed = try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes) { seen += $0 }
    #expect(hashed.facts.sha256 == SHA256Hash.hash(bytes))
    #expect(hashed.facts.root == root(bytes))
    #expect(seen == size)
  }

  @Test func aFileThatChangedSinceTheScanIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("f", pattern(10))
    let tree = try SourceScanner.scan(temporary("f"))
    try temporary.file("f", pattern(11))
    #expect(code { _ = try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes) } == .sourceChanging)
  }

  @Test func aFileThatChangesWhileItIsHashedIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("f", pattern(3 << 20))
    let tree = try SourceScanner.scan(temporary("f"))
    let result = code {
      _ = try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes) { _ in
        try temporary.file("f", pattern(3 << 20, seed: 1))
      }
    }
    #expect(result == .sourceChanging)
  }

  @Test func aFolderIsHashedOnThePoolInItsOrder() async throws {
    let temporary = try TemporaryFolder()
    for number in 0..<20 { try temporary.file("many/\(number)", pattern(number * 10_000)) }
    let tree = try SourceScanner.scan(temporary("many"))
    let pool = WorkerPool(threads: 2, name: "test")
    let total = Locked(0)
    let hashed = try await SourceScanner.hash(tree, chunkBytes: chunkBytes, pool: pool) { count in
      total.withLock { $0 += count }
    }
    #expect(hashed.map(\.file) == tree.files)
    for file in hashed {
      let number = try #require(Int(file.file.source))
      #expect(file.facts.sha256 == SHA256Hash.hash(pattern(number * 10_000)))
    }
    #expect(total.withLock { $0 } == (0..<20).map { $0 * 10_000 }.reduce(0, +))
    await pool.stop()
  }

  @Test func oneBadFileEndsTheHashingOfAll() async throws {
    let temporary = try TemporaryFolder()
    for number in 0..<5 { try temporary.file("many/\(number)") }
    let tree = try SourceScanner.scan(temporary("many"))
    unlink(temporary("many/3"))
    let pool = WorkerPool(threads: 2, name: "test")
    #expect(await code { _ = try await SourceScanner.hash(tree, chunkBytes: chunkBytes, pool: pool) } == .sourceMissing)
    await pool.stop()
  }
}
