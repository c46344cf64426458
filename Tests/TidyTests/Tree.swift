import Foundation

/// The files of this package as the tests find them on disk.
enum Tree {
  /// The folder that holds `Package.swift`.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// One file: its path beneath the root and its lines.
  struct File {
    let path: String
    let lines: [Substring]

    /// The folder beneath `Sources` or `Tests`.
    var room: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

    /// Lines numbered from 1, each without its comment. Good enough for rules about code: a `//` inside a string also ends the line here.
    var code: [(number: Int, text: Substring)] {
      lines.enumerated().map { index, line in
        (index + 1, line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line)
      }
    }
  }

  /// A file's text, or nothing if there is no such file.
  static func text(_ path: String) -> String? {
    try? String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// Every file beneath `folder` whose name ends in one of `extensions`.
  static func files(_ folder: String, _ extensions: Set<String> = ["swift"]) throws -> [File] {
    let base = root.appending(path: folder)
    guard let walk = FileManager.default.enumerator(atPath: base.path) else { return [] }
    var files: [File] = []
    for case let path as String in walk where extensions.contains((path as NSString).pathExtension) {
      let text = try String(contentsOf: base.appending(path: path), encoding: .utf8)
      files.append(File(path: "\(folder)/\(path)", lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
    }
    return files.sorted { $0.path < $1.path }
  }
}
