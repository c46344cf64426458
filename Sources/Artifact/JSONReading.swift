internal import Wire

/// Reads values of known shape off a scanner, one type each: what is not of the type is ``JSONFailure/Reason/unexpected``.
extension JSONScanner {
  @_lifetime(self: copy self)
  mutating func beginObject() throws(JSONFailure) {
    guard try next() == .beginObject else { throw unexpected }
  }

  @_lifetime(self: copy self)
  mutating func beginArray() throws(JSONFailure) {
    guard try next() == .beginArray else { throw unexpected }
  }

  /// The next member's name, or nil at the object's end.
  @_lifetime(self: copy self)
  mutating func nextKey() throws(JSONFailure) -> String? {
    switch try next() {
    case .key(let name): return name
    case .endObject: return nil
    default: throw unexpected
    }
  }

  /// True at the next element, which is an object and now open; false at the array's end.
  @_lifetime(self: copy self)
  mutating func nextObject() throws(JSONFailure) -> Bool {
    switch try next() {
    case .beginObject: return true
    case .endArray: return false
    default: throw unexpected
    }
  }

  /// The next element, which is a string; nil at the array's end.
  @_lifetime(self: copy self)
  mutating func nextString() throws(JSONFailure) -> String? {
    switch try next() {
    case .string(let text): return text
    case .endArray: return nil
    default: throw unexpected
    }
  }

  @_lifetime(self: copy self)
  mutating func string() throws(JSONFailure) -> String {
    guard case .string(let text) = try next() else { throw unexpected }
    return text
  }

  @_lifetime(self: copy self)
  mutating func stringOrNull() throws(JSONFailure) -> String? {
    switch try next() {
    case .string(let text): return text
    case .null: return nil
    default: throw unexpected
    }
  }

  @_lifetime(self: copy self)
  mutating func integer() throws(JSONFailure) -> UInt64 {
    guard case .integer(let number) = try next() else { throw unexpected }
    return number
  }

  @_lifetime(self: copy self)
  mutating func bool() throws(JSONFailure) -> Bool {
    guard case .bool(let flag) = try next() else { throw unexpected }
    return flag
  }

  /// An array of at most so many numbers.
  @_lifetime(self: copy self)
  mutating func integers(atMost limit: Int) throws(JSONFailure) -> [UInt64] {
    try beginArray()
    var numbers: [UInt64] = []
    while true {
      switch try next() {
      case .integer(let number) where numbers.count < limit: numbers.append(number)
      case .endArray: return numbers
      default: throw unexpected
      }
    }
  }

  /// Passes over an object of any content: the scanner still checks that it is strict JSON.
  @_lifetime(self: copy self)
  mutating func skipObject() throws(JSONFailure) {
    try beginObject()
    var depth = 1
    while depth > 0 {
      switch try next() {
      case .beginObject, .beginArray: depth += 1
      case .endObject, .endArray: depth -= 1
      case nil: throw unexpected
      default: break
      }
    }
  }

  /// Passes over a value of any type, strictly checked as well.
  @_lifetime(self: copy self)
  mutating func skipValue() throws(JSONFailure) {
    var depth = 0
    repeat {
      switch try next() {
      case .beginObject, .beginArray: depth += 1
      case .endObject, .endArray: depth -= 1
      case nil: throw unexpected
      default: break
      }
    } while depth > 0
  }

  /// Throws if anything follows the one value.
  @_lifetime(self: copy self)
  mutating func endOfText() throws(JSONFailure) {
    guard try next() == nil else { throw unexpected }
  }

  private var unexpected: JSONFailure { JSONFailure(.unexpected, at: offset) }
}

extension ArtifactError {
  /// A manifest that is no strict JSON of its schema.
  init(_ failure: JSONFailure) {
    let why =
      switch failure.reason {
      case .truncated: "it ends too early"
      case .syntax: "it is not JSON"
      case .encoding: "it is not UTF-8, or begins with a byte order mark"
      case .loneSurrogate: "it holds half a surrogate pair"
      case .number: "a number is not a whole number up to 2^53 − 1"
      case .duplicateKey: "a key appears twice"
      case .depth: "it is nested too deep"
      case .trailingBytes: "bytes follow its end"
      case .unexpected: "a value has the wrong type"
      }
    self.init(.invalidManifest, "the manifest is not valid: \(why) (at byte \(failure.offset))")
  }
}
