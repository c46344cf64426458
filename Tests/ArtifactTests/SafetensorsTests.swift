import Artifact
import Testing

@Suite struct SafetensorsTests {
  static func file(_ header: String, data: Int) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64($0 * 8)) } + Array(header.utf8)
      + [UInt8](repeating: 1, count: data)
  }

  /// What a publisher's pass over such a file finds, fed in pieces.
  static func facts(_ bytes: [UInt8], name: String = "lora.safetensors", piece: Int = 7) throws -> FileFacts {
    let layout = try ChunkLayout(sizeBytes: UInt64(bytes.count), chunkBytes: ChunkLayout.defaultChunkBytes)
    var hasher = try FileHasher(path: SafePath(name), layout: layout)
    for start in stride(from: 0, to: bytes.count, by: piece) {
      try hasher.update(Array(bytes[start..<min(bytes.count, start + piece)]).span)
    }
    return try hasher.finish()
  }

  static let kohya = """
    {"__metadata__":{"ss_tag_frequency":"{\\"a\\": 1}","modelspec.title":"x"},\
    "lora_down":{"dtype":"F16","shape":[4,16],"data_offsets":[0,128]},\
    "alpha":{"dtype":"F32","shape":[],"data_offsets":[128,132]},\
    "none":{"dtype":"BF16","shape":[0,3],"data_offsets":[132,132]}}
    """

  @Test(arguments: [1, 7, 64, 10_000])
  func factsOfAKohyaFileAreFound(piece: Int) throws {
    let facts = try Self.facts(Self.file(Self.kohya + "   ", data: 132), piece: piece)
    #expect(facts.kind == .safetensors)
    let format = try #require(facts.format)
    #expect(!format.isMalformed)
    #expect(format.dtypes.map(\.name) == ["BF16", "F16", "F32"] && format.dtypes.map(\.tensors) == [1, 1, 1])
    #expect(format.tensors == 3 && format.parameters == 65)
    #expect(format.metadataKeys == 2 && format.hasKohyaMetadata)
    #expect(format.dtypeSummary == "BF16 ×1, F16 ×1, F32 ×1")
  }

  @Test func aLargeHeaderIsReadWhole() throws {
    let tensors = (0..<5_000).map { #""layer.\#($0)":{"dtype":"I8","shape":[1],"data_offsets":[\#($0),\#($0 + 1)]}"# }
    let facts = try Self.facts(Self.file("{\(tensors.joined(separator: ","))}", data: 5_000), piece: 4_000)
    #expect(facts.format?.tensors == 5_000 && facts.format?.parameters == 5_000)
    #expect(facts.format?.dtypeSummary == "I8" && facts.format?.hasKohyaMetadata == false)
  }

  @Test func safetensorsAreRecognisedUnderAnotherName() throws {
    #expect(try Self.facts(Self.file(Self.kohya, data: 132), name: "weights").kind == .safetensors)
  }

  static func tensor(_ dtype: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    #"{"dtype":"\#(dtype)","shape":[\#(shape)],"data_offsets":[\#(begin),\#(end)]}"#
  }

  static let bad: [(String, Int, Safetensors.Failure)] = [
    ("", 0, .json), ("[]", 0, .json), (" {}", 0, .json), ("{", 0, .json), (#"{"a":1}"#, 0, .json), ("{}x", 0, .json),
    (#"{"a":{"dtype":"F16","shape":[1]}}"#, 2, .json), (#"{"a":{"dtype":"F16","shape":[1.0],"data_offsets":[0,2]}}"#, 2, .json),
    (#"{"a":{"dtype":"F16","shape":[-1],"data_offsets":[0,2]}}"#, 2, .json),
    (#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2,4]}}"#, 2, .json),
    (#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2],"x":1}}"#, 2, .json),
    (#"{"a":\#(tensor("F16", "1", 0, 2)),"a":\#(tensor("F16", "1", 2, 4))}"#, 4, .json),
    (#"{"__metadata__":{"a":1}}"#, 0, .json), (#"{"__metadata__":[]}"#, 0, .json),
    (#"{"a":\#(tensor("F17", "1", 0, 2))}"#, 2, .dtype), (#"{"a":\#(tensor("f16", "1", 0, 2))}"#, 2, .dtype),
    (#"{"a":\#(tensor("F16", "2", 0, 2))}"#, 2, .size), (#"{"a":\#(tensor("F4", "1", 0, 1))}"#, 1, .size),
    (#"{"a":\#(tensor("U8", "4294967296,4294967296", 0, 0))}"#, 0, .size),
    (#"{"a":\#(tensor("F64", "2305843009213693952", 0, 0))}"#, 0, .json),
    (#"{"a":\#(tensor("F16", "1", 2, 0))}"#, 2, .offsets), (#"{"a":\#(tensor("F16", "1", 0, 2))}"#, 3, .offsets),
    (#"{"a":\#(tensor("F16", "1", 0, 2))}"#, 1, .offsets), (#"{"a":\#(tensor("F16", "1", 1, 3))}"#, 3, .offsets),
    (#"{"a":\#(tensor("U8", "2", 0, 2)),"b":\#(tensor("U8", "2", 1, 3))}"#, 3, .offsets),
    (#"{"a":\#(tensor("U8", "2", 0, 2)),"b":\#(tensor("U8", "2", 3, 5))}"#, 5, .offsets),
    (#"{"a":\#(tensor("U8", "2", 0, 2)),"b":\#(tensor("U8", "2", 0, 2))}"#, 2, .offsets),
    ("{}", 1, .offsets),
  ]

  @Test(arguments: bad)
  func malformedHeadersAreRefusedAndShownAsMalformed(header: String, data: Int, failure: Safetensors.Failure) throws {
    #expect(throws: failure) { try Safetensors.parse(header: Array(header.utf8).span, dataBytes: UInt64(data)) }
    let facts = try Self.facts(Self.file(header, data: data))
    #expect(facts.kind == .safetensors && facts.format == .malformed)
  }

  @Test(
    arguments: [
      [], [1], [8, 0, 0, 0, 0, 0, 0, 0], [255, 255, 255, 255, 255, 255, 255, 255, 123], [0, 0, 0, 1, 0, 0, 0, 1, 123, 125],
      [0, 0, 0, 2, 0, 0, 0, 0, 123, 125], [0x80, 2, 0x63, 0x6F, 0x73, 0x0A, 1, 2, 3, 4],
    ] as [[UInt8]])
  func brokenLengthsAreMalformed(bytes: [UInt8]) throws {
    let facts = try Self.facts(bytes)
    #expect(facts.kind == .safetensors && facts.format == .malformed)
  }

  @Test func noDamageCrashesTheReader() {
    var generator = SeededGenerator(seed: 3)
    let header = Array(Self.kohya.utf8)
    for _ in 0..<3_000 {
      var damaged = header
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
      }
      _ = try? Safetensors.parse(header: damaged.span, dataBytes: UInt64.random(in: 0...200, using: &generator))
    }
  }

  @Test(arguments: [
    ("m.gguf", "xxxx", FileKind.gguf), ("m.bin", "GGUF\u{3}", .gguf), ("m.onnx", "", .onnx), ("m.pt", "PK\u{3}\u{4}", .pytorch),
    ("pytorch_model.bin", "PK\u{3}\u{4}", .pytorch), ("a.zip", "PK\u{3}\u{4}", .other), ("x.JSON", "{", .json),
    ("x.yml", "", .yaml),
    ("c.txt", "a fox", .text), ("noextension", "hello", .other), (".gitignore", "", .other),
    ("a.jpeg", "not a picture", .other),
    ("a.gif", "GIF89a", .image), ("a.webp", "RIFF____WEBP", .image), ("m.ckpt", "", .pytorch), ("m.pkl", "", .pickle),
  ])
  func kindsFollowNameAndFirstBytes(name: String, head: String, expected: FileKind) throws {
    #expect(try kind("dir.png/" + name, Array(head.utf8)) == expected)
  }

  @Test func theShortestFilesHaveAKind() throws {
    for head in [[], [0x80], [0x47], [0x50, 0x4B], [2, 0, 0, 0, 0, 0, 0, 0]] as [[UInt8]] {
      #expect(try kind("m", head) == .other)
    }
    #expect(try kind("m", [2, 0, 0, 0, 0, 0, 0, 0, 0x7B]) == .safetensors)
  }

  @Test func aPickleUnderAnotherNameIsStillAPickle() throws {
    let pickle: [UInt8] = [0x80, 0x04, 0x95, 0x10]
    for (name, expected) in [("notes.txt", FileKind.pytorch), ("m.bin", .pytorch), ("m", .pytorch), ("m.pkl", .pickle)] {
      #expect(try kind(name, pickle) == expected)
    }
    #expect(try kind("a.png", [0x89, 0x50, 0x4E, 0x47]) == .image)
  }
}
