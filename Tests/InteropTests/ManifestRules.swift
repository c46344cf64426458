/// Manifests, names and paths for `manifest.json`: good ones, and one for each rule that is broken.
enum ManifestRules {
  struct Rule {
    let name: String
    let about: String
    let text: String
    let expected: FailureClass
  }

  private static let hash = String(repeating: "ab", count: 32)
  private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private static func file(_ path: String, size: UInt64 = 5, extra: String = "") -> String {
    #"{"path":"\#(path)","size":\#(size),"mode":420,"kind":"text","sha256":"\#(hash)","root":"\#(hash)"\#(extra)}"#
  }

  private static let one = file("a.txt")

  static func text(publisher: String, files: String? = nil, middle: String = "", chunk: Int = 1_048_576) -> String {
    #"{"schema":"pawl/manifest/1","name":"n","version":1,"previous":null,"publisher":"\#(publisher)","created":1,"note":"","#
      + #""chunk":\#(chunk)\#(middle),"files":[\#(files ?? one)]}"#
  }

  private static func manifest(_ files: String? = nil, middle: String = "", chunk: Int = 1_048_576) -> String {
    text(publisher: hash, files: files, middle: middle, chunk: chunk)
  }

  private static func files(_ paths: [String]) -> String { manifest(paths.map { file($0) }.joined(separator: ",")) }

  /// A folder with a file in it, one at its top, and these extensions behind them.
  private static func ext(_ ext: String, files paths: [String] = ["a/b", "c"]) -> String {
    let text = files(paths)
    return text.replacingCharacters(text.index(before: text.endIndex)..<text.endIndex) + #","ext":\#(ext)}"#
  }

