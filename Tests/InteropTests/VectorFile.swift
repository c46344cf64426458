import Foundation
import Wire

/// A file of `Interop/vectors`: what it is about, and its cases.
struct VectorFile {
  /// Its name without `.json`.
  let name: String
  /// The section of `docs/PROTOCOL.md`.
  let section: String
  let about: String
  let cases: [VectorCase]

  /// Where the vectors lie in the clone.
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Interop/vectors")

  /// The names of all files that are there.
  static func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }
      .map { String($0.dropLast(5)) }.sorted()
  }

  private static func url(_ name: String) -> URL { folder.appending(path: name + ".json") }

  init(name: String, section: String, about: String, cases: [VectorCase]) {
    (self.name, self.section, self.about, self.cases) = (name, section, about, cases)
  }

  /// Reads a file. One that is missing or unreadable is an error, never an empty one.
  init(_ name: String) throws {
    let root = try VectorCase(JSONDecoder().decode(ReadValue.self, from: Data(contentsOf: Self.url(name))).value)
    self.name = name
    section = try root.text("section")
    about = try root.text("about")
    let given = root.has("given") ? try root.part("given") : VectorCase()
    cases = try root.parts("cases").map { try $0.resolved(given) }
  }

  /// The bytes on the disk, or nil.
  static func bytes(_ name: String) -> [UInt8]? { (try? Data(contentsOf: url(name))).map { [UInt8]($0) } }

  func write() throws { try Data(encoded).write(to: Self.url(name)) }

  /// The file's text: one member a line, ASCII only.
  var encoded: [UInt8] {
    let given = shared
    var root = VectorCase().text("file", name).text("section", section).text("about", about)
    if !given.members.isEmpty { root = root.part("given", given) }
    var writer = ReadableJSON()
    writer.write(root.parts("cases", cases.map { $0.referring(to: given) }).value)
    return writer.text + [0x0A]
  }

  /// Long values that stand in three cases or more, under the names of their members.
  private var shared: VectorCase {
    var counts: [String: Int] = [:]
    for member in cases.flatMap(\.members) {
      if case .string(let text) = member.value, text.utf8.count > 4_000 { counts[text, default: 0] += 1 }
    }
    var (given, taken) = (VectorCase(), Set<String>())
    for member in cases.flatMap(\.members) {
      guard case .string(let text) = member.value, counts[text, default: 0] > 2, taken.insert(text).inserted else { continue }
      let number = (1...).first { !given.has($0 == 1 ? member.key : "\(member.key) \($0)") } ?? 1
      given = given.text(number == 1 ? member.key : "\(member.key) \(number)", text)
    }
    return given
  }
}

extension VectorCase {
  /// The same case with values of the file's in place of `{"given": name}`.
  fileprivate func resolved(_ given: VectorCase) throws -> VectorCase {
    try members.reduce(self) { vector, member in
      guard let name = member.value["given"], case .string(let name) = name else { return vector }
      return vector.text(member.key, try given.text(name))
    }
  }

  /// The same case with `{"given": name}` in place of values of the file's.
  fileprivate func referring(to given: VectorCase) -> VectorCase {
    members.reduce(self) { vector, member in
      guard let shared = given.members.first(where: { $0.value == member.value }) else { return vector }
      return vector.part(member.key, VectorCase().text("given", shared.key))
    }
  }
}

/// A JSON value through Foundation's parser, which is fast where a test is not optimised.
private struct ReadValue: Decodable {
  let value: JSONValue

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      value = .string(text)
    } else if let members = try? container.decode([String: ReadValue].self) {
      value = .object(members.map { .init($0.key, $0.value.value) })
    } else if let elements = try? container.decode([ReadValue].self) {
      value = .array(elements.map(\.value))
    } else if let flag = try? container.decode(Bool.self) {
      value = .bool(flag)
    } else {
      value = .integer(try container.decode(UInt64.self))
    }
  }
}

/// JSON for people: members on lines of their own, everything beyond ASCII escaped.
struct ReadableJSON {
  private(set) var text: [UInt8] = []

  mutating func write(_ value: JSONValue, indent: Int = 0) {
    switch value {
    case .object(let members):
      open("{")
      for (index, member) in members.enumerated() {
        line(indent + 1, isFirst: index == 0)
        write(member.key)
        text += Array(": ".utf8)
        write(member.value, indent: indent + 1)
      }
      close("}", indent)
    case .array(let elements) where elements.contains { $0.isObject }:
      open("[")
      for (index, element) in elements.enumerated() {
        line(indent + 1, isFirst: index == 0)
        write(element, indent: indent + 1)
      }
      close("]", indent)
    case .array(let elements):
      open("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { text += Array(", ".utf8) }
        write(element, indent: indent)
      }
      open("]")
    case .string(let string): write(string)
    case .integer, .bool, .null: text += value.serialized()
    }
  }

  private mutating func open(_ mark: String) { text += Array(mark.utf8) }

  private mutating func line(_ indent: Int, isFirst: Bool) {
    text += Array(((isFirst ? "\n" : ",\n") + String(repeating: " ", count: 2 * indent)).utf8)
  }

  private mutating func close(_ mark: String, _ indent: Int) {
    text += Array(("\n" + String(repeating: " ", count: 2 * indent) + mark).utf8)
  }

  private mutating func write(_ string: String) {
    guard !string.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) else {
      text.append(0x22)
      text += Array(string.utf8)
      text.append(0x22)
      return
    }
    text.append(0x22)
    for unit in string.utf16 {
      switch unit {
      case 0x22, 0x5C: text += [0x5C, UInt8(unit)]
      case 0x20..<0x7F: text.append(UInt8(unit))
      default: text += Array("\\u".utf8) + Array(Hex.encode([UInt8(unit >> 8), UInt8(unit & 0xFF)]).utf8)
      }
    }
    text.append(0x22)
  }
}

extension JSONValue {
  fileprivate var isObject: Bool {
    if case .object = self { true } else { false }
  }
}
