/// What a strict JSON text breaks, in the scanner's words. Never carries the text.
public struct JSONFailure: Error, Hashable, Sendable {
  /// The broken rule.
  public enum Reason: Hashable, Sendable {
    /// The text ends too early.
    case truncated
    /// A byte that has no place here.
    case syntax
    /// Not UTF-8, or a byte order mark.
    case encoding
    /// A `\u` escape of half a surrogate pair.
    case loneSurrogate
    /// A number that is not `0|[1-9][0-9]*` or is above 2^53 − 1.
    case number
    /// A key that its object already has.
    case duplicateKey
    /// Nested too deep.
    case depth
    /// Something behind the value.
    case trailingBytes
    /// Valid JSON, but not the type or key that the reader expects.
    case unexpected
  }

  /// The broken rule.
  public let reason: Reason
  /// Where, in bytes from the start.
  public let offset: Int

  /// A failure at a byte offset.
  public init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

/// One step through a JSON text.
public enum JSONEvent: Hashable, Sendable {
  /// `{`
  case beginObject
  /// `}`
  case endObject
  /// `[`
  case beginArray
  /// `]`
  case endArray
  /// A member's name, unescaped.
  case key(String)
  /// A text, unescaped.
  case string(String)
  /// A whole number, 0…2^53 − 1.
  case integer(UInt64)
  /// `true` or `false`
  case bool(Bool)
  /// `null`
  case null
}

/// A strict, streaming JSON reader: one value, one meaning.
///
/// Parsers differ in what they make of duplicate keys, lone surrogates, floats and byte order marks; a publisher could show
/// two nodes two different manifests. This scanner refuses all of them, and it holds no more than the open objects' keys.
public struct JSONScanner: ~Escapable {
  /// Levels of nesting: manifests use five.
  public static let maximumDepth = 16
  /// 2^53 − 1: the largest integer that every JSON implementation keeps exact.
  public static let maximumInteger: UInt64 = (1 << 53) - 1

  private enum Expectation { case value, firstKeyOrEnd, key, firstValueOrEnd, commaOrEnd, nothing }

  private struct Level {
    var isObject: Bool
    /// Compared as Swift compares texts, by canonical equivalence: so do the dictionaries of the parser that comes after.
    var keys: Set<String> = []
  }

  private let bytes: Span<UInt8>
  private let depthLimit: Int
  private var position = 0
  private var levels: [Level] = []
  private var expectation = Expectation.value

  /// A scanner at the start of `bytes`.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, maximumDepth: Int = JSONScanner.maximumDepth) {
    self.bytes = bytes
    depthLimit = maximumDepth
  }

  /// Where the scanner stands, in bytes from the start.
  public var offset: Int { position }

