/// The beginning of an id, as a user types it.
struct IDPrefix {
  private let text: String
  private let what: String
  private let list: String

  /// A prefix of an id of a `what`, of which `list` shows all.
  init(_ text: String, of what: String, listedBy list: String) {
    self.text = text.lowercased()
    self.what = what
    self.list = list
  }

  /// The only element whose id begins so. Throws ``NodeError``: `usage` for what is no id, and for one that several begin with;
  /// `notFound` if none does.
  func only<Element>(of elements: [Element], by id: (Element) -> String) throws -> Element {
    guard !text.isEmpty, text.utf8.allSatisfy(Self.isHexDigit) else {
      throw NodeError(
        .usage, "“\(text)” is no id of a \(what): that has the digits 0-9 and a-f", hint: "list them with: \(list)")
    }
    let matches = elements.filter { id($0).hasPrefix(text) }
    guard let first = matches.first else {
      throw NodeError(.notFound, "no \(what) has an id that begins with \(text)", hint: "list them with: \(list)")
    }
    guard matches.count == 1 else {
      throw NodeError(
        .usage, "the ids of \(matches.count) \(what)s begin with \(text)", hint: "give more digits; list them with: \(list)")
    }
    return first
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}
