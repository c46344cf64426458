public import API
public import ArgumentParser

extension ConflictRule: ExpressibleByArgument {}

/// `pawl pull`
struct Pull: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Fetch an artifact from a peer, verify it, place it.",
    discussion: """
      A folder becomes DIR/NAME/…, a single file DIR/<file name>; the final name appears only when everything is whole and \
      verified. Interrupted, the same command resumes where it was.
      """)

  @Argument(help: ArgumentHelp("The artifact; without @vN the newest version.", valueName: "peer/name[@vN]"))
  var artifact: String

  @Argument(help: .hidden)
  var extra: [String] = []

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Where to. (default: .) [PAWL_OUTPUT]", valueName: "dir"))
  var directory: String?

  @Option(help: ArgumentHelp("Only files whose path matches, like '*.safetensors'. May be repeated.", valueName: "glob"))
  var only: [String] = []

  @Option(help: ArgumentHelp("A further source. May be repeated.", valueName: "peer"))
  var from: [String] = []

  @Option(
    help: ArgumentHelp(
      "What to do where a different file is already. (default: skip) [PAWL_CONFLICT]", valueName: "skip|overwrite|rename"))
  var conflict: ConflictRule?

  @Flag(help: "Wait until every file was read back from disk. [PAWL_VERIFY]")
  var verify = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    try ExtraArguments.refuse(extra, afterPulling: artifact)
    _ = try rule
  }

  private var rule: ConflictRule {
    get throws {
      if let conflict { return conflict }
      guard let text = Environment.value("PAWL_CONFLICT") else { return .skip }
      guard let rule = ConflictRule(rawValue: text) else {
        throw ValidationError("PAWL_CONFLICT is '\(TerminalText.escape(text))'; write skip, overwrite or rename.")
      }
      return rule
    }
  }

  func perform() throws {
    let directory = directory ?? Environment.value("PAWL_OUTPUT") ?? "."
    let request = PullRequest(
      artifact: artifact, directory: try PathArgument.absolute(directory, naming: "the folder to pull to"), only: only,
      from: from, conflict: try rule,
      verify: verify || Environment.isOn("PAWL_VERIFY"))
    try ask(.pull(request)) { (result: PullResult) in
      Report(PullReport.lines(result), remarks: PullReport.remarks(result, verbose: output.verbose))
    }
  }
}

/// How a pull is shown to people.
enum PullReport {
  static func lines(_ result: PullResult) -> [String] {
    var lines = ["\(TerminalText.escape(result.artifact))@v\(result.version) is in \(TerminalText.escape(result.path))"]
    lines += result.skipped.map { "  left alone, something different is there: \(TerminalText.escape($0))" }
    for file in result.files {
      guard let own = file.artifactPath else { continue }
      lines.append("  \(TerminalText.escape(own)) is in \(TerminalText.escape(file.path)): something different has its name")
    }
    return lines
  }

  static func remarks(_ result: PullResult, verbose: Bool) -> [String] {
    var line = "\(Units.plural(result.files.count, "file")), \(Units.bytes(result.bytes))"
    if result.bytesTransferred == 0, result.bytes > 0 {
      line += ", all of it was there already"
    } else {
      line += " in \(Units.duration(result.seconds))"
      if result.seconds > 0, result.bytesTransferred > 0 {
        line += " (\(Units.rate(UInt64(Double(result.bytesTransferred) / result.seconds))))"
      }
      if result.bytesTransferred < result.bytes { line += ", of which \(Units.bytes(result.bytesTransferred)) travelled now" }
      if !result.sources.isEmpty { line += ", from " + result.sources.map { TerminalText.escape($0) }.joined(separator: ", ") }
    }
    var lines = [line] + result.warnings.map { "warning: " + TerminalText.escape($0, doublingBackslashes: false) }
    switch result.readBack {
    case .verified: lines.append("verified: read back from disk, every SHA-256 is the publisher's")
    case .incomplete:
      lines.append("every chunk was verified as it came; not every file could be read back from disk")
    case .pending:
      lines.append("every chunk is verified; reading it back from disk goes on: pawl check \(ShellText.quote(result.artifact))")
    }
    if verbose { lines += result.files.map { "\($0.sha256 ?? "(not read back yet)")  \(TerminalText.escape($0.path))" } }
    return lines
  }
}
