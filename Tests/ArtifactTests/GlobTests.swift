import Artifact
import Testing

@Suite struct GlobTests {
  @Test(arguments: [
    ("*.safetensors", "a.safetensors", true), ("*.safetensors", "x/y/a.safetensors", true), ("*.safetensors", "a.bin", false),
    ("a.bin", "x/a.bin", true), ("a.bin", "xa.bin", false), ("x/*.bin", "x/a.bin", true), ("x/*.bin", "x/y/a.bin", false),
    ("x/*.bin", "w/x/a.bin", false), ("**/a.bin", "a.bin", true), ("**/a.bin", "x/y/a.bin", true), ("x/**", "x/y/z", true),
    ("x/**/z", "x/z", true), ("x/**/z", "x/a/b/z", true), ("x/**/z", "y/z", false), ("x/", "x/y/z", true),
    ("x/", "xx/y", false),
    ("/a.bin", "a.bin", true), ("/a.bin", "x/a.bin", false), ("?", "模", true), ("?", "🦊", true), ("?", "ab", false),
    ("?.txt", ".txt", false), ("*", "anything", true), ("*", "x/any", true), ("a*b*c", "aXbYc", true), ("a*b*c", "aXbY", false),
    ("a*b*c", "abbbcc", true), ("[ab].txt", "a.txt", true), ("[ab].txt", "c.txt", false), ("[a-c]x", "bx", true),
    ("[!a-c]x", "bx", false), ("[^a-c]x", "dx", true), ("[]]", "]", true), ("[a-]", "-", true), ("\\*", "*", true),
    ("\\*", "a", false),
    ("[*]", "*", true), ("图*", "图像/图.png", true), ("cafe\u{301}", "caf\u{E9}", true), ("A", "a", false), ("a**b", "aXb", true),
    ("model.fp16*", "unet/model.fp16.safetensors", true), ("*/*", "a", false), ("**", "a/b", true), ("**/", "a/b", true),
    ("x/*/", "x/y/z", true), ("***", "abc", true),
  ])
  func patternsMatchAsDocumented(pattern: String, path: String, matches: Bool) throws {
    #expect(try GlobPattern(pattern).matches(SafePath(path)) == matches)
  }

  @Test(arguments: [
    "", "/", "a//b", "//a", "[", "[a", "[]", "[a/b]", "[z-a]", "a\\", "a//", String(repeating: "a", count: 1_025),
  ])
  func brokenPatternsAreRefused(pattern: String) {
    #expect(code { _ = try GlobPattern(pattern) } == .invalidPattern)
  }

  @Test(.timeLimit(.minutes(5))) func noPatternTakesExponentialTime() throws {
    let pattern = try GlobPattern(Array(repeating: "a*", count: 300).joined() + "b")
    #expect(try !pattern.matches(SafePath(String(repeating: "a", count: 255))))
    let deep = try GlobPattern(Array(repeating: "**/a", count: 30).joined(separator: "/") + "/b")
    #expect(try !deep.matches(SafePath(Array(repeating: "a", count: 64).joined(separator: "/"))))
  }
}
