import Artifact
import Glibc
import Testing

@testable import Store

/// Links of a shared folder, with `--follow`.
@Suite struct SourceLinkTests {
  private func follow(_ temporary: TemporaryFolder, _ name: String, takesAll: Bool = false) throws -> ScannedTree {
    try SourceScanner.scan(temporary(name), options: ScanOptions(followsLinks: true, takesAll: takesAll))
  }

  /// The cache of one model, as `huggingface_hub` lays it out.
  private func cache(_ temporary: TemporaryFolder, _ name: String = "models--org--lora") throws -> String {
    try temporary.file("\(name)/blobs/aa11", pattern(100_000))
    try temporary.file("\(name)/blobs/bb22", pattern(10), mode: 0o755)
    try temporary.folder("\(name)/snapshots/rev/unet")
    try temporary.link("\(name)/snapshots/rev/model.bin", to: "../../blobs/aa11")
    try temporary.link("\(name)/snapshots/rev/unet/run.sh", to: "../../../blobs/bb22")
    return "\(name)/snapshots/rev"
  }

  private func served(_ tree: ScannedTree) throws -> SourceFolder {
    let files = try tree.files.enumerated().map { index, file in
      try SourceScanner.hash(tree, file: file, chunkBytes: chunkBytes).published(index: index)
    }
    return try SourceFolder(root: tree.root, files: files)
  }

  @Test func linksToFilesOfTheFolderAreTakenUnderTheirOwnNames() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/sub/real.bin", pattern(100_000), mode: 0o755)
    try temporary.link("lora/a.bin", to: "sub/real.bin")
    try temporary.link("lora/sub/b.bin", to: "../a.bin")
    try temporary.link("lora/sub/c.bin", to: temporary("lora/sub/../sub/real.bin"))
    let tree = try follow(temporary, "lora")
    #expect(tree.files.map(\.path.text) == ["a.bin", "sub/b.bin", "sub/c.bin", "sub/real.bin"])
    #expect(tree.files.allSatisfy { $0.source == "sub/real.bin" && $0.isExecutable })
    #expect(tree.files.map(\.isLink) == [true, true, true, false])
    let folder = try served(tree)
    for index in 0..<4 { #expect(try folder.read(file: index, at: 0, count: 100_000) == pattern(100_000)) }
  }

  @Test(arguments: ["models--org--lora", "datasets--org--lora", "spaces--org--lora"])
  func aSnapshotOfACacheTakesItsBlobs(_ name: String) throws {
    let temporary = try TemporaryFolder()
    let tree = try follow(temporary, try cache(temporary, name))
    #expect(tree.files.map(\.path.text) == ["model.bin", "unet/run.sh"])
    #expect(tree.files.map(\.isLink) == [true, true])
    #expect(tree.files.map(\.isExecutable) == [false, true])
    #expect(SourceFolder.path(of: tree.files[0].source, root: tree.root) == temporary("\(name)/blobs/aa11"))
    let folder = try served(tree)
    #expect(try folder.read(file: 0, at: 0, count: 100_000) == pattern(100_000))
    #expect(folder.isCurrent(file: 0) && folder.isCurrent(file: 1))
  }

  @Test func aCacheThatIsReachedThroughLinksIsTheSame() throws {
    let temporary = try TemporaryFolder()
    let path = try cache(temporary, "disk/hub/models--org--lora")
    try temporary.link("hub", to: "disk/hub")
    try temporary.link("latest", to: "hub/models--org--lora/snapshots/rev")
    for given in ["hub/models--org--lora/snapshots/rev", "latest"] {
      let tree = try follow(temporary, given)
      #expect(tree.root == temporary(path))
      #expect(tree.files.map(\.source) == ["../../blobs/aa11", "../../blobs/bb22"])
    }
    // A file of it that is given is taken under its own name, without following anything else.
    let file = try SourceScanner.scan(temporary("latest/model.bin"))
    #expect(file.files.map(\.path.text) == ["model.bin"] && file.baseName == "model.bin")
    #expect(SourceFolder.path(of: file.files[0].source, root: file.root) == temporary("disk/hub/models--org--lora/blobs/aa11"))
  }

