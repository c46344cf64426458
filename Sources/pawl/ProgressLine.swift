internal import API

/// The line at the bottom of the terminal that is drawn over and over.
struct ProgressLine {
  /// Back to the line's beginning, and nothing behind what is drawn there.
  private static let restart = "\r\u{1B}[K"

  private let isDrawn: Bool
  private var isVisible = false
  private var hasSaidThatItResumes = false

  /// A line that is drawn only if it can be.
  init(isDrawn: Bool) { self.isDrawn = isDrawn }

  /// Draws the state of affairs.
  mutating func show(_ progress: Progress) {
    guard isDrawn else { return }
    if !hasSaidThatItResumes, let resuming = Self.resuming(progress) {
      hasSaidThatItResumes = true
      clear()
      Terminal.error(resuming)
    }
    // The last column stays free: a terminal may wrap when it is used.
    Terminal.draw(Self.restart + Self.text(progress, columns: Terminal.columns - 1))
    isVisible = true
  }

  /// Takes the line away, so that something else can be printed.
  mutating func clear() {
    guard isVisible else { return }
    isVisible = false
    Terminal.draw(Self.restart)
  }

  /// `resuming at 71 %`, if there were bytes from an earlier attempt.
  static func resuming(_ progress: Progress) -> String? {
    guard progress.phase == .fetching, progress.bytesResumed > 0, progress.bytesTotal > 0 else { return nil }
    return "resuming at " + Units.percent(progress.bytesResumed, of: progress.bytesTotal)
  }

  /// The line, no wider than `columns`: what says least is left out first, the file's name is shortened last.
  static func text(_ progress: Progress, columns: Int) -> String {
    let file = TerminalText.escape(progress.file ?? "")
    let what = file.isEmpty ? label(progress.phase) : progress.phase == .fetching ? file : label(progress.phase) + " " + file
    // In the order they stand in, each with how much it is wanted.
    var parts: [(text: String, worth: Int)] = []
    if progress.bytesTotal > 0 {
      parts.append((Units.percent(progress.bytes, of: progress.bytesTotal), 6))
      parts.append(("\(Units.bytes(progress.bytes)) of \(Units.bytes(progress.bytesTotal))", 3))
    }
    if progress.filesTotal > 1 { parts.append(("\(progress.filesDone)/\(progress.filesTotal) files", 1)) }
    if progress.bytesPerSecond > 0 {
      parts.append((Units.rate(progress.bytesPerSecond), 5))
      let left = progress.bytesTotal - min(progress.bytes, progress.bytesTotal)
      if left > 0 { parts.append(("ETA " + Units.clock(left / progress.bytesPerSecond), 4)) }
    }
    if let source = source(progress) { parts.append((source, 2)) }
    let leastName = min(TerminalText.width(what), 16)
    func width() -> Int { parts.reduce(0) { $0 + TerminalText.width($1.text) + 2 } }
    while leastName + width() > columns, let least = parts.indices.min(by: { parts[$0].worth < parts[$1].worth }) {
      parts.remove(at: least)
    }
    return TerminalText.shortened(what, columns: max(0, columns - width())) + parts.map { "  " + $0.text }.joined()
  }

  private static func source(_ progress: Progress) -> String? {
    switch (progress.source.map { TerminalText.escape($0) }, progress.route.map { TerminalText.escape($0) }) {
    case (let source?, let route?): "\(source) (\(route))"
    case (let text?, nil), (nil, let text?): text
    case (nil, nil): nil
    }
  }

  private static func label(_ phase: Progress.Phase) -> String {
    switch phase {
    case .hashing: "hashing"
    case .asking: "asking for the manifest"
    case .waiting: "waiting for other pulls to end"
    case .examining: "looking at what is there"
    case .fetching: "fetching"
    case .placing: "placing"
    case .reading: "reading back"
    }
  }
}