  /// The next event, or nil when the one value and all bytes are used up.
  @_lifetime(self: copy self)
  public mutating func next() throws(JSONFailure) -> JSONEvent? {
    skipSpace()
    switch expectation {
    case .nothing:
      guard position == bytes.count else { throw failure(.trailingBytes) }
      return nil
    case .value:
      return try value()
    case .firstValueOrEnd:
      return try take(UInt8(ascii: "]")) ? close() : value()
    case .firstKeyOrEnd:
      return try take(UInt8(ascii: "}")) ? close() : key()
    case .key:
      return try key()
    case .commaOrEnd:
      let isObject = levels[levels.count - 1].isObject
      if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return close() }
      guard take(UInt8(ascii: ",")) else { throw failure(position == bytes.count ? .truncated : .syntax) }
      skipSpace()
      return isObject ? try key() : try value()
    }
  }

  @_lifetime(self: copy self)
  private mutating func value() throws(JSONFailure) -> JSONEvent {
    guard let first = peek else { throw failure(.truncated) }
    switch first {
    case UInt8(ascii: "{"): return try open(isObject: true)
    case UInt8(ascii: "["): return try open(isObject: false)
    case UInt8(ascii: "\""):
      let text = try string()
      valueEnded()
      return .string(text)
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
      let number = try integer()
      valueEnded()
      return .integer(number)
    case 0xEF: throw failure(.encoding)
    default: throw failure(.syntax)
    }
  }

  @_lifetime(self: copy self)
  private mutating func open(isObject: Bool) throws(JSONFailure) -> JSONEvent {
    guard levels.count < depthLimit else { throw failure(.depth) }
    position += 1
    levels.append(Level(isObject: isObject))
    expectation = isObject ? .firstKeyOrEnd : .firstValueOrEnd
    return isObject ? .beginObject : .beginArray
  }

  @_lifetime(self: copy self)
  private mutating func close() -> JSONEvent {
    let level = levels.removeLast()
    valueEnded()
    return level.isObject ? .endObject : .endArray
  }

  @_lifetime(self: copy self)
  private mutating func key() throws(JSONFailure) -> JSONEvent {
    let start = position
    guard peek == UInt8(ascii: "\"") else { throw failure(position == bytes.count ? .truncated : .syntax) }
    let name = try string()
    guard levels[levels.count - 1].keys.insert(name).inserted else { throw JSONFailure(.duplicateKey, at: start) }
    skipSpace()
    guard take(UInt8(ascii: ":")) else { throw failure(position == bytes.count ? .truncated : .syntax) }
    expectation = .value
    return .key(name)
  }

  @_lifetime(self: copy self)
  private mutating func integer() throws(JSONFailure) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    while let digit = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
      value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
      guard value <= Self.maximumInteger else { throw JSONFailure(.number, at: start) }
      position += 1
      guard position - start == 1 || bytes[start] != UInt8(ascii: "0") else { throw JSONFailure(.number, at: start) }
    }
    guard position > start else { throw JSONFailure(.number, at: start) }
    if let next = peek, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next) {
      throw JSONFailure(.number, at: start)
    }
    return value
  }

  @_lifetime(self: copy self)
  private mutating func literal(_ word: StaticString, _ event: JSONEvent) throws(JSONFailure) -> JSONEvent {
    for expected in String(describing: word).utf8 {
      guard let byte = peek else { throw failure(.truncated) }
      guard byte == expected else { throw failure(.syntax) }
      position += 1
    }
    valueEnded()
    return event
  }

  /// A quoted text; the reader stands at its first quote.
  @_lifetime(self: copy self)
  private mutating func string() throws(JSONFailure) -> String {
    let start = position
    position += 1
    var text: [UInt8] = []
    while true {
      let run = plainRun()
      guard let byte = peek else { throw failure(.truncated) }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        // Most texts are one run without an escape.
        if !text.isEmpty { Self.append(run, to: &text) }
        guard let valid = text.isEmpty ? Self.text(run) : Self.text(text.span) else {
          throw JSONFailure(.encoding, at: start)
        }
        return valid
      case UInt8(ascii: "\\"):
        Self.append(run, to: &text)
        try escape(into: &text)
      default: throw JSONFailure(.syntax, at: position - 1)
      }
    }
  }

  /// The bytes up to the next quote, backslash or control character, or to the end.
  @_lifetime(copy self)
  @_lifetime(self: copy self)
  private mutating func plainRun() -> Span<UInt8> {
    let start = position
    let count = unsafe bytes.withUnsafeBufferPointer { bytes in
      var end = start
      // Eight at a time, as long as none of them is an end.
      while end + 8 <= bytes.count,
        !Self.hasEnd(unsafe UnsafeRawPointer(bytes.baseAddress! + end).loadUnaligned(as: UInt64.self))
      { end += 8 }
      while end < bytes.count {
        let byte = unsafe bytes[end]
        if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
        end += 1
      }
      return end - start
    }
    position += count
    return bytes.extracting(start..<start + count)
  }

  /// Whether one of the eight bytes is below 0x20, a quote or a backslash. Subtracting from each byte borrows into its highest bit where it
  /// was smaller; a borrow that goes on into the next byte only follows one that counts.
  private static func hasEnd(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let (quotes, backslashes) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
    let control = (word &- (ones &* 0x20)) & ~word
    let quote = (quotes &- ones) & ~quotes
    let backslash = (backslashes &- ones) & ~backslashes
    return (control | quote | backslash) & (ones &* 0x80) != 0
  }

  private static func text(_ run: Span<UInt8>) -> String? {
    unsafe run.withUnsafeBufferPointer { unsafe String(validating: $0, as: UTF8.self) }
  }

  private static func append(_ run: Span<UInt8>, to text: inout [UInt8]) {
    unsafe run.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
  }

  @_lifetime(self: copy self)
  private mutating func escape(into text: inout [UInt8]) throws(JSONFailure) {
    guard let kind = peek else { throw failure(.truncated) }
    position += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      let unit = try hexUnit()
      var scalar = UInt32(unit)
      if (0xDC00...0xDFFF).contains(scalar) { throw failure(.loneSurrogate) }
      if (0xD800...0xDBFF).contains(scalar) {
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw failure(.loneSurrogate) }
        let low = UInt32(try hexUnit())
        guard (0xDC00...0xDFFF).contains(low) else { throw failure(.loneSurrogate) }
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let character = Unicode.Scalar(scalar) else { throw failure(.loneSurrogate) }
      text.append(contentsOf: Array(String(Character(character)).utf8))
    default: throw JSONFailure(.syntax, at: position - 1)
    }
  }

  @_lifetime(self: copy self)
  private mutating func hexUnit() throws(JSONFailure) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = peek else { throw failure(.truncated) }
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { throw failure(.syntax) }
      unit = unit << 4 | UInt16(value)
      position += 1
    }
    return unit
  }

  @_lifetime(self: copy self)
  private mutating func valueEnded() {
    expectation = levels.isEmpty ? .nothing : .commaOrEnd
  }

  @_lifetime(self: copy self)
  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  @_lifetime(self: copy self)
  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func failure(_ reason: JSONFailure.Reason) -> JSONFailure { JSONFailure(reason, at: position) }
}
