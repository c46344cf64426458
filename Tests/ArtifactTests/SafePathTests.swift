import Artifact
import Testing

@Suite struct SafePathTests {
  @Test(arguments: [
    "a", "a/b/c.safetensors", "unet/diffusion_pytorch_model.safetensors", "模型/权重.bin", "🦊/👨‍👩‍👧.txt", "caf\u{E9}", "...", "..a",
    "a..",
    "a b", "2024-01-01T12:00:00.log", "~", "-rf", ".pawl", ".pawlx", "con", String(repeating: "c", count: 255),
    Array(repeating: String(repeating: "d", count: 15), count: 64).joined(separator: "/"),
  ])
  func ordinaryPathsAreTaken(text: String) throws {
    let path = try SafePath(text)
    #expect(path.components.joined(separator: "/") == text)
    #expect(path.lastComponent == path.components.last)
    #expect(try SafePath(components: path.components) == path)
  }

  @Test(arguments: [
    "", "/", "/etc/passwd", "..", ".", "../x", "a/../b", "a/..", "a/.", "./a", "a//b", "a/", "a\\b", "..\\x", "C:\\x", "a\u{0}",
    "a\u{0}/b", "a\nb", "a\u{1B}]0;x\u{7}", "a\u{7F}", "a\u{85}", "a\u{202E}gpj.exe", "a\u{2066}", "a\u{2029}", "\u{FEFF}a",
    "cafe\u{301}", "\u{212A}", "\u{1112}\u{1161}\u{11AB}", ".pawl-", ".pawl-x/a", "a/.pawl-3", ".PAWL-3", ".pa\u{200B}wl-3",
    String(repeating: "c", count: 256), String(repeating: "模", count: 86),
    Array(repeating: String(repeating: "d", count: 16), count: 61).joined(separator: "/"),
    Array(repeating: "d", count: 65).joined(separator: "/"), Array(repeating: "d", count: 10_000).joined(separator: "/"),
  ])
  func unsafePathsAreRefusedWithASafeReason(text: String) {
    do {
      _ = try SafePath(text)
      Issue.record("taken: \(text.debugDescription)")
    } catch {
      #expect(error.code == .invalidPath)
      #expect(DisplayText.escape(error.reason).replacing("\\\\", with: "\\") == error.reason)
      #expect(error.reason.utf8.count < 600)
    }
  }

  @Test func theLongestPathIsTakenAndOneByteMoreIsNot() throws {
    let exact = String(repeating: "d", count: 204)
    let path = Array(repeating: exact, count: 5).joined(separator: "/")
    #expect(path.utf8.count == SafePath.maximumBytes)
    #expect(try SafePath(path).text == path)
    #expect(code { _ = try SafePath(path + "d") } == .invalidPath)
  }

  @Test func aSlashInAComponentIsRefused() {
    #expect(code { _ = try SafePath(components: ["a", "b/c"]) } == .invalidPath)
    #expect(code { _ = try SafePath(components: []) } == .invalidPath)
    #expect(code { _ = try SafePath(components: ["a", ""]) } == .invalidPath)
  }

  @Test func pathsAreOrderedByTheirBytes() throws {
    let sorted = ["Z", "a", "a-b", "a/b", "a0", "é", "模", "🦊"]
    #expect(try sorted.shuffled().map { try SafePath($0) }.sorted().map(\.text) == sorted)
  }

  @Test(arguments: [
    (["a", "a"], "twice"), (["README", "readme"], "systems"), (["Straße", "STRASSE"], "systems"), (["ẞ", "ss"], "systems"),
    (["A/x", "a/y"], "systems"), (["Σ", "ς"], "systems"), (["a", "a/b"], "folder"), (["a/b", "a"], "folder"),
    (["a/b/c", "a/B"], "systems"), (["x/\u{E9}", "x/\u{C9}"], "systems"), (["a", "a\u{200B}"], "systems"),
    (["a/b", "A"], "systems"), (["i\u{307}", "İ"], "systems"), (["ﬁle", "file"], "systems"),
  ])
  func pathsThatCollideSomewhereAreRefused(paths: [String], why: String) throws {
    for order in [paths, paths.reversed()] {
      var set = PathSet()
      try set.insert(SafePath("aaa/other"))
      try set.insert(SafePath(order[0]))
      let error = #expect(throws: ArtifactError.self) { try set.insert(SafePath(order[1])) }
      #expect(error?.code == .pathCollision)
      #expect(error?.reason.contains(why) == true, "\(error?.reason ?? "")")
    }
  }

  @Test func pathsThatOnlyResembleEachOtherAreTaken() throws {
    var set = PathSet()
    for path in ["a/b", "b/a", "a/c/a", "ab", "a.b", "ı", "i", "模", "模型", "x/readme", "y/README", "👨‍👩‍👧", "a/c/b"] {
      try set.insert(SafePath(path))
    }
  }

  @Test func millionsOfFoldersAreRefused() throws {
    var set = PathSet()
    let error = #expect(throws: ArtifactError.self) {
      for index in 0..<10_000 {
        try set.insert(SafePath((0..<60).map { "\(index)x\($0)" }.joined(separator: "/")))
      }
    }
    #expect(error?.code == .limitExceeded)
  }
}
