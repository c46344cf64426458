import Wire

/// One case: what is done, with what, and what must come of it. Members keep the order in which they were set.
struct VectorCase {
  private(set) var members: [JSONValue.Member] = []

  /// A case of a file.
  init(_ name: String, _ about: String, op: String) {
    members = [.init("name", .string(name)), .init("about", .string(about)), .init("op", .string(op))]
  }

  /// A part of a case: one step, one address.
  init() {}

  /// An object that was read.
  init(_ value: JSONValue) throws {
    guard case .object(let members) = value else { throw Mismatch(description: "not an object") }
    self.members = members
  }

  var value: JSONValue { .object(members) }
}

extension VectorCase {
  func text(_ key: String, _ value: String) -> VectorCase { setting(key, .string(value)) }

  func texts(_ key: String, _ values: [String]) -> VectorCase { setting(key, .array(values.map { .string($0) })) }

  func number(_ key: String, _ value: some BinaryInteger) -> VectorCase { setting(key, .integer(UInt64(value))) }

  func numbers(_ key: String, _ values: [Int]) -> VectorCase { setting(key, .array(values.map { .integer(UInt64($0)) })) }

  func flag(_ key: String, _ value: Bool) -> VectorCase { setting(key, .bool(value)) }

  func hex(_ key: String, _ bytes: [UInt8]) -> VectorCase { setting(key, .string(Hex.encode(bytes))) }

  func hexes(_ key: String, _ list: [[UInt8]]) -> VectorCase {
    setting(key, .array(list.map { .string(Hex.encode($0)) }))
  }

  func part(_ key: String, _ part: VectorCase) -> VectorCase { setting(key, part.value) }

  func parts(_ key: String, _ parts: [VectorCase]) -> VectorCase { setting(key, .array(parts.map(\.value))) }

  func expect(_ expected: FailureClass) -> VectorCase { setting("expect", .string(expected.rawValue)) }

  /// The same case under another name, for something else that is wrong with it.
  func renamed(_ name: String, _ about: String) -> VectorCase { text("name", name).text("about", about) }

  func without(_ keys: String...) -> VectorCase {
    var copy = self
    copy.members.removeAll { keys.contains($0.key) }
    return copy
  }

  private func setting(_ key: String, _ value: JSONValue) -> VectorCase {
    var copy = self
    if let index = copy.members.firstIndex(where: { $0.key == key }) {
      copy.members[index] = .init(key, value)
    } else {
      copy.members.append(.init(key, value))
    }
    return copy
  }
}

extension VectorCase {
  func has(_ key: String) -> Bool { value[key] != nil }

  func text(_ key: String) throws -> String {
    guard case .string(let text)? = value[key] else { throw Mismatch(description: "“\(key)” is no text") }
    return text
  }

  func texts(_ key: String) throws -> [String] {
    try elements(key).map {
      guard case .string(let text) = $0 else { throw Mismatch(description: "“\(key)” holds something else") }
      return text
    }
  }

  func number(_ key: String) throws -> UInt64 {
    guard case .integer(let number)? = value[key] else { throw Mismatch(description: "“\(key)” is no number") }
    return number
  }

  func numbers(_ key: String) throws -> [UInt64] {
    try elements(key).map {
      guard case .integer(let number) = $0 else { throw Mismatch(description: "“\(key)” holds something else") }
      return number
    }
  }

  func flag(_ key: String) throws -> Bool {
    guard case .bool(let flag)? = value[key] else { throw Mismatch(description: "“\(key)” is neither true nor false") }
    return flag
  }

  func hex(_ key: String) throws -> [UInt8] {
    guard let bytes = Hex.decode(try text(key)) else { throw Mismatch(description: "“\(key)” is no hexadecimal") }
    return bytes
  }

  func hexes(_ key: String) throws -> [[UInt8]] {
    try elements(key).map {
      guard case .string(let text) = $0, let bytes = Hex.decode(text) else {
        throw Mismatch(description: "“\(key)” holds something else")
      }
      return bytes
    }
  }

  func part(_ key: String) throws -> VectorCase {
    guard let part = value[key] else { throw Mismatch(description: "“\(key)” is missing") }
    return try VectorCase(part)
  }

  func parts(_ key: String) throws -> [VectorCase] { try elements(key).map { try VectorCase($0) } }

  /// Bytes that stand in hexadecimal, or as `{"repeat": hex, "size": n}`: the pattern over and over, cut at n.
  func content(_ key: String) throws -> [UInt8] {
    guard case .object? = value[key] else { return try hex(key) }
    let pattern = try part(key)
    let (unit, size) = (try pattern.hex("repeat"), Int(try pattern.number("size")))
    guard !unit.isEmpty else { throw Mismatch(description: "“\(key)” repeats nothing") }
    return (0..<size).map { unit[$0 % unit.count] }
  }

  func content(_ key: String, repeating unit: [UInt8], size: Int) -> VectorCase {
    part(key, VectorCase().hex("repeat", unit).number("size", size))
  }

  private func elements(_ key: String) throws -> [JSONValue] {
    guard case .array(let elements)? = value[key] else { throw Mismatch(description: "“\(key)” is no list") }
    return elements
  }

}

extension VectorCase {
  /// Holds bytes of ours against the recorded ones.
  func same(_ key: String, _ bytes: [UInt8]) throws {
    let recorded = try content(key)
    guard recorded == bytes else {
      throw Mismatch(description: "“\(key)” is \(shown(recorded)), and not \(shown(bytes))")
    }
  }

  func same(_ key: String, _ text: String) throws {
    let recorded = try self.text(key)
    guard recorded == text else { throw Mismatch(description: "“\(key)” is \(recorded), and not \(text)") }
  }

  func same(_ key: String, _ number: some BinaryInteger) throws {
    let recorded = try self.number(key)
    guard recorded == UInt64(number) else { throw Mismatch(description: "“\(key)” is \(recorded), and not \(number)") }
  }

  private func shown(_ bytes: [UInt8]) -> String {
    "\(Hex.encode(Array(bytes.prefix(40))))… (\(bytes.count) bytes)"
  }
}