  private static func folders(_ paths: [String]) -> String {
    ext(#"{"folders":[\#(paths.map { "\"\($0)\"" }.joined(separator: ","))]}"#)
  }

  private static let facts = #"{"dtypes":{"BF16":2,"F32":1},"tensors":3,"parameters":100,"metadata":4,"kohya":true}"#

  static var good: [(String, String, String)] {
    [
      ("the least manifest", "One bare file.", manifest()),
      ("a folder with a single file", "It says so.", manifest(middle: #","folder":true"#)),
      (
        "a first version after another", "A previous digest, a note, a late time.",
        manifest().replacing("null", with: "\"\(hash)\"").replacing(#""note":"""#, with: #""note":"v2: more \u00e9clat\n""#)
          .replacing(#""created":1"#, with: #""created":1700000000"#)
      ),
      ("empty folders", "In the order of their bytes.", folders(["a-b", "a/c/d", "模"])),
      (
        "an empty folder beside a single file", "It says that it is a folder.",
        ext(#"{"folders":["empty"]}"#, files: ["c"]).replacing(#","files""#, with: #","folder":true,"files""#)
      ),
      ("several files", "In the order of their bytes.", files(["B", "a", "a-b", "a/b", "ä"].filter { $0 != "a" })),
      (
        "an environment", "Two of the files.",
        manifest(
          [file("environment.yml"), file("requirements.txt")].joined(separator: ","),
          middle:
            #","environment":{"files":[{"path":"environment.yml","form":"conda-environment"},{"path":"requirements.txt","form":"pip-requirements"}]}"#
        )
      ),
      (
        "facts about a format", "And an unknown kind.",
        manifest(file("a.txt", extra: #","format":\#(facts)"#)).replacing(#""kind":"text""#, with: #""kind":"brand-new""#)
      ),
      ("a malformed file", "The one fact about it.", manifest(file("a.txt", extra: #","format":{"malformed":true}"#))),
      ("an empty file", "Its hashes are H(\"\").", manifest(file("a.txt", size: 0).replacing(hash, with: empty))),
      ("an executable file", "Mode 0755.", manifest().replacing("420", with: "493")),
      ("the largest file", "65,536 chunks of 64 KiB.", manifest(file("a.txt", size: 4_294_967_296), chunk: 65_536)),
      ("chunks of 16 MiB", "The largest there are.", manifest(chunk: 16_777_216)),
      (
        "another order, and white space", "Members may stand in any order; our writer has one.",
        "{ " + #""files":[\#(one)],"chunk":1048576,"note":"","created":1,"publisher":"\#(hash)","previous":null,"version":1,"#
          + "\n\t" + #""name":"n", "schema":"pawl/manifest/1" }"#
      ),
    ]
  }

  private static func change(
    _ name: String, _ about: String, _ from: String, _ to: String, _ expected: FailureClass = .content
  ) -> Rule {
    Rule(name: name, about: about, text: manifest().replacing(from, with: to), expected: expected)
  }

  private static func rule(_ name: String, _ about: String, _ text: String, _ expected: FailureClass = .content) -> Rule {
    Rule(name: name, about: about, text: text, expected: expected)
  }

  static var bad: [Rule] { json + members + values + ofFiles + ofFolders + ofEnvironment + ofFormat }

  private static var ofFolders: [Rule] {
    [
      rule("a folder that is a file", "The same path.", folders(["c"])),
      rule("a folder that differs from a file in case", "They collide.", folders(["C"])),
      rule("a folder in a file", "A path through it.", folders(["c/d"])),
      rule("a folder with a file in it", "It is not empty.", folders(["a"])),
      rule("a folder that differs in case from one with a file", "They collide.", folders(["A/d"])),
      rule("a folder twice", "Once each.", folders(["d", "d"])),
      rule("a folder with a folder in it", "It is not empty.", folders(["d", "d-e", "d/e"])),
      rule("folders that collide", "In case.", folders(["D", "d"])),
      rule("folders out of order", "e before d.", folders(["e", "d"])),
      rule("a folder above", "A path rule.", folders(["../d"])),
      rule("a folder with a slash at its end", "A path rule.", folders(["d/"])),
      rule("a folder of the node's own", "A path rule.", folders([".pawl-partial-1"])),
      rule("no folders", "One at least.", folders([])),
      rule("a folder that is a number", "A path is a text.", ext(#"{"folders":[1]}"#)),
      rule("folders that are a text", "A list.", ext(#"{"folders":"d"}"#)),
      rule("a folder of a bare file", "It has none.", ext(#"{"folders":["d"]}"#, files: ["c"])),
    ]
  }

  private static var json: [Rule] {
    [
      rule("a manifest with a byte order mark", "No parser sees it.", "\u{feff}" + manifest(), .json),
      rule("a manifest and a byte", "One value is all.", manifest() + "x", .json),
      change("a member twice", "The name.", #""version":1"#, #""name":"m","version":1"#, .json),
      change("a size with a fraction", "5.0.", #""size":5"#, #""size":5.0"#, .json),
      change("a size below zero", "−5.", #""size":5"#, #""size":-5"#, .json),
      change("a time of 2^53", "Above the largest number.", #""created":1"#, #""created":9007199254740992"#, .json),
      rule(
        "seventeen levels in ext", "What nobody reads is scanned, too.",
        manifest(middle: #","ext":{"x":\#(String(repeating: "[", count: 15) + String(repeating: "]", count: 15))}"#), .json),
      rule(
        "half a surrogate pair in a note", "No text.", manifest().replacing(#""note":"""#, with: #""note":"\ud800""#), .json),
    ]
  }

  private static var members: [Rule] {
    var rules = ["schema", "name", "version", "previous", "publisher", "created", "note", "chunk"].map { key in
      rule("without its \(key)", "It is required.", without(key, in: manifest()))
    }
    rules += ["path", "size", "mode", "kind", "sha256", "root"].map { key in
      rule("a file without its \(key)", "It is required.", without(key, in: manifest()))
    }
    return rules + [
      rule("without its files", "They are required.", manifest().replacing(#","files":[\#(one)]"#, with: "")),
      rule("an unknown member", "It is not inside an ext.", manifest(middle: #","licence":"MIT""#)),
      rule("an unknown member of a file", "It is not inside an ext.", manifest(file("a.txt", extra: #","owner":"me""#))),
      rule("an ext that is no object", "A list.", manifest(middle: #","ext":[]"#)),
      rule("an ext of a file that is no object", "A text.", manifest(file("a.txt", extra: #","ext":"x""#))),
      rule("a list", "Not an object.", "[]"),
      rule("a text", "Not an object.", #""manifest""#),
    ]
  }

  /// Leaves out the first member of that name.
  private static func without(_ key: String, in text: String) -> String {
    let pattern = try? Regex("\"\(key)\":(\"[^\"]*\"|[0-9]+|null),?")
    let cut = pattern.flatMap { text.firstMatch(of: $0) }.map { text.replacingCharacters($0.range) } ?? text
    return cut.replacing(",}", with: "}")
  }

  private static var values: [Rule] {
    [
      change("another schema", "A later one.", "manifest/1", "manifest/2"),
      change("version 0", "They count from 1.", #""version":1"#, #""version":0"#),
      change("version 2^32", "Above the largest.", #""version":1"#, #""version":4294967296"#),
      change("a version that is a text", "A number.", #""version":1"#, #""version":"1""#),
      change("a previous digest that is short", "62 digits.", "null", "\"\(hash.dropLast(2))\""),
      change(
        "a publisher in capitals", "Lower-case digits.", "\"publisher\":\"\(hash)\"", "\"publisher\":\"\(hash.uppercased())\""),
      change("a publisher that is null", "Only previous may be.", "\"publisher\":\"\(hash)\"", "\"publisher\":null"),
      change("a note that is too long", "4,097 bytes.", #""note":"""#, #""note":"\#(String(repeating: "x", count: 4_097))""#),
      rule("chunks of 3 MiB", "No power of two.", manifest(chunk: 3_145_728)),
      rule("chunks of 32 KiB", "Too small.", manifest(chunk: 32_768)),
      rule("chunks of 32 MiB", "Too large.", manifest(chunk: 33_554_432)),
      rule("chunks of 0", "No chunk.", manifest(chunk: 0)),
      rule("folder: false", "Only true.", manifest(middle: #","folder":false"#)),
      change("a name with a slash", "The rules of names.", #""name":"n""#, #""name":"a/b""#),
    ]
  }

  private static var ofFiles: [Rule] {
    let many = (0..<65).map { file(String(1_000 + $0), size: 4_294_967_296) }.joined(separator: ",")
    return [
      rule("no files", "One at least.", manifest("")),
      rule("files that are not sorted", "b before a.", files(["b", "a"])),
      rule("files sorted as texts, not as bytes", "B comes before a.", files(["a", "B"])),
      rule("a path twice", "Equal.", files(["a", "a"])),
      rule("paths that collide", "In case.", files(["A", "a"])),
      rule("a file that is a folder", "a and a/b.", files(["a", "a/b"])),
      rule("a path that is none", "Out of its folder.", files(["../a"])),
      rule(
        "a file of too many chunks", "65,536 chunks and a byte.", manifest(file("a.txt", size: 4_294_967_297), chunk: 65_536)),
      rule("too many chunks in all", "65 files of 65,536.", manifest(many, chunk: 65_536)),
      rule("an empty file with another hash", "Not H(\"\").", manifest(file("a.txt", size: 0))),
      change("mode 0777", "0644 or 0755.", "420", "511"),
      change("a set-user-id mode", "0644 or 0755.", "420", "2468"),
      change("a kind in capitals", "A word is lower case.", #""kind":"text""#, #""kind":"TEXT""#),
      change("a kind that is too long", "33 letters.", #""kind":"text""#, #""kind":"\#(String(repeating: "a", count: 33))""#),
      change("an empty kind", "One letter at least.", #""kind":"text""#, #""kind":"""#),
      change("a size that is a text", "A number.", #""size":5"#, #""size":"5""#),
      change("a root that is no hash", "Not hexadecimal.", #""root":"ab"#, #""root":"xy"#),
    ]
  }

  private static func environment(_ inner: String) -> String { manifest(middle: #","environment":{\#(inner)}"#) }

  private static var ofEnvironment: [Rule] {
    let entry = #"{"path":"a.txt","form":"pip-requirements"}"#
    let many = (0..<65).map { file(String(1_000 + $0)) }.joined(separator: ",")
    let all = (0..<65).map { #"{"path":"\#(1_000 + $0)","form":"lock"}"# }.joined(separator: ",")
    return [
      rule("an environment without files", "One at least.", environment(#""files":[]"#)),
      rule("an environment without its member", "files is required.", environment("")),
      rule(
        "an environment file that is not there", "Not one of the files.", environment(#""files":[{"path":"b","form":"lock"}]"#)),
      rule("an environment file twice", "Once each.", environment(#""files":[\#(entry),\#(entry)]"#)),
      rule("a form that is no word", "A space.", environment(#""files":[{"path":"a.txt","form":"a b"}]"#)),
      rule("an environment file without a form", "It is required.", environment(#""files":[{"path":"a.txt"}]"#)),
      rule("an unknown member of an environment", "Not inside an ext.", environment(#""files":[\#(entry)],"python":"3.12""#)),
      rule("65 environment files", "64 at most.", manifest(many, middle: #","environment":{"files":[\#(all)]}"#)),
    ]
  }

  private static func format(_ name: String, _ about: String, _ from: String, _ to: String, _ expected: FailureClass = .content)
    -> Rule
  {
    rule(name, about, manifest(file("a.txt", extra: #","format":\#(facts)"#)).replacing(from, with: to), expected)
  }

  private static var ofFormat: [Rule] {
    let many = (0..<33).map { "\"T\($0)\":1" }.joined(separator: ",")
    return [
      format("tensors that do not add up", "2 and 1 make 3.", #""tensors":3"#, #""tensors":4"#),
      format("an element type in lower case", "Capitals.", "BF16", "bf16"),
      format("an element type that is too long", "17 letters.", "BF16", String(repeating: "A", count: 17)),
      format("33 element types", "32 at most.", #"{"BF16":2,"F32":1},"tensors":3"#, "{\(many)},\"tensors\":33"),
      format("an element type twice", "A key twice.", #""F32":1"#, #""BF16":1"#, .json),
      format("too many tensors", "200,001.", #"{"BF16":2,"F32":1},"tensors":3"#, #"{"F32":200001},"tensors":200001"#),
      format("too much metadata", "16,777,217 keys.", #""metadata":4"#, #""metadata":16777217"#),
      format("kohya as a number", "True or false.", "true", "1"),
      format("no parameters", "They are required.", #","parameters":100"#, ""),
      format("an unknown member of a format", "Not inside an ext.", #""metadata":4"#, #""meta":4"#),
      format("facts about a malformed file", "It has one.", #"{"dtypes":"#, #"{"malformed":true,"dtypes":"#),
    ]
  }
}

extension String {
  fileprivate func replacingCharacters(_ range: Range<String.Index>) -> String {
    String(self[..<range.lowerBound] + self[range.upperBound...])
  }
}
