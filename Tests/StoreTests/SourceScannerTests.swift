import Artifact
import EventLoop
import Glibc
import Primitives
import Testing

@testable import Store

@Suite struct SourceScannerTests {
  @Test func aFolderIsWalkedSortedWithoutItsEmptyFolders() throws {
    let temporary = try TemporaryFolder()
    for name in ["lora/b.txt", "lora/a/z.bin", "lora/a.txt", "lora/训练/模型🚀.safetensors"] { try temporary.file(name) }
    try temporary.folder("lora/empty/inner")
    try temporary.folder("lora/.pawl-partial-12ab")
    try temporary.file("lora/.pawl-partial-12ab/half")
    let tree = try SourceScanner.scan(temporary("lora"))
    #expect(tree.files.map(\.path.text) == ["a.txt", "a/z.bin", "b.txt", "训练/模型🚀.safetensors"])
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

  @Test func aLinkAsTheSharedPathIsRefusedButOneAboveItIsNot() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("real/lora/a")
    try temporary.link("lora", to: temporary("real/lora"))
    #expect(code { _ = try SourceScanner.scan(temporary("lora")) } == .symlinkInSource)
    #expect(code { _ = try SourceScanner.scan(temporary("lora//")) } == .symlinkInSource)
    try temporary.link("models", to: temporary("real"))
    #expect(try SourceScanner.scan(temporary("models/lora")).root == temporary("real/lora"))
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
