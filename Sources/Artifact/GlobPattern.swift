/// A pattern of `--only`: which of an artifact's files to take.
///
/// `*` and `?` stay within one component, `**` as a component of its own spans any number, `[a-z]` and `[!a-z]` are sets, a
/// backslash takes the next character literally. A pattern without `/` is matched against a file's own name in any folder, as
/// rsync does; with one, against the whole path. `folder/` means everything beneath the folder.
public struct GlobPattern: Hashable, Sendable, CustomStringConvertible {
  /// As long as a path.
  public static let maximumBytes = SafePath.maximumBytes

  private enum Token: Hashable, Sendable {
    case literal(Character)
    case one
    case many
    case set(ranges: [ClosedRange<Character>], isNegated: Bool)

    func matches(_ character: Character) -> Bool {
      switch self {
      case .literal(let expected): character == expected
      case .one, .many: true
      case .set(let ranges, let isNegated): ranges.contains { $0.contains(character) } != isNegated
      }
    }
  }

  private enum Component: Hashable, Sendable {
    case tokens([Token])
    case anyFolders
  }

  /// The pattern as it was written.
  public let text: String
  private let components: [Component]
  private let matchesNameAlone: Bool

  /// Throws ``ArtifactError/Code/invalidPattern`` for an empty or too long pattern, one with an empty component, an open set
  /// or nothing behind a backslash.
  public init(_ text: String) throws(ArtifactError) {
    guard (1...Self.maximumBytes).contains(text.utf8.count) else {
      throw ArtifactError(.invalidPattern, "a pattern has 1 to \(Self.maximumBytes) bytes")
    }
    self.text = text
    var parser = Parser(Normalisation.nfc(text))
    var components: [Component] = []
    var slashes = 0
    while true {
      let tokens = try parser.component()
      if tokens.isEmpty {
        // A leading slash anchors; a trailing one means all beneath.
        guard slashes == 0 || parser.isAtEnd, text != "/" else {
          throw ArtifactError(.invalidPattern, "the pattern “\(DisplayText.escape(text))” has an empty component")
        }
        if parser.isAtEnd { components.append(.anyFolders) }
      } else {
        components.append(tokens == [.many, .many] ? .anyFolders : .tokens(tokens))
      }
      guard parser.takeSlash() else { break }
      slashes += 1
    }
    self.components = components
    matchesNameAlone = slashes == 0
  }

  /// The pattern as it was written.
  public var description: String { text }

  /// Whether a file is meant.
  public func matches(_ path: SafePath) -> Bool {
    let names = matchesNameAlone ? [Array(path.lastComponent)] : path.components.map { Array($0) }
    return Self.matches(components, names, isMany: { $0 == .anyFolders }) { component, name in
      guard case .tokens(let tokens) = component else { return false }
      return Self.matches(tokens, name, isMany: { $0 == .many }) { $0.matches($1) }
    }
  }

  /// Wildcard matching without recursion: on a mismatch only the last wildcard takes one more, which is at most
  /// pattern × text steps for any pattern.
  private static func matches<Pattern, Text>(
    _ patterns: [Pattern], _ texts: [Text], isMany: (Pattern) -> Bool, isMatch: (Pattern, Text) -> Bool
  ) -> Bool {
    var (pattern, text) = (0, 0)
    var wildcard: (pattern: Int, text: Int)?
    while text < texts.count {
      if pattern < patterns.count, isMany(patterns[pattern]) {
        wildcard = (pattern, text)
        pattern += 1
      } else if pattern < patterns.count, isMatch(patterns[pattern], texts[text]) {
        pattern += 1
        text += 1
      } else if let last = wildcard {
        wildcard = (last.pattern, last.text + 1)
        (pattern, text) = (last.pattern + 1, last.text + 1)
      } else {
        return false
      }
    }
    return patterns[pattern...].allSatisfy(isMany)
  }

  /// Splits a pattern into components and their tokens.
  private struct Parser {
    private let characters: [Character]
    private var position = 0

    init(_ text: String) { characters = Array(text) }

    var isAtEnd: Bool { position == characters.count }

    mutating func takeSlash() -> Bool {
      guard !isAtEnd, characters[position] == "/" else { return false }
      position += 1
      return true
    }

    mutating func component() throws(ArtifactError) -> [Token] {
      var tokens: [Token] = []
      while !isAtEnd, characters[position] != "/" {
        let character = characters[position]
        position += 1
        switch character {
        case "*": tokens.append(.many)
        case "?": tokens.append(.one)
        case "[": tokens.append(try set())
        case "\\":
          guard !isAtEnd else { throw ArtifactError(.invalidPattern, "a pattern ends with a backslash") }
          tokens.append(.literal(characters[position]))
          position += 1
        default: tokens.append(.literal(character))
        }
      }
      return tokens
    }

    /// The rest of `[…]`. A `]` in the first place is a member.
    private mutating func set() throws(ArtifactError) -> Token {
      var ranges: [ClosedRange<Character>] = []
      let isNegated = !isAtEnd && (characters[position] == "!" || characters[position] == "^")
      if isNegated { position += 1 }
      while true {
        guard !isAtEnd, characters[position] != "/" else {
          throw ArtifactError(.invalidPattern, "a pattern has “[” without “]”")
        }
        let first = characters[position]
        position += 1
        if first == "]", !ranges.isEmpty { return .set(ranges: ranges, isNegated: isNegated) }
        guard position + 1 < characters.count, characters[position] == "-", characters[position + 1] != "]" else {
          ranges.append(first...first)
          continue
        }
        let last = characters[position + 1]
        position += 2
        guard first <= last else { throw ArtifactError(.invalidPattern, "a pattern has a set that runs backwards") }
        ranges.append(first...last)
      }
    }
  }
}
