/// What a file is, as far as its name and first bytes tell. A word in the manifest; words that we do not know are kept.
public struct FileKind: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// Longer than any word in use.
  public static let maximumBytes = 32

  /// A safetensors file.
  public static let safetensors = FileKind(known: "safetensors")
  /// A GGUF file of llama.cpp and its kin.
  public static let gguf = FileKind(known: "gguf")
  /// An ONNX graph.
  public static let onnx = FileKind(known: "onnx")
  /// A checkpoint of `torch.save`: a zip with a pickle inside, or a bare pickle. It can run code when it is loaded.
  public static let pytorch = FileKind(known: "pytorch")
  /// Any other pickle. It can run code when it is loaded.
  public static let pickle = FileKind(known: "pickle")
  /// JSON.
  public static let json = FileKind(known: "json")
  /// YAML.
  public static let yaml = FileKind(known: "yaml")
  /// Other text.
  public static let text = FileKind(known: "text")
  /// A picture.
  public static let image = FileKind(known: "image")
  /// Anything else.
  public static let other = FileKind(known: "other")

  /// The word: 1 to 32 of `[a-z0-9-]`.
  public let rawValue: String

  /// A word from a manifest, or nil if it is none.
  public init?(rawValue: String) {
    let bytes = rawValue.utf8
    let isWord = bytes.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: "-")
    }
    guard isWord, (1...Self.maximumBytes).contains(bytes.count) else { return nil }
    self.rawValue = rawValue
  }

  private init(known: String) { rawValue = known }

  /// The word.
  public var description: String { rawValue }
}

/// Tells kinds apart.
public enum FileFormat {
  /// How much of a file's beginning is looked at.
  public static let headBytes = 512

  private static let byExtension: [String: FileKind] = [
    "safetensors": .safetensors, "gguf": .gguf, "onnx": .onnx, "pt": .pytorch, "pth": .pytorch, "ckpt": .pytorch,
    "pkl": .pickle, "pickle": .pickle, "joblib": .pickle, "json": .json, "jsonl": .json, "yaml": .yaml, "yml": .yaml,
    "txt": .text, "md": .text, "csv": .text, "tsv": .text, "toml": .text, "ini": .text, "cfg": .text, "log": .text,
    "lock": .text, "py": .text, "sh": .text, "caption": .text,
  ]
  private static let imageMagics: [[UInt8]] = [
    [0x89, 0x50, 0x4E, 0x47], [0xFF, 0xD8, 0xFF], Array("GIF8".utf8), Array("BM".utf8),
  ]
  private static let imageExtensions: Set<String> = ["png", "jpg", "jpeg", "gif", "bmp", "webp"]

  /// What a file is.
  ///
  /// A name that ends in `.safetensors` decides alone, so that a pickle under that name shows up as a malformed safetensors
  /// file. For the others the first bytes go before the name: a checkpoint renamed to `.txt` is still a pickle.
  ///
  /// - Parameter head: the first bytes, ``headBytes`` of them if the file has as many.
  public static func kind(path: SafePath, head: Span<UInt8>) -> FileKind {
    let suffix = fileExtension(path)
    let byName = byExtension[suffix]
    if byName == .safetensors { return .safetensors }
    let start = (0..<min(head.count, 16)).map { head[$0] }
    if start.starts(with: "GGUF".utf8) { return .gguf }
    if imageExtensions.contains(suffix), isImage(start) { return .image }
    // Protocol 2 to 5 pickles begin with PROTO and the protocol's number.
    if start.count > 1, start[0] == 0x80, (2...5).contains(start[1]) { return byName == .pickle ? .pickle : .pytorch }
    if start.starts(with: [0x50, 0x4B, 0x03, 0x04]), byName == .pytorch || suffix == "bin" { return .pytorch }
    let possibleHeaders = 2...UInt64(Safetensors.maximumHeaderBytes)
    if byName == nil, start.count > 8, start[8] == UInt8(ascii: "{"), possibleHeaders.contains(littleEndian(start)) {
      return .safetensors
    }
    return byName ?? .other
  }

  /// The first eight bytes as a little-endian number: the length of a safetensors header.
  static func littleEndian(_ bytes: [UInt8]) -> UInt64 {
    bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func isImage(_ start: [UInt8]) -> Bool {
    imageMagics.contains { start.starts(with: $0) }
      || (start.count >= 12 && start.starts(with: "RIFF".utf8) && start[8..<12].elementsEqual("WEBP".utf8))
  }

  private static func fileExtension(_ path: SafePath) -> String {
    let name = path.lastComponent.utf8
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex else { return "" }
    return String(Substring(name[name.index(after: dot)...])).lowercased()
  }
}
