internal import API

/// What `share` tells people of an artifact's contents.
enum ShareReport {
  /// Links and names that are listed without `--verbose`.
  private static let listed = 10

  /// `3 files, 1 empty folder, 20 MB`
  static func contents(files: Int, folders: Int, bytes: UInt64) -> String {
    let empty = folders > 0 ? [Units.plural(folders, "empty folder")] : []
    return ([Units.plural(files, "file")] + empty + [Units.bytes(bytes)]).joined(separator: ", ")
  }

  /// A line for each link that was followed.
  static func links(_ result: ShareResult, verbose: Bool) -> [String] {
    let shown = verbose ? result.links[...] : result.links.prefix(listed)
    var lines = shown.map { "followed: \(TerminalText.escape($0.path)) → \(TerminalText.escape($0.target))" }
    let rest = result.links.count - shown.count
    if rest > 0 { lines.append("followed: \(Units.plural(rest, "more link")) (-v lists them)") }
    return lines
  }

  /// One line for all that was left out because of its name.
  static func leftOut(_ result: ShareResult, verbose: Bool) -> [String] {
    guard result.leftOutCount > 0 else { return [] }
    let shown = verbose ? result.leftOut[...] : result.leftOut.prefix(listed)
    var names = shown.map { TerminalText.escape($0) }.joined(separator: ", ")
    if result.leftOutCount > shown.count { names += " and \(result.leftOutCount - shown.count) more" }
    return ["left out: \(names) (--all takes \(result.leftOutCount == 1 ? "it" : "them"))"]
  }
}
