import Wire

@testable import Transfer

/// `control.json`: control messages as texts.
enum ControlVectors: VectorKind {
  static let file = "control"
  static let section = "10"
  static let about =
    "Control messages. `message`: a text; `canonical` is what our writer makes of it, and is missing where the type is unknown and the message ignored."

  private static let id = String(repeating: "1a", count: 16)
  private static let digest = String(repeating: "2b", count: 32)
  private static let key = String(repeating: "3c", count: 32)

  private static func entry(_ name: String, _ version: Int = 1) -> String {
    #"{"name":"\#(name)","version":\#(version),"digest":"\#(digest)","bytes":20000000,"files":2,"note":"","created":1700000000,"publisher":"\#(key)"}"#
  }

  private static func catalog(_ entries: String, next: String = "") -> String {
    #"{"type":"catalog","req":7,"entries":[\#(entries)]\#(next)}"#
  }

  private static func want(
    ranges: String = "[[0,0,20]]", aeads: String = "[1,2]", connection: String? = nil, kind: Int = 0
  ) -> String {
    let connection = connection ?? #"{"cid":"\#(id)","ckey":"\#(key)"}"#
    return
      #"{"type":"want","req":9,"transfer":"\#(id)","digest":"\#(digest)","kind":\#(kind),"ranges":\#(ranges),"aeads":\#(aeads),"connection":\#(connection)}"#
  }

  private static func grant(kind: Int = 0, ranges: String = "[[0,0,20]]", extra: String = "") -> String {
    #"{"type":"grant","req":9,"gid":"\#(id)","secret":"\#(key)","kind":\#(kind),"aead":1,"digest":"\#(digest)","transfer":"\#(id)","ranges":\#(ranges),"cid":"\#(id)"\#(extra)}"#
  }

