/// A small JSON value as a tree. For messages of known, small size; a manifest is read with ``JSONScanner``.
public indirect enum JSONValue: Hashable, Sendable {
  /// Members in the order of the text; keys are unique.
  case object([Member])
  /// Elements in order.
  case array([JSONValue])
  /// A text.
  case string(String)
  /// A whole number, 0…2^53 − 1.
  case integer(UInt64)
  /// `true` or `false`
  case bool(Bool)
  /// `null`
  case null

  /// One name and its value.
  public struct Member: Hashable, Sendable {
    /// The unescaped name.
    public let key: String
    /// Its value.
    public let value: JSONValue

    /// A member.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The value of a member, if this is an object that has it.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// Reads one strict JSON text.
  public static func parse(_ bytes: Span<UInt8>) throws(JSONFailure) -> JSONValue {
    var scanner = JSONScanner(bytes)
    guard let first = try scanner.next() else { throw JSONFailure(.truncated, at: 0) }
    let value = try read(first, from: &scanner)
    _ = try scanner.next()
    return value
  }

  /// Reads the rest of a value whose first event was just taken from the scanner.
  public static func read(_ first: JSONEvent, from scanner: inout JSONScanner) throws(JSONFailure) -> JSONValue {
    switch first {
    case .string(let text): return .string(text)
    case .integer(let number): return .integer(number)
    case .bool(let flag): return .bool(flag)
    case .null: return .null
    case .beginArray:
      var elements: [JSONValue] = []
      while let event = try scanner.next(), event != .endArray { elements.append(try read(event, from: &scanner)) }
      return .array(elements)
    case .beginObject:
      var members: [Member] = []
      while let event = try scanner.next(), case .key(let key) = event {
        guard let inner = try scanner.next() else { break }
        members.append(Member(key, try read(inner, from: &scanner)))
      }
      return .object(members)
    case .endArray, .endObject, .key: throw JSONFailure(.syntax, at: scanner.offset)
    }
  }

  /// The value as compact UTF-8 text, members in their order.
  public func serialized() -> [UInt8] {
    var text: [UInt8] = []
    write(into: &text)
    return text
  }

  private func write(into text: inout [UInt8]) {
    switch self {
    case .null: text.append(contentsOf: "null".utf8)
    case .bool(let flag): text.append(contentsOf: (flag ? "true" : "false").utf8)
    case .integer(let number): text.append(contentsOf: String(number).utf8)
    case .string(let value): Self.write(value, into: &text)
    case .array(let elements):
      text.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        element.write(into: &text)
      }
      text.append(UInt8(ascii: "]"))
    case .object(let members):
      text.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        Self.write(member.key, into: &text)
        text.append(UInt8(ascii: ":"))
        member.value.write(into: &text)
      }
      text.append(UInt8(ascii: "}"))
    }
  }

  /// Appends a quoted text. Only what JSON demands is escaped: `"`, `\` and controls below U+0020.
  public static func write(_ value: String, into text: inout [UInt8]) {
    text.append(UInt8(ascii: "\""))
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        text.append(UInt8(ascii: "\\"))
        text.append(byte)
      case 0..<0x20:
        text.append(contentsOf: "\\u00".utf8)
        text.append(contentsOf: Hex.encode([byte]).utf8)
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}
