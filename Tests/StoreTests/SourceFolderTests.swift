import Artifact
import Glibc
import Testing

@testable import Store

@Suite struct SourceFolderTests {
  private func share(_ temporary: TemporaryFolder, _ name: String) throws -> (SourceFolder, [PublishedFile]) {
    let tree = try SourceScanner.scan(temporary(name))
    let files = try tree.files.enumerated().map { index, file in
      try SourceScanner.hash(tree, file: file, chunkBytes: chunkBytes).published(index: index)
    }
    return (try SourceFolder(root: tree.root, files: files), files)
  }

  @Test func filesAreReadWhereTheyLie() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a/one", pattern(100_000))
    let (folder, files) = try share(temporary, "lora")
    #expect(try folder.read(file: 0, at: 70_000, count: 30_000) == Array(pattern(100_000)[70_000...]))
    #expect(try folder.read(file: 0, at: 100_000, count: 0) == [])
    #expect(files[0].leaves.count == 2 * 32)
  }

  @Test func aFileThatWasRewrittenIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a", pattern(1_000))
    let (folder, _) = try share(temporary, "lora")
    _ = try folder.read(file: 0, at: 0, count: 10)
    try temporary.file("lora/a", pattern(1_000, seed: 1))
    #expect(throws: StoreError(.sourceTouched, temporary("lora/a"), detail: "")) { try folder.read(file: 0, at: 0, count: 10) }
    #expect(!folder.isCurrent(file: 0))
    // By its leaf a chunk is what it was, or is refused.
    var buffer = [UInt8](repeating: 0, count: 1_000)
    let leaf = pattern(1_000).withUnsafeBytes { HashTree.leaf($0) }
    #expect(
      code { try buffer.withUnsafeMutableBytes { try folder.read(file: 0, at: 0, into: $0, leaf: leaf) } } == .sourceChanged)
    try temporary.file("lora/a", pattern(1_000))
    try buffer.withUnsafeMutableBytes { try folder.read(file: 0, at: 0, into: $0, leaf: leaf) }
    #expect(buffer == pattern(1_000))
  }

  @Test func aFileThatWasReplacedIsRefused() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a", pattern(1_000))
    let (folder, _) = try share(temporary, "lora")
    #expect(folder.isCurrent(file: 0))
    try temporary.file("new", pattern(1_000))
    #expect(rename(temporary("new"), temporary("lora/a")) == 0)
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .sourceChanged)
  }

  @Test func aFileThatGrewShrankOrWentIsRefused() throws {
    let temporary = try TemporaryFolder()
    for name in ["grew", "shrank", "went"] { try temporary.file("lora/\(name)", pattern(1_000)) }
    let (folder, _) = try share(temporary, "lora")
    #expect(truncate(temporary("lora/grew"), 2_000) == 0)
    #expect(truncate(temporary("lora/shrank"), 10) == 0)
    unlink(temporary("lora/went"))
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .sourceChanged)
    #expect(code { _ = try folder.read(file: 1, at: 0, count: 10) } == .sourceChanged)
    #expect(code { _ = try folder.read(file: 2, at: 0, count: 10) } == .sourceMissing)
  }

  @Test func aLinkPutInTheFilesPlaceIsNotFollowed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/sub/a", pattern(1_000))
    let (folder, _) = try share(temporary, "lora")
    try temporary.file("secret", pattern(1_000))
    unlink(temporary("lora/sub/a"))
    try temporary.link("lora/sub/a", to: temporary("secret"))
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .symlinkInSource)
    unlink(temporary("lora/sub/a"))
    rmdir(temporary("lora/sub"))
    try temporary.file("outside/a", pattern(1_000))
    try temporary.link("lora/sub", to: temporary("outside"))
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .symlinkInSource)
  }

  @Test func aPipePutInTheFilesPlaceHangsNobody() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a", pattern(1_000))
    let (folder, _) = try share(temporary, "lora")
    unlink(temporary("lora/a"))
    #expect(mkfifo(temporary("lora/a"), 0o600) == 0)
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .sourceChanged)
  }

  @Test func manyFilesKeepFewDescriptors() throws {
    let temporary = try TemporaryFolder()
    for number in 0..<200 { try temporary.file("many/\(number)", pattern(100, seed: UInt8(number))) }
    let (folder, files) = try share(temporary, "many")
    for file in files {
      #expect(try folder.read(file: file.index, at: 0, count: 100) == pattern(100, seed: try #require(UInt8(file.source))))
    }
    #expect(folder.openFiles == DescriptorPool.capacity)
    folder.close()
    #expect(folder.openFiles == 0)
  }
}
