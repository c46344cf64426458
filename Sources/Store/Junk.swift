/// Names that programs leave behind or keep secrets under, and that nobody means to hand to a peer.
enum Junk {
  private static let names: Set<String> = [".git", ".env", ".DS_Store", "__pycache__"]
  private static let beginnings = [".env.", ".tmp"]

  /// Whether a file or folder of this name stays behind unless everything was asked for.
  static func contains(_ name: String) -> Bool { names.contains(name) || beginnings.contains { name.hasPrefix($0) } }
}

/// What a scan left out because of its name: how many entries, and the first of them by path.
public struct LeftOut: Hashable, Sendable {
  /// Enough to see what was meant; a folder of a hundred thousand such names is not listed to its end.
  static let namesKept = 100

  /// Paths on the disk below the shared folder; a folder's ends in `/` and stands for all that is in it.
  public private(set) var paths: [String] = []
  /// How many there are, those that are not named included.
  public private(set) var count = 0

  mutating func add(_ path: String) {
    count += 1
    if paths.count < Self.namesKept { paths.append(path) }
  }
}
