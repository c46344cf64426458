internal import FoundationEssentials
internal import Wire

/// One line of the answer to a request that ends with `Body`.
public enum Reply<Body: ResultBody>: Hashable, Sendable {
  /// How far it has come.
  case progress(Progress)
  /// Something happened; more follows.
  case event(Event)
  /// Done. The last line.
  case result(Body)
  /// Not done. The last line.
  case failure(Failure)
}

/// The text of the lines: one strict JSON object each.
///
/// Everything that a terminal would obey, hide or reorder is written as a `\u` escape, so that a line is safe to look at.
public enum Lines {
  private enum Kind: String, Codable { case progress, event, result, error }

  private enum KindKey: String, CodingKey { case type }

  private struct Typed<Body: Encodable>: Encodable {
    let kind: Kind
    let body: Body

    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: KindKey.self)
      try object.encode(kind, forKey: .type)
      try body.encode(to: encoder)
    }
  }

  private struct Typing: Decodable { let type: Kind }

  /// The line of a request, with its newline.
  public static func request(_ request: Request) throws -> [UInt8] { try line(request) }

  /// The line of a progress, with its newline.
  public static func progress(_ progress: Progress) throws -> [UInt8] { try line(Typed(kind: .progress, body: progress)) }

  /// The line of an event, with its newline.
  public static func event(_ event: Event) throws -> [UInt8] { try line(Typed(kind: .event, body: event)) }

  /// The line of a result, with its newline.
  public static func result(_ result: some ResultBody) throws -> [UInt8] { try line(Typed(kind: .result, body: result)) }

  /// The line of a failure, with its newline.
  public static func failure(_ failure: Failure) -> [UInt8] {
    if let line = try? line(Typed(kind: .error, body: failure)) { return line }
    // Only a result that hangs on the failure can be at fault (an infinite number): the failure itself is texts.
    let bare = Failure(failure.code, failure.message, hint: failure.hint)
    return (try? line(Typed(kind: .error, body: bare))) ?? Array(
      #"{"code":"failed","exit":1,"message":"","type":"error"}"#.utf8) + [10]
  }

  /// Reads a client's line. Anything but one strict JSON object with a known verb and that verb's fields throws a
  /// ``Failure`` with code `usage` that says what is wrong.
  public static func readRequest(_ line: [UInt8]) throws(Failure) -> Request {
    do throws(JSONFailure) { try StrictJSON.validate(line.span) } catch {
      throw Failure(.usage, "the request is not a strict JSON text: \(describe(error.reason)) at byte \(error.offset)")
    }
    do { return try JSONDecoder().decode(Request.self, from: Data(line)) } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(.usage, "the request is not a JSON object")
    }
  }

  /// Reads a node's line. A line that makes no sense throws a ``Failure``.
  public static func readReply<Body: ResultBody>(_ line: [UInt8], as body: Body.Type = Body.self) throws(Failure) -> Reply<Body>
  {
    do {
      let decoder = JSONDecoder()
      let line = Data(line)
      return switch try decoder.decode(Typing.self, from: line).type {
      case .progress: .progress(try decoder.decode(Progress.self, from: line))
      case .event: .event(try decoder.decode(Event.self, from: line))
      case .result: .result(try decoder.decode(Body.self, from: line))
      case .error: .failure(try decoder.decode(Failure.self, from: line))
      }
    } catch {
      throw Failure(
        .failed, "the node's answer makes no sense to this program",
        hint: "are they of the same version? compare: pawl version, pawl status --json")
    }
  }

  private static func line(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var line = escaped(Array(try encoder.encode(value)))
    line.append(UInt8(ascii: "\n"))
    return line
  }

  /// Such characters stand only within quotes, where `\u` may replace them.
  private static func escaped(_ json: [UInt8]) -> [UInt8] {
    guard json.contains(where: { $0 >= 0x7F }), let text = String(validating: json, as: UTF8.self) else { return json }
    var escaped: [UInt8] = []
    escaped.reserveCapacity(json.count)
    for scalar in text.unicodeScalars {
      if scalar.isASCII ? scalar.value != 0x7F : TerminalText.isVisible(scalar) {
        escaped.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      } else {
        for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
          escaped.append(contentsOf: "\\u".utf8)
          escaped.append(contentsOf: Hex.encode([UInt8(unit >> 8), UInt8(unit & 0xFF)]).utf8)
        }
      }
    }
    return escaped
  }

  private static func describe(_ reason: JSONFailure.Reason) -> String {
    switch reason {
    case .truncated: "it ends too early"
    case .syntax, .unexpected: "a character that has no place"
    case .encoding: "not UTF-8"
    case .loneSurrogate: "half a surrogate pair"
    case .number: "a number that is not a whole one below 2^53"
    case .duplicateKey: "a key twice"
    case .depth: "nested too deep"
    case .trailingBytes: "more than one value"
    }
  }
}
