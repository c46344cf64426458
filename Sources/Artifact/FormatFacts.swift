/// What is inside a safetensors file, as its publisher saw it. A claim like all of a manifest: shown, never relied on.
public struct FormatFacts: Hashable, Sendable {
  /// One element type and how many tensors have it.
  public struct DTypeCount: Hashable, Sendable {
    /// As the format spells it: `F16`, `BF16`.
    public let name: String
    /// How many tensors.
    public let tensors: Int

    /// A count.
    public init(name: String, tensors: Int) {
      self.name = name
      self.tensors = tensors
    }
  }

  /// More element types than the format has.
  public static let maximumDTypes = 32
  /// Longer than any of their names.
  public static let maximumDTypeBytes = 16

  /// Element types, sorted by name.
  public let dtypes: [DTypeCount]
  /// How many tensors.
  public let tensors: Int
  /// How many numbers in all of them.
  public let parameters: UInt64
  /// How many keys `__metadata__` has.
  public let metadataKeys: Int
  /// Whether `__metadata__` has kohya's `ss_` keys, which tell how and on what was trained.
  public let hasKohyaMetadata: Bool
  /// The header could not be read: no other fact is known, and no loader should be given the file.
  public let isMalformed: Bool

  /// Facts about a header that could be read.
  public init(
    dtypes: [DTypeCount], tensors: Int, parameters: UInt64, metadataKeys: Int = 0, hasKohyaMetadata: Bool = false
  ) {
    self.init(dtypes, tensors, parameters, metadataKeys, hasKohyaMetadata, isMalformed: false)
  }

  /// The one fact about a header that could not be read.
  public static let malformed = FormatFacts([], 0, 0, 0, false, isMalformed: true)

  private init(_ dtypes: [DTypeCount], _ tensors: Int, _ parameters: UInt64, _ keys: Int, _ kohya: Bool, isMalformed: Bool) {
    self.dtypes = dtypes
    self.tensors = tensors
    self.parameters = parameters
    metadataKeys = keys
    hasKohyaMetadata = kohya
    self.isMalformed = isMalformed
  }

  /// `F16`, or `F16 ×264, F32 ×1` when there are several.
  public var dtypeSummary: String {
    if dtypes.count == 1 { return dtypes[0].name }
    return dtypes.map { "\($0.name) ×\($0.tensors)" }.joined(separator: ", ")
  }

  /// Whether a word can be an element type: 1 to 16 of `[A-Z0-9_]`.
  static func isDType(_ name: String) -> Bool {
    (1...maximumDTypeBytes).contains(name.utf8.count)
      && name.utf8.allSatisfy {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || $0 == UInt8(ascii: "_")
      }
  }
}

/// Collects a file's beginning while it streams past, and says at its end what the file is.
public struct FormatProbe: Sendable {
  private let path: SafePath
  private let fileBytes: UInt64
  private var head: [UInt8] = []
  /// How many bytes of the beginning are wanted.
  private var wanted = FileFormat.headBytes

  /// A probe before the first byte of a file of so many bytes.
  public init(path: SafePath, fileBytes: UInt64) {
    self.path = path
    self.fileBytes = fileBytes
  }

  /// Takes the file's next bytes; what lies behind its header is of no interest.
  public mutating func append(_ bytes: Span<UInt8>) {
    take(bytes, from: 0)
  }

  /// How many bytes more it needs, once it has seen the first ``FileFormat/headBytes`` or the whole file.
  public var missingBytes: Int { max(0, min(wanted, Int(clamping: fileBytes)) - head.count) }

  /// The kind, and the facts if it is a safetensors file.
  public consuming func finish() -> (FileKind, FormatFacts?) {
    let kind = FileFormat.kind(path: path, head: head.span)
    guard kind == .safetensors else { return (kind, nil) }
    guard let length = headerBytes, head.count >= 8 + length else { return (kind, .malformed) }
    let facts = try? Safetensors.parse(
      header: head.span.extracting(8..<8 + length), dataBytes: fileBytes - 8 - UInt64(length))
    return (kind, facts ?? .malformed)
  }

  private mutating func take(_ bytes: Span<UInt8>, from start: Int) {
    let taken = min(wanted - head.count, bytes.count - start)
    guard taken > 0 else { return }
    for index in start..<start + taken { head.append(bytes[index]) }
    guard head.count == wanted, wanted == FileFormat.headBytes, let length = headerBytes,
      FileFormat.kind(path: path, head: head.span) == .safetensors
    else { return }
    wanted = max(wanted, 8 + length)
    take(bytes, from: start + taken)
  }

  /// The length of a safetensors header, if it is one that the file can have.
  private var headerBytes: Int? {
    guard head.count >= 8 else { return nil }
    let length = FileFormat.littleEndian(head)
    guard length <= UInt64(Safetensors.maximumHeaderBytes), fileBytes >= 8, length <= fileBytes - 8 else { return nil }
    return Int(length)
  }
}
