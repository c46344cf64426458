import Artifact
import Primitives
import Testing

/// Manifests of a publisher who means harm: each is one change to a good one.
@Suite struct HostileManifestTests {
  struct Change: CustomTestStringConvertible, Sendable {
    let name: String
    let from: String
    let to: String
    let code: ArtifactError.Code
    var testDescription: String { name }

    init(_ name: String, _ from: String, _ to: String, _ code: ArtifactError.Code = .invalidManifest) {
      (self.name, self.from, self.to, self.code) = (name, from, to, code)
    }
  }

  static let hash = String(repeating: "ab", count: 32)
  static let one = #"{"path":"a.txt","size":5,"mode":420,"kind":"text","sha256":"\#(hash)","root":"\#(hash)"}"#
  static let good =
    #"{"schema":"pawl/manifest/1","name":"n","version":1,"previous":null,"publisher":"\#(hash)","created":1,"note":"","#
    + #""chunk":1048576,"files":[\#(one)]}"#

  static func other(_ path: String) -> String { one.replacing("a.txt", with: path) }
  static func path(_ name: String, _ path: String, _ code: ArtifactError.Code = .invalidPath) -> Change {
    Change(name, "a.txt", path, code)
  }
  static func files(_ name: String, _ paths: [String], _ code: ArtifactError.Code) -> Change {
    Change(name, one, paths.map(other).joined(separator: ","), code)
  }

