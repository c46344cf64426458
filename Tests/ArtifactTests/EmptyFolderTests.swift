import Artifact
import Testing

/// Folders that hold nothing: `ext.folders` of a manifest.
@Suite struct EmptyFolderTests {
  private static func manifest(_ paths: [String], folders: [String], isFolder: Bool = false) throws -> Manifest {
    var builder = try ManifestBuilder(name: ArtifactName("anime-lora"), isFolder: isFolder)
    for path in paths { builder.add(try file(path)) }
    for path in folders { builder.add(emptyFolder: try SafePath(path)) }
    return try builder.build(version: 3, previous: digest(1), publisher: digest(2), created: 1_700_000_000, note: "")
  }

  /// The good manifest of a folder, with these extensions.
  private static func text(_ ext: String, files: [String] = ["a/b", "c"]) -> [UInt8] {
    let files = files.map(HostileManifestTests.other).joined(separator: ",")
    return Array(
      HostileManifestTests.good.replacing(HostileManifestTests.one, with: files)
        .replacing("}]}", with: #"}],"ext":\#(ext)}"#).utf8)
  }

  @Test func theyComeBackAsTheyWereAndSorted() throws {
    let original = try Self.manifest(["a/b", "c"], folders: ["模型/empty", "a/c", "a-b"])
    #expect(original.emptyFolders.map(\.text) == ["a-b", "a/c", "模型/empty"])
    let bytes = try original.encoded()
    #expect(try decoded(bytes) == original)
    #expect(String(decoding: bytes, as: UTF8.self).hasSuffix(#"],"ext":{"folders":["a-b","a/c","模型/empty"]}}"#))
    // Whoever has none writes what was written before there were any.
    #expect(!String(decoding: try Self.manifest(["a/b"], folders: []).encoded(), as: UTF8.self).contains("ext"))
  }

  @Test func addingOrRemovingOneMakesOtherContents() throws {
    let first = try Self.manifest(["a/b"], folders: ["x", "y"])
    #expect(try first.hasSameContents(as: Self.manifest(["a/b"], folders: ["y", "x"])))
    #expect(try !first.hasSameContents(as: Self.manifest(["a/b"], folders: ["x"])))
    #expect(try !first.hasSameContents(as: Self.manifest(["a/b"], folders: ["x", "y", "z"])))
    #expect(try !first.hasSameContents(as: Self.manifest(["a/b"], folders: ["x", "Y"])))
  }

  @Test func otherExtensionsArePassedOver() throws {
    #expect(
      try decoded(Self.text(#"{"folders":["d"],"x":[{"folders":["../x"]},1,null,true]}"#)).emptyFolders.map(\.text) == ["d"])
    #expect(try decoded(Self.text(#"{"x":{"folders":7},"y":0}"#)).emptyFolders.isEmpty)
  }

  @Test(arguments: [
    (["c"], ArtifactError.Code.pathCollision), (["C"], .pathCollision), (["A/x"], .pathCollision), (["a"], .pathCollision),
    (["A"], .pathCollision), (["a/b"], .pathCollision), (["a/b/x"], .pathCollision), (["c/x"], .pathCollision),
    (["d", "d"], .pathCollision), (["D", "d"], .pathCollision), (["d", "d/e"], .pathCollision),
    (["d", "d-e", "d/e"], .pathCollision),
    (["e", "d"], .invalidManifest), (["d/e", "d"], .invalidManifest), (["../x"], .invalidPath), (["/x"], .invalidPath),
    ([""], .invalidPath), (["d/"], .invalidPath), (["."], .invalidPath), (["e\u{301}"], .invalidPath),
    ([".pawl-partial-1"], .invalidPath), (["a\u{202E}b"], .invalidPath), ([], .invalidManifest),
  ])
  func whatBreaksARuleOfPathsIsRefused(_ folders: [String], _ expected: ArtifactError.Code) throws {
    let list = folders.map { "\"\($0)\"" }.joined(separator: ",")
    #expect(code { _ = try decoded(Self.text(#"{"folders":[\#(list)]}"#)) } == expected)
  }

  @Test(arguments: [
    #"{"folders":"d"}"#, #"{"folders":{"d":1}}"#, #"{"folders":[1]}"#, #"{"folders":[["d"]]}"#, #"{"folders":[null]}"#,
    #"{"folders":null}"#, #"{"folders":["d"],"folders":["e"]}"#, #"{"folders":["d",]}"#,
  ])
  func whatIsNoListOfPathsIsRefused(_ ext: String) {
    #expect(code { _ = try decoded(Self.text(ext)) } == .invalidManifest)
  }

  @Test func oneBareFileHasNone() throws {
    #expect(code { _ = try decoded(Self.text(#"{"folders":["d"]}"#, files: ["c"])) } == .invalidManifest)
    #expect(code { _ = try Self.manifest(["c"], folders: ["d"]) } == .invalidManifest)
    let folder = try Self.manifest(["c"], folders: ["d"], isFolder: true)
    #expect(!folder.isSingleFile)
    // Older programs pass over the extension, and must not take it for a bare file.
    #expect(String(decoding: try folder.encoded(), as: UTF8.self).contains(#","folder":true,"#))
    #expect(code { _ = try Self.manifest([], folders: ["d"], isFolder: true) } == .invalidManifest)
  }

  @Test func theyCountTowardsTheFoldersOfAnArtifact() throws {
    var set = PathSet()
    for index in 0..<(PathSet.maximumFolders - 2) { try set.insert(emptyFolder: SafePath("f\(index)")) }
    try set.insert(emptyFolder: SafePath("a/b"))
    #expect(code { try set.insert(emptyFolder: SafePath("z")) } == .limitExceeded)
    #expect(code { try set.insert(SafePath("z/file")) } == .limitExceeded)
    try set.insert(SafePath("a/file"))
    let many = (0...PathSet.maximumFolders).map { "\"f\(1_000_000 + $0)\"" }.joined(separator: ",")
    #expect(code { _ = try decoded(Self.text(#"{"folders":[\#(many)]}"#)) } == .limitExceeded)
  }

  @Test func nothingCanBePutIntoOneInAnyOrder() throws {
    for (first, second) in [("d", "d/x"), ("d/e", "d/e/x")] {
      var set = PathSet()
      try set.insert(emptyFolder: SafePath(first))
      #expect(code { try set.insert(SafePath(second)) } == .pathCollision)
      #expect(code { try set.insert(SafePath(first)) } == .pathCollision)
      var other = PathSet()
      try other.insert(SafePath(second))
      #expect(code { try other.insert(emptyFolder: SafePath(first)) } == .pathCollision)
    }
  }
}
