import FoundationEssentials
import Testing

/// A line of `--json` output as a script sees it: names and values, no types of ours.
enum JSON: Decodable, Hashable, Sendable {
  case object([String: JSON])
  case array([JSON])
  case string(String)
  case number(Double)
  case bool(Bool)
  case null

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {
      self = .bool(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .string(text)
    } else if let elements = try? value.decode([JSON].self) {
      self = .array(elements)
    } else {
      self = .object(try value.decode([String: JSON].self))
    }
  }

  /// Reads one line.
  init(line: some StringProtocol) throws {
    self = try JSONDecoder().decode(JSON.self, from: Data(line.utf8))
  }

  subscript(_ key: String) -> JSON { if case .object(let members) = self { members[key] ?? .null } else { .null } }
  subscript(_ index: Int) -> JSON {
    if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { .null }
  }

  var text: String { if case .string(let text) = self { text } else { "" } }
  var number: Double { if case .number(let number) = self { number } else { .nan } }
  var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }
  var keys: Set<String> { if case .object(let members) = self { Set(members.keys) } else { [] } }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
  init(stringLiteral text: String) { self = .string(text) }
  init(integerLiteral number: Int) { self = .number(Double(number)) }
  init(booleanLiteral flag: Bool) { self = .bool(flag) }
}

extension Command.Outcome {
  /// Every line of standard output as JSON.
  var json: [JSON] { get throws { try outLines.map { try JSON(line: $0) } } }
}