  private static func deny(_ reason: String, path: String = "") -> String {
    #"{"type":"deny","req":9,"transfer":"\#(id)","reason":"\#(reason)"\#(path)}"#
  }

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    try good.map { name, about, text in
      let vector = VectorCase(name, about, op: "message").text("text", text)
      guard let message = try ControlMessage.parse(Array(text.utf8)) else { return vector.expect(.ok) }
      return vector.text("canonical", String(decoding: message.payload, as: UTF8.self)).expect(.ok)
    } + bad.map { name, about, text in VectorCase(name, about, op: "message").text("text", text).expect(.json) }
  }

  private static var good: [(String, String, String)] {
    [
      (
        "hello", "A name and two addresses.",
        #"{"type":"hello","name":"studio","addresses":["192.0.2.7:7411","[2001:db8::7]:7411"]}"#
      ),
      ("hello without addresses", "An empty list.", #"{"type":"hello","name":"s","addresses":[]}"#),
      ("catalog.get", "The first page.", #"{"type":"catalog.get","req":7}"#),
      ("catalog.get for a further page", "After an entry.", #"{"type":"catalog.get","req":7,"after":"anime-lora@v3"}"#),
      ("catalog.get after null", "As if it were missing.", #"{"type":"catalog.get","req":0,"after":null}"#),
      ("an empty catalog", "Nothing for us.", catalog("")),
      (
        "a catalog", "Sorted by the bytes of the names, then by version.",
        catalog([entry("B"), entry("a"), entry("a", 2), entry("a", 10), entry("ä")].joined(separator: ","))
      ),
      ("a page of a catalog", "There is more.", catalog(entry("a", 3), next: #","next":"a@v3""#)),
      ("resolve", "The latest version.", #"{"type":"resolve","req":8,"name":"anime-lora"}"#),
      ("resolve a version", "The third.", #"{"type":"resolve","req":8,"name":"anime-lora","version":3}"#),
      ("resolved", "An entry.", #"{"type":"resolved","req":8,"entry":\#(entry("anime-lora", 3))}"#),
      ("resolved to nothing", "null.", #"{"type":"resolved","req":8,"entry":null}"#),
      ("resolved without an entry", "Missing, as if null.", #"{"type":"resolved","req":8}"#),
      ("want of chunks", "A range, and a new connection.", want()),
      ("want of the manifest", "No ranges, a known connection.", want(ranges: "[]", connection: #"{"cid":"\#(id)"}"#, kind: 1)),
      ("want of leaf lists", "Several files.", want(ranges: "[[0,0,1],[0,2,1],[99999,65535,65536]]", kind: 2)),
      (
        "want in another order", "Members may stand in any order, and unknown ones are ignored.",
        #"{"later":{"a":[1]},"connection":{"x":1,"cid":"\#(id)"},"aeads":[2],"ranges":[[1,2,3]],"kind":0,"digest":"\#(digest)","transfer":"\#(id)","req":9,"type":"want"}"#
      ),
      ("grant", "For chunks.", grant()),
      ("grant of a manifest", "With its length.", grant(kind: 1, ranges: "[]", extra: #","bytes":4011"#)),
      ("deny", "Without a path.", deny("notFound")),
      ("deny because of a file", "With its path.", deny("changed", path: #","path":"a/b.safetensors""#)),
      (
        "deny of a file that cannot be read", "unreadable, with its path.",
        deny("unreadable", path: #","path":"a/b.safetensors""#)
      ),
      ("deny with an unknown reason", "Not in the table: busy.", deny("because")),
      ("an unknown type", "Ignored.", #"{"type":"later","req":1}"#),
      ("escapes and white space", "The same message.", " { \"type\" : \"res\\u006flve\", \"req\":1, \"name\":\"a\\u00e9\" } "),
    ]
  }

  private static var bad: [(String, String, String)] {
    let many = (0..<2_049).map { "[\($0),0,1]" }.joined(separator: ",")
    let long = String(repeating: "x", count: 161)
    return [
      ("no object", "A list.", "[]"),
      ("no type", "It is required.", #"{"req":1}"#),
      ("a type that is a number", "A text.", #"{"type":1}"#),
      ("a type twice", "No key twice.", #"{"type":"resolve","type":"resolve","req":1,"name":"a"}"#),
      ("hello without a name", "It is required.", #"{"type":"hello","addresses":[]}"#),
      (
        "hello with nine addresses", "Eight at most.",
        #"{"type":"hello","name":"s","addresses":[\#(Array(repeating: "\"a:1\"", count: 9).joined(separator: ","))]}"#
      ),
      (
        "hello with a long name", "65 bytes.",
        #"{"type":"hello","name":"\#(String(repeating: "n", count: 65))","addresses":[]}"#
      ),
      (
        "hello with a long address", "263 bytes.",
        #"{"type":"hello","name":"s","addresses":["\#(String(repeating: "a", count: 261)):1"]}"#
      ),
      ("hello with an address that is a number", "Texts.", #"{"type":"hello","name":"s","addresses":[1]}"#),
      ("catalog.get without req", "It is required.", #"{"type":"catalog.get"}"#),
      ("catalog.get with a req that is a text", "A number.", #"{"type":"catalog.get","req":"7"}"#),
      ("catalog.get with req null", "It is not optional.", #"{"type":"catalog.get","req":null}"#),
      ("catalog.get with a long cursor", "161 bytes.", #"{"type":"catalog.get","req":7,"after":"\#(long)"}"#),
      ("catalog without entries", "They are required.", #"{"type":"catalog","req":7}"#),
      ("catalog that is not sorted", "a before B.", catalog([entry("a"), entry("B")].joined(separator: ","))),
      (
        "catalog with versions in another order", "10 before 2.",
        catalog([entry("a", 10), entry("a", 2)].joined(separator: ","))
      ),
      ("catalog with an entry twice", "Once each.", catalog([entry("a"), entry("a")].joined(separator: ","))),
      ("catalog with another next", "Not its last entry.", catalog(entry("a", 3), next: #","next":"b@v1""#)),
      ("an empty catalog with next", "Nothing is its last entry.", catalog("", next: #","next":"b@v1""#)),
      ("catalog with a bad name", "The rules of names.", catalog(entry("a/b"))),
      ("catalog with version 0", "They count from 1.", catalog(entry("a", 0))),
      (
        "catalog with a digest in capitals", "Lower-case digits.",
        catalog(entry("a").replacing(digest, with: digest.uppercased()))
      ),
      ("catalog with too many files", "100,001.", catalog(entry("a").replacing(#""files":2"#, with: #""files":100001"#))),
      (
        "catalog with a long note", "4,097 bytes.",
        catalog(entry("a").replacing(#""note":"""#, with: #""note":"\#(String(repeating: "n", count: 4_097))""#))
      ),
      ("resolve without a name", "It is required.", #"{"type":"resolve","req":8}"#),
      ("resolve of a bad name", "A leading dot.", #"{"type":"resolve","req":8,"name":".a"}"#),
      ("resolve of version 0", "They count from 1.", #"{"type":"resolve","req":8,"name":"a","version":0}"#),
      ("resolve of version 2^32", "Too large.", #"{"type":"resolve","req":8,"name":"a","version":4294967296}"#),
      ("resolved to a text", "An entry.", #"{"type":"resolved","req":8,"entry":"a"}"#),
      ("want with a short id", "30 digits.", want().replacing(id, with: String(id.dropLast(2)))),
      ("want of kind 3", "Unknown.", want(kind: 3)),
      ("want without a connection", "It is required.", want(connection: "null")),
      ("want with a short ckey", "62 digits.", want(connection: #"{"cid":"\#(id)","ckey":"\#(key.dropLast(2))"}"#)),
      ("want with nine ciphers", "Eight at most.", want(aeads: "[1,2,3,4,5,6,7,8,9]")),
      ("want with a cipher that is a text", "Numbers.", want(aeads: #"[1,"aes"]"#)),
      ("want of a range of two numbers", "Three.", want(ranges: "[[0,0]]")),
      ("want of an empty range", "One chunk at least.", want(ranges: "[[0,0,0]]")),
      ("want of too long a range", "65,537 chunks.", want(ranges: "[[0,0,65537]]")),
      ("want of a chunk that no file has", "First 65,536.", want(ranges: "[[0,65536,1]]")),
      ("want of a file that no manifest has", "100,000.", want(ranges: "[[100000,0,1]]")),
      ("want of files in another order", "Sorted.", want(ranges: "[[1,0,1],[0,0,1]]")),
      ("want of chunks in another order", "Sorted.", want(ranges: "[[0,5,1],[0,0,1]]")),
      ("want of ranges that overlap", "Chunk 4 twice.", want(ranges: "[[0,0,5],[0,4,2]]")),
      ("want of 2,049 ranges", "2,048 at most.", want(ranges: "[\(many)]")),
      ("grant with an unknown cipher", "3.", grant().replacing(#""aead":1"#, with: #""aead":3"#)),
      ("grant without a secret", "It is required.", grant().replacing(#""secret":"\#(key)","#, with: "")),
      ("grant of a manifest without its length", "bytes is required.", grant(kind: 1, ranges: "[]")),
      ("grant of chunks with a length", "bytes goes with kind 1 alone.", grant(extra: #","bytes":4011"#)),
      ("grant of an empty manifest", "One byte at least.", grant(kind: 1, ranges: "[]", extra: #","bytes":0"#)),
      ("grant of a manifest that is too long", "33,562,633 bytes.", grant(kind: 1, ranges: "[]", extra: #","bytes":33562633"#)),
      ("deny with a path that is none", "Out of its folder.", deny("changed", path: #","path":"../a""#)),
    ]
  }

  static func check(_ vector: VectorCase) throws {
    guard try vector.text("op") == "message" else { throw try unknownOperation(vector) }
    let message: ControlMessage?
    do { message = try ControlMessage.parse(Array(try vector.text("text").utf8)) } catch is ControlError {
      throw Refusal(failure: .json)
    }
    guard let message else { return try insist(!vector.has("canonical"), "it is ignored") }
    try vector.same("canonical", String(decoding: message.payload, as: UTF8.self))
  }
}
