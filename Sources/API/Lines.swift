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
  public static func result(_ result: some ResultBody) throws -> [UInt8] { try pieces(result).joined }

  /// The line of a result, to be written as it is made.
  public static func pieces(_ result: some ResultBody) throws -> LinePieces {
    guard let long = result as? any LongResult else { return LinePieces(try line(Typed(kind: .result, body: result))) }
    return try pieces(long: long)
  }

  private static func pieces<Body: LongResult>(long result: Body) throws -> LinePieces {
    var short = result
    short.entries = []
    return LinePieces(try line(Typed(kind: .result, body: short)), list: Body.listKey, result.entries)
  }

  /// The line of a failure, with its newline.
  public static func failure(_ failure: Failure) -> [UInt8] { pieces(failure).joined }

  /// The line of a failure, to be written as it is made.
  public static func pieces(_ failure: Failure) -> LinePieces {
    var short = failure
    if let placed = failure.placed {
      short.placed?.files = []
      return LinePieces(bare(short), list: PullResult.listKey, placed.files)
    }
    if let checked = failure.checked {
      short.checked?.files = []
      return LinePieces(bare(short), list: CheckResult.listKey, checked.files)
    }
    return LinePieces(bare(failure))
  }

  private static func bare(_ failure: Failure) -> [UInt8] {
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
  ///
  /// - Parameter withLists: false leaves the list of a long line out, for a caller who passes the line on and wants to know no
  ///   more than what it is.
  public static func readReply<Body: ResultBody>(
    _ line: [UInt8], as body: Body.Type = Body.self, withLists: Bool = true
  ) throws(Failure) -> Reply<Body> {
    do {
      let key = (Body.self as? any LongResult.Type)?.listKey
      guard let long = LongLine(line, keys: Set([key, PullResult.listKey].compactMap { $0 })) else {
        return try read(Data(line))
      }
      let reply: Reply<Body> = try read(Data(long.rest))
      guard withLists else { return reply }
      switch reply {
      case .result(let body):
        guard let full = try (body as? any LongResult).map({ try filled($0, long, line) }) as? Body else { return reply }
        return .result(full)
      case .failure(var failure):
        if failure.placed != nil {
          failure.placed?.files = try entries(long, line)
        } else if failure.checked != nil {
          failure.checked?.files = try entries(long, line)
        }
        return .failure(failure)
      case .progress, .event: return reply
      }
    } catch {
      throw Failure(
        .failed, "the node's answer makes no sense to this program",
        hint: "are they of the same version? compare: pawl version, pawl status --json")
    }
  }

  private static func read<Body: ResultBody>(_ line: Data) throws -> Reply<Body> {
    let decoder = JSONDecoder()
    return switch try decoder.decode(Typing.self, from: line).type {
    case .progress: .progress(try decoder.decode(Progress.self, from: line))
    case .event: .event(try decoder.decode(Event.self, from: line))
    case .result: .result(try decoder.decode(Body.self, from: line))
    case .error: .failure(try decoder.decode(Failure.self, from: line))
    }
  }

  private static func filled<Body: LongResult>(_ body: Body, _ long: LongLine, _ line: [UInt8]) throws -> Body {
    var body = body
    body.entries = try entries(long, line)
    return body
  }

  private static func entries<Entry: Decodable>(_ long: LongLine, _ line: [UInt8]) throws -> [Entry] {
    var entries: [Entry] = []
    entries.reserveCapacity(long.portions.count * LinePieces.entriesPerPiece)
    let decoder = JSONDecoder()
    for portion in long.portions {
      var list = Data(capacity: portion.count + 2)
      list.append(UInt8(ascii: "["))
      list.append(contentsOf: line[portion])
      list.append(UInt8(ascii: "]"))
      entries += try decoder.decode([Entry].self, from: list)
    }
    return entries
  }

  private static func line(_ value: some Encodable) throws -> [UInt8] {
    try json(value) + [UInt8(ascii: "\n")]
  }

  /// Entries of a list as they stand on a line, without the brackets around them.
  static func elements(_ entries: [some Encodable]) throws -> [UInt8] {
    Array(try json(entries).dropFirst().dropLast())
  }

  private static func json(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return escaped(Array(try encoder.encode(value)))
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