  static let paths: [Change] = [
    path("up", "../x"), path("up inside", "a/../../x"), path("absolute", "/etc/passwd"), path("empty", ""), path("dot", "."),
    path("slash at the end", "a/"), path("double slash", "a//b"), path("backslash", #"..\\x"#), path("NUL", #"a\u0000b"#),
    path("newline", #"a\nb"#), path("escape", #"a\u001b[2J"#), path("C1", #"a\u009b2J"#), path("DEL", "a\u{7F}"),
    path("override", #"a\u202egnp.exe"#), path("decomposed", "e\u{301}"), path("reserved", ".pawl-1/x"),
    path("10,000 components", Array(repeating: "a", count: 10_000).joined(separator: "/")),
    path("65 components", Array(repeating: "a", count: 65).joined(separator: "/")),
    path("long", String(repeating: "a", count: 1_025)), path("long component", String(repeating: "a", count: 256)),
    files("duplicate", ["a.txt", "a.txt"], .pathCollision), files("case", ["A.txt", "a.txt"], .pathCollision),
    files("case of folders", ["A/x", "a/y"], .pathCollision), files("file and folder", ["a", "a/b"], .pathCollision),
    files("unsorted", ["b", "a"], .invalidManifest), files("no files", [], .invalidManifest),
  ]

  static let values: [Change] = [
    Change("float", #""size":5"#, #""size":5.0"#), Change("exponent", #""size":5"#, #""size":5e0"#),
    Change("negative", #""size":5"#, #""size":-5"#), Change("leading zero", #""size":5"#, #""size":05"#),
    Change("2^53", #""size":5"#, #""size":9007199254740992"#), Change("2^64", #""size":5"#, #""size":18446744073709551616"#),
    Change("size as text", #""size":5"#, #""size":"5""#), Change("size null", #""size":5"#, #""size":null"#),
    Change("size too large", #""size":5"#, #""size":9007199254740991"#, .invalidLayout),
    Change("empty file with a hash", #""size":5"#, #""size":0"#), Change("odd mode", "420", "511"),
    Change("setuid", "420", "2541"),
    Change("kind", #""text""#, #""TEXT""#), Change("kind with escapes", #""text""#, #""\u001b""#),
    Change("short hash", hash, String(hash.dropLast(2))), Change("upper-case hash", hash, hash.uppercased()),
    Change("no hex", hash, String(repeating: "zz", count: 32)),
    Change("chunk size 3 MiB", "1048576", "3145728", .invalidLayout),
    Change("chunk size 0", "1048576", "0", .invalidLayout),
    Change("chunk size huge", "1048576", "9007199254740991", .invalidLayout),
    Change("version 0", #""version":1"#, #""version":0"#), Change("version 2^32", #""version":1"#, #""version":4294967296"#),
    Change("name with a slash", #""name":"n""#, #""name":"a/b""#, .invalidName),
    Change("name up", #""name":"n""#, #""name":"..""#, .invalidName),
    Change("note too long", #""note":"""#, #""note":"\#(String(repeating: "n", count: 4_097))""#, .limitExceeded),
    Change("other schema", "manifest/1", "manifest/2"), Change("previous missing", #""previous":null,"#, ""),
    Change("previous as a number", #""previous":null"#, #""previous":0"#), Change("path missing", #""path":"a.txt","#, ""),
    Change("root missing", #","root":"\#(hash)""#, ""), Change("files as an object", "[\(one)]", "{}"),
    Change("a file as text", one, #""a.txt""#), Change("files nested", one, "[\(one)]"),
  ]

  static let texts: [Change] = [
    Change("unknown key", #""note""#, #""notes":1,"note""#), Change("unknown key of a file", #""size""#, #""x":1,"size""#),
    Change("duplicate key", #""note":"""#, #""note":"","note":"""#),
    Change("duplicate key by escape", #""note":"""#, #""note":"","\u006eote":"""#),
    Change("duplicate key of a file", #""size":5"#, #""size":5,"size":6"#),
    Change("duplicate key under ext", #""note""#, #""ext":{"a":{"b":1,"b":2}},"note""#),
    Change("lone surrogate", #""note":"""#, #""note":"\ud800""#), Change("low surrogate", #""note":"""#, #""note":"\udc00""#),
    Change("float under ext", #""note""#, #""ext":{"a":1.5},"note""#), Change("ext as text", #""note""#, #""ext":"","note""#),
    Change(
      "depth", #""note""#, #""ext":{"a":\#(String(repeating: "[", count: 40))\#(String(repeating: "]", count: 40))},"note""#),
    Change("trailing byte", "}]}", "}]}x"), Change("trailing object", "}]}", "}]}{}"), Change("cut", "}]}", "}]"),
    Change("trailing comma", "}]}", "},]}"), Change("comment", "}]}", "}]/**/}"), Change("NaN", #""size":5"#, #""size":NaN"#),
    Change("dtypes do not add up", #""size""#, #""format":{"dtypes":{"F16":2},"tensors":1,"parameters":1},"size""#),
    Change("dtype with escapes", #""size""#, #""format":{"dtypes":{"\u001b":1},"tensors":1,"parameters":1},"size""#),
    Change("tensors missing", #""size""#, #""format":{"dtypes":{},"parameters":1},"size""#),
    Change("facts about a malformed file", #""size""#, #""format":{"malformed":true,"tensors":1},"size""#),
    Change("unknown fact", #""size""#, #""format":{"malformed":true,"x":1},"size""#),
    Change("environment elsewhere", #""note""#, #""environment":{"files":[{"path":"z","form":"uv-lock"}]},"note""#),
    Change(
      "environment outside", #""note""#, #""environment":{"files":[{"path":"../z","form":"uv-lock"}]},"note""#, .invalidPath),
    Change("environment without files", #""note""#, #""environment":{},"note""#),
  ]

  @Test(arguments: paths + values + texts)
  func everyHostileManifestIsRefused(change: Change) throws {
    #expect(Self.good.contains(change.from))
    let text = Self.good.replacing(change.from, with: change.to)
    let error = #expect(throws: ArtifactError.self) { try decoded(Array(text.utf8)) }
    #expect(error?.code == change.code, "\(error?.reason ?? "")")
    #expect(error?.reason.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0.value != 0x9B } == true)
  }

  @Test func theGoodOneIsTakenAlsoWithExtensionsAndSpace() throws {
    #expect(try decoded(Array(Self.good.utf8)).files.count == 1)
    let extended = Self.good.replacing(#""note""#, with: #" "ext":{"a":[{"b":null},true,1,"x"]} , "note""#)
      .replacing(#""size""#, with: #""ext":{},"size""#)
    #expect(try decoded(Array(extended.utf8)).files.count == 1)
  }

  @Test func bytesThatAreNoTextAreRefused() {
    for bytes in [[], [0xEF, 0xBB, 0xBF] + Array(Self.good.utf8), [0x00], Array("null".utf8), Array("[]".utf8)] as [[UInt8]] {
      #expect(code { _ = try decoded(bytes) } == .invalidManifest)
    }
    var invalid = Array(Self.good.replacing(#""note":"""#, with: #""note":"?""#).utf8)
    if let mark = invalid.firstIndex(of: UInt8(ascii: "?")) { invalid[mark] = 0xFF }
    #expect(code { _ = try decoded(invalid) } == .invalidManifest)
  }

  @Test func moreFilesOrBytesThanAllowedAreRefusedWhileReading() {
    let start = Self.good.replacing("\(Self.one)]}", with: "")
    let many = start + (0...Manifest.maximumFiles).map { _ in Self.one }.joined(separator: ",") + "]}"
    #expect(code { _ = try decoded(Array(many.utf8)) } == .limitExceeded)
    let long = [UInt8](repeating: 0x20, count: Manifest.maximumBytes + 1)
    #expect(code { _ = try decoded(long) } == .limitExceeded)
  }

  @Test func anyDamagedManifestIsRefusedOrStillSafe() throws {
    var generator = SeededGenerator(seed: 2)
    let bytes = try ManifestTests.rich().encoded()
    for round in 0..<3_000 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
      }
      if round % 3 == 0 { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &generator)) }
      guard let manifest = try? decoded(damaged) else { continue }
      for file in manifest.files { #expect(!file.path.components.contains { $0 == ".." || $0.isEmpty }) }
    }
  }
}
