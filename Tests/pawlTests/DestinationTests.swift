import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Where pulls go, and what may be there already.
  @Suite(.timeLimit(.minutes(3))) struct DestinationTests {
    private func withArt(_ body: @Sendable (Household, _ studio: HouseholdNode, _ laptop: HouseholdNode) async throws -> Void)
      async throws
    {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        try house.write("art/a.safetensors", pattern(100_000))
        try house.write("art/b.txt", "notes")
        try house.write("art/sub/c.safetensors", pattern(200_000))
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")
        try await body(house, studio, laptop)
      }
    }

    @Test func onlyWhatIsAskedForTravels() async throws {
      try await withArt { house, _, laptop in
        let out = "\(house.path)/models"
        let some = try await laptop.ask("pull", "studio/art", "-o", out, "--only", "*.safetensors")
        #expect(some["bytes_transferred"] == 300_000)
        #expect(house.tree("models/art") == ["a.safetensors", "sub", "sub/c.safetensors"])
        let rest = try await laptop.ask("pull", "studio/art", "-o", out)
        #expect(rest["bytes_transferred"] == 5)
        #expect(rest["bytes"] == 300_005)
        let nothing = try await laptop.ask("pull", "studio/art", "-o", out, "--only", "*.ckpt", exit: 11)
        #expect(nothing["message"].text.contains("*.ckpt"))
        let two = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/two", "--only", "b.txt", "--only", "sub/*")
        #expect(two["bytes"] == 200_005)
      }
    }

    @Test func aDifferentFileThatIsThereIsLeftAlone() async throws {
      try await withArt { house, _, laptop in
        let mine = try house.write("models/art/b.txt", "mine!")
        let skipped = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 16)
        #expect(skipped["code"] == "conflict")
        #expect(skipped["message"].text.contains("b.txt"))
        #expect(skipped["placed"]["skipped"] == .array(["b.txt"]))
        #expect(house.read(mine) == Array("mine!".utf8))
        #expect(house.read("models/art/sub/c.safetensors") == pattern(200_000), "the other files are placed")
        // Once more: what is identical is no conflict and does not travel.
        let again = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 16)
        #expect(again["placed"]["bytes_transferred"] == 0)
        let overwritten = try await laptop.ask(
          "pull", "studio/art", "-o", "\(house.path)/models", "--conflict", "overwrite")
        #expect(overwritten["bytes_transferred"] == 5)
        #expect(house.read(mine) == Array("notes".utf8))
        let unchanged = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models")
        #expect(unchanged["bytes_transferred"] == 0)
        #expect(unchanged["files"].elements.allSatisfy { !$0["sha256"].text.isEmpty })
        #expect(house.tree("models").count == 5, "nothing else is left there")
      }
    }

    @Test func aDifferentFileIsKeptBesideTheNewOne() async throws {
      try await withArt { house, _, laptop in
        let mine = try house.write("models/art/b.txt", "mine!")
        let renamed = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", "--conflict", "rename")
        #expect(renamed["skipped"] == .array([]))
        #expect(house.read(mine) == Array("mine!".utf8))
        #expect(house.read("models/art/b (2).txt") == Array("notes".utf8))
        // The result names what was written, and whose place it could not have.
        let named = renamed["files"].elements.map { [$0["path"].text, $0["artifact_path"].text] }
        #expect(named == [["a.safetensors", ""], ["b (2).txt", "b.txt"], ["sub/c.safetensors", ""]])
        let tree = house.tree("models")
        let again = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", "--conflict", "rename")
        #expect(again["bytes_transferred"] == 0)
        #expect(again["files"][1]["path"] == "b (2).txt" && !again["files"][1]["sha256"].text.isEmpty)
        #expect(house.tree("models") == tree, "what was pulled before is not placed once more")
      }
    }

    @Test func aDestinationThatIsAFileOrALinkIsRefusedAndNothingIsWrittenOutside() async throws {
      try await withArt { house, _, laptop in
        let file = try house.write("occupied", "a file")
        for path in [file, "\(file)/sub"] {
          let refused = try await laptop.ask("pull", "studio/art", "-o", path, exit: 1)
          #expect(refused["message"].text.contains("occupied"))
        }
        #expect(house.read("occupied") == Array("a file".utf8))

        // DIR/NAME is a link to elsewhere; so is a folder below it; so is a file.
        _ = try house.folder("elsewhere")
        let models = try house.folder("models")
        symlink("../elsewhere", "\(models)/art")
        for rule in ["skip", "overwrite", "rename"] {
          let refused = try await laptop.ask("pull", "studio/art", "-o", models, "--conflict", rule, exit: 1)
          #expect(refused["message"].text.contains("symbolic link"), "\(refused["message"].text)")
        }
        unlink("\(models)/art")
        _ = try house.folder("models/art")
        symlink("../../elsewhere", "\(models)/art/sub")
        try await laptop.ask("pull", "studio/art", "-o", models, "--conflict", "overwrite", exit: 1)
        unlink("\(models)/art/sub")
        try house.write("elsewhere/target", "precious")
        symlink("../../elsewhere/target", "\(models)/art/b.txt")
        try await laptop.ask("pull", "studio/art", "-o", models, "--conflict", "overwrite", exit: 1)
        #expect(house.tree("elsewhere") == ["target"])
        #expect(house.read("elsewhere/target") == Array("precious".utf8))
        unlink("\(models)/art/b.txt")
        try await laptop.ask("pull", "studio/art", "-o", models)
        #expect(house.read("models/art/b.txt") == Array("notes".utf8))
      }
    }

    @Test(.enabled(if: Volume.isPossible, "mounting a small file system needs privileges"))
    func withoutRoomNothingIsLeftUnderTheFinalName() async throws {
      try await withArt { house, _, laptop in
        let small = try house.folder("small")
        try Volume.mount(at: small, sizeBytes: 256 << 10)
        house.atTheEnd { Volume.unmount(small) }
        let refused = try await laptop.ask("pull", "studio/art", "-o", small, exit: 15)
        #expect(refused["code"] == "no_space")
        #expect(house.read("small/art/b.txt") == nil)
        #expect(access("\(small)/art", F_OK) != 0)
        // What fits still fits.
        try await laptop.ask("pull", "studio/art", "-o", small, "--only", "b.txt")
        #expect(house.read("small/art/b.txt") == Array("notes".utf8))

        Volume.unmount(small)
        try Volume.mount(at: small, sizeBytes: 1 << 20, isReadOnly: true)
        let closed = try await laptop.ask("pull", "studio/art", "-o", small, exit: 1)
        #expect(closed["message"].text.contains("small"))
      }
    }
  }
}

/// A file system of a size that the test chooses, where that may be mounted.
enum Volume {
  static let isPossible: Bool = {
    var template = Array("/tmp/pawl-vol-XXXXXX".utf8CString)
    guard getuid() == 0, mkdtemp(&template) != nil else { return false }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { rmdir(path) }
    guard (try? mount(at: path, sizeBytes: 1 << 16)) != nil else { return false }
    unmount(path)
    return true
  }()

  static func mount(at path: String, sizeBytes: Int, isReadOnly: Bool = false) throws {
    let flags = UInt(isReadOnly ? MS_RDONLY : 0)
    try #require(Glibc.mount("tmpfs", path, "tmpfs", flags, "size=\(sizeBytes),mode=0700") == 0)
  }

  static func unmount(_ path: String) { umount2(path, Int32(MNT_DETACH)) }
}