  @Test func withoutFollowingEveryLinkIsRefusedWithTheWayToTakeIt() throws {
    let temporary = try TemporaryFolder()
    let path = try cache(temporary)
    let error = #expect(throws: StoreError.self) { try SourceScanner.scan(temporary(path)) }
    #expect(error?.code == .symlinkInSource)
    #expect(error?.path == temporary("\(path)/model.bin"))
    #expect(error?.hint?.contains("--follow") == true)
  }

  @Test(arguments: [
    "/etc/passwd", "../outside/secret", "inner/../../outside/secret", "inner", "..", ".", "/", "nothing", "../nothing", "link",
    "away", "toinside", "a/beyond", "pipe", "/dev/null", "../../../../../../etc/passwd", "../lora-2/secret",
    "../models--other/blobs/x",
  ])
  func everyOtherLinkIsRefusedAndNamed(_ target: String) throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a", [1])
    try temporary.folder("lora/inner")
    try temporary.file("outside/secret", [2])
    try temporary.file("lora-2/secret", [2])
    try temporary.file("models--other/blobs/x", [3])
    // Links that lead out: `away` ends there, `toinside` comes back by way of a link that somebody else may change.
    try temporary.link("outside/back", to: temporary("lora/a"))
    try temporary.folder("lora/.tmp")
    try temporary.link("lora/.tmp/away", to: temporary("outside/secret"))
    try temporary.link("lora/.tmp/toinside", to: temporary("outside/back"))
    #expect(mkfifo(temporary("lora/.tmp/pipe"), 0o600) == 0)
    let beneath = ["away", "toinside", "pipe"].contains(target)
    try temporary.link("lora/link", to: beneath ? ".tmp/\(target)" : target)
    #expect(throws: StoreError(.linkLeadsOut, temporary("lora/link"), detail: "")) { try follow(temporary, "lora") }
    #expect(code { _ = try SourceScanner.scan(temporary("lora")) } == .symlinkInSource)
  }

  @Test func blobsCountOnlyForASnapshotOfTheirOwnCache() throws {
    let temporary = try TemporaryFolder()
    for (folder, target) in [
      ("models--a/snapshots/rev/sub", "../../../blobs/x"), ("models--a/other/rev", "../../blobs/x"),
      ("plain/snapshots/rev", "../../blobs/x"), ("models--b/snapshots/rev", "../../../models--a/blobs/x"),
      ("models--c/snapshots/rev", "../../blobs/x"), ("models--a/snapshots/rev", "../../blobs2/x"),
      ("models--a/snapshots/rev", "../../blobs/out"), ("models--a/snapshots/rev", "../../blobs/folder"),
      ("models--a/snapshots/rev", "../../refs/main"),
    ] {
      for name in [
        "models--a/blobs/x", "models--b/blobs/y", "plain/blobs/x", "models--a/blobs2/x", "elsewhere/x", "models--a/refs/main",
      ] {
        try temporary.file(name)
      }
      try temporary.folder("models--a/blobs/folder")
      symlink(temporary("elsewhere/x"), temporary("models--a/blobs/out"))
      // The blobs themselves are a link here: whoever made it decides what they are.
      try temporary.folder("models--c")
      symlink(temporary("elsewhere"), temporary("models--c/blobs"))
      try temporary.folder(folder)
      unlink(temporary("\(folder)/link"))
      try temporary.link("\(folder)/link", to: target)
      #expect(
        throws: StoreError(.linkLeadsOut, temporary("\(folder)/link"), detail: ""), "\(folder) \(target)"
      ) { try follow(temporary, folder) }
    }
  }

  @Test func aLinkBringsInNothingThatWouldBeLeftOut() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/a")
    try temporary.file("lora/.env")
    try temporary.file("lora/.git/config")
    try temporary.file("lora/.pawl-partial-12ab/half")
    try temporary.link("lora/settings", to: ".env")
    try temporary.link("lora/config", to: ".git/config")
    let tree = try follow(temporary, "lora")
    #expect(tree.files.map(\.path.text) == ["a"])
    #expect(tree.leftOut.paths == [".env", ".git/", "config", "settings"])
    #expect(try follow(temporary, "lora", takesAll: true).files.count == 5)
    try temporary.link("lora/half", to: ".pawl-partial-12ab/half")
    #expect(code { _ = try follow(temporary, "lora", takesAll: true) } == .linkLeadsOut)
  }

  @Test func aLinkThatIsChangedLaterMakesTheNodeServeNothingElse() throws {
    let temporary = try TemporaryFolder()
    let path = try cache(temporary)
    try temporary.file("secret", pattern(100_000, seed: 9))
    let folder = try served(try follow(temporary, path))
    unlink(temporary("\(path)/model.bin"))
    try temporary.link("\(path)/model.bin", to: temporary("secret"))
    #expect(try folder.read(file: 0, at: 0, count: 100) == Array(pattern(100)))
    folder.close()
    #expect(try folder.read(file: 0, at: 0, count: 100) == Array(pattern(100)), "opened again, it is the same file")
  }

  @Test func whatIsPutInABlobsPlaceIsNotServed() throws {
    let temporary = try TemporaryFolder()
    let path = try cache(temporary)
    let blob = "models--org--lora/blobs/aa11"
    try temporary.file("secret", pattern(100_000, seed: 9))
    let tree = try follow(temporary, path)
    let folder = try served(tree)
    unlink(temporary(blob))
    try temporary.link(blob, to: temporary("secret"))
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .symlinkInSource)
    #expect(!folder.isCurrent(file: 0))
    // Made beside the link, since a file system may give the number of a file that is gone to the next one.
    try temporary.file("another", pattern(100_000))
    try #require(rename(temporary("another"), temporary(blob)) == 0)
    #expect(code { _ = try folder.read(file: 0, at: 0, count: 10) } == .sourceChanged, "the same bytes, another file")
    // The folder of blobs becomes a link: what it leads to is not the cache's.
    try #require(rename(temporary("models--org--lora/blobs"), temporary("moved")) == 0)
    try temporary.link("models--org--lora/blobs", to: temporary("moved"))
    #expect(code { _ = try SourceScanner.hash(tree, file: tree.files[1], chunkBytes: chunkBytes) } != nil)
    #expect(throws: StoreError.self) {
      try SourceFolder(
        root: tree.root,
        files: [PublishedFile(index: 0, source: tree.files[1].source, identity: tree.files[1].identity)])
    }
  }

  @Test func whatIsSwappedBetweenTheLookAndTheOpeningIsNotFollowed() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("lora/sub/a", [1])
    try temporary.file("outside/a", [2])
    try temporary.link("lora/link", to: "sub/a")
    let source = try SourceLink(root: temporary("lora")).resolve("link")
    #expect(source == "sub/a")
    unlink(temporary("lora/sub/a"))
    try temporary.link("lora/sub/a", to: temporary("outside/a"))
    #expect(SourceRoots.open(source, root: temporary("lora"), O_RDONLY) == nil && errno == ELOOP)
    unlink(temporary("lora/sub/a"))
    rmdir(temporary("lora/sub"))
    try temporary.link("lora/sub", to: temporary("outside"))
    #expect(SourceRoots.open(source, root: temporary("lora"), O_RDONLY) == nil && errno == ELOOP)
  }

  @Test func namesThatOnlyLookLikeTheFoldersLeadOut() throws {
    let temporary = try TemporaryFolder()
    // Swift takes both for the same text; the disk does not.
    try temporary.file("e\u{301}/a", [1])
    try temporary.file("\u{E9}/secret", [2])
    try temporary.link("e\u{301}/link", to: temporary("\u{E9}/secret"))
    #expect(code { _ = try follow(temporary, "e\u{301}") } == .linkLeadsOut)
  }
}
