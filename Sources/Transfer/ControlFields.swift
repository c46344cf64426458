internal import Artifact
internal import Primitives
internal import Wire

/// Why a payload is not a control message. Says nothing of what was in it.
public struct ControlError: Error, Hashable, Sendable {
  /// The broken rule.
  public enum Code: Hashable, Sendable {
    /// Not strict JSON, not an object with a `type`, or a member is missing, of another type, or out of range.
    case malformed
    /// Longer than an envelope carries.
    case tooLarge
  }

  /// The broken rule.
  public let code: Code

  init(_ code: Code) { self.code = code }
}

/// The members of one message, each read as the type it must have. Members that nobody asks for are passed over: later
/// versions may add some.
struct ControlFields {
  private let value: JSONValue

  init(_ value: JSONValue) throws(ControlError) {
    guard case .object = value else { throw ControlError(.malformed) }
    self.value = value
  }

  private static var malformed: ControlError { ControlError(.malformed) }

  func has(_ key: String) -> Bool {
    switch value[key] {
    case nil, .null: false
    default: true
    }
  }

  func text(_ key: String, atMost limit: Int) throws(ControlError) -> String {
    guard case .string(let text) = value[key], text.utf8.count <= limit else { throw Self.malformed }
    return text
  }

  func integer(_ key: String, in range: ClosedRange<UInt64> = 0...JSONScanner.maximumInteger) throws(ControlError) -> UInt64 {
    guard case .integer(let number) = value[key], range.contains(number) else { throw Self.malformed }
    return number
  }

  func array(_ key: String, atMost limit: Int) throws(ControlError) -> [JSONValue] {
    guard case .array(let elements) = value[key], elements.count <= limit else { throw Self.malformed }
    return elements
  }

  func object(_ key: String) throws(ControlError) -> ControlFields {
    guard let inner = value[key] else { throw Self.malformed }
    return try ControlFields(inner)
  }

  func texts(_ key: String, atMost limit: Int, bytes: Int) throws(ControlError) -> [String] {
    var texts: [String] = []
    for element in try array(key, atMost: limit) {
      guard case .string(let text) = element, text.utf8.count <= bytes else { throw Self.malformed }
      texts.append(text)
    }
    return texts
  }

  func id<Tag>(_ key: String) throws(ControlError) -> ID16<Tag> {
    guard let id = ID16<Tag>(hex: try text(key, atMost: 2 * TransferLimits.idBytes)) else { throw Self.malformed }
    return id
  }

  func digest(_ key: String) throws(ControlError) -> Digest {
    guard let bytes = Hex.decode(try text(key, atMost: 2 * Digest.byteCount)), let digest = try? Digest(bytes) else {
      throw Self.malformed
    }
    return digest
  }

  func name(_ key: String) throws(ControlError) -> ArtifactName {
    guard let name = try? ArtifactName(try text(key, atMost: ArtifactName.maximumBytes)) else { throw Self.malformed }
    return name
  }

  func version(_ key: String) throws(ControlError) -> ArtifactVersion {
    ArtifactVersion(try integer(key, in: 1...UInt64(ArtifactVersion.max)))
  }

  func kind(_ key: String) throws(ControlError) -> SegmentKind {
    guard let kind = SegmentKind(rawValue: UInt8(try integer(key, in: 0...255))) else { throw Self.malformed }
    return kind
  }

  func aead(_ key: String) throws(ControlError) -> BulkCipher.Algorithm {
    guard let aead = BulkCipher.Algorithm(rawValue: UInt8(try integer(key, in: 0...255))) else { throw Self.malformed }
    return aead
  }

  func ranges(_ key: String) throws(ControlError) -> [ChunkRange] {
    var ranges: [ChunkRange] = []
    for element in try array(key, atMost: TransferLimits.ranges) {
      guard case .array(let triple) = element, triple.count == 3, case .integer(let file) = triple[0],
        case .integer(let first) = triple[1], case .integer(let count) = triple[2]
      else { throw Self.malformed }
      ranges.append(ChunkRange(file: Int(file), first: Int(first), count: Int(count)))
    }
    guard ChunkRange.isProper(ranges) else { throw Self.malformed }
    return ranges
  }

  /// 32 secret bytes, decoded straight into locked memory. The text they came in is an ordinary one and is not wiped.
  func secret(_ key: String) throws(ControlError) -> SecretBox {
    guard case .string(let text) = value[key], text.utf8.count == 2 * TransferLimits.secretBytes else { throw Self.malformed }
    var secret = SecretBytes(zeroes: TransferLimits.secretBytes)
    var index = 0
    for digit in text.utf8 {
      let nibble: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = digit - UInt8(ascii: "a") + 10
      default: throw Self.malformed
      }
      var bytes = secret.mutableSpan
      bytes[index / 2] = bytes[index / 2] << 4 | nibble
      index += 1
    }
    return SecretBox(secret)
  }
}

/// Puts members in their order.
struct ControlWriter {
  private(set) var members: [JSONValue.Member]

  init(type: String) { members = [JSONValue.Member("type", .string(type))] }

  init() { members = [] }

  var value: JSONValue { .object(members) }

  mutating func set(_ key: String, _ value: JSONValue) { members.append(JSONValue.Member(key, value)) }
  mutating func set(_ key: String, _ text: String) { set(key, .string(text)) }
  mutating func set(_ key: String, _ number: UInt64) { set(key, .integer(number)) }
  mutating func set<Tag>(_ key: String, _ id: ID16<Tag>) { set(key, .string(id.hex)) }
  mutating func set(_ key: String, _ digest: Digest) { set(key, .string(digest.hex)) }
  mutating func set(_ key: String, _ ranges: [ChunkRange]) {
    set(
      key,
      .array(ranges.map { .array([.integer(UInt64($0.file)), .integer(UInt64($0.first)), .integer(UInt64($0.count))]) }))
  }

  /// A secret, for an envelope: the payload is an ordinary array until it is sealed.
  mutating func set(_ key: String, _ secret: SecretBox) { set(key, .string(Hex.encode(secret.bytes.copyBytes()))) }
}
