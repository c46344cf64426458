internal import API
internal import ArgumentParser

/// `pawl check`
struct Check: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Re-verify what is on disk: what we share and what we pulled.")

  @Argument(help: ArgumentHelp("Only this artifact.", valueName: "name[@vN]"))
  var artifact: String?

  @Flag(help: "Read and hash every byte; without it, sizes and times are compared.")
  var readData = false

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.check(CheckRequest(artifact: artifact, readData: readData))) { (result: CheckResult) in
      Report(CheckReport.lines(result, verbose: output.verbose), remarks: CheckReport.remarks(result))
    }
  }
}

/// How a check is shown to people.
enum CheckReport {
  /// The files that are wrong, or all of them, and a summary.
  static func lines(_ result: CheckResult, verbose: Bool) -> [String] {
    var table = Table([("STATE", .left), ("ARTIFACT", .left), ("SIZE", .right), ("FILE", .left)])
    let shown = verbose ? result.files : result.files.filter { $0.state.isWrong }
    for file in shown {
      let publisher = file.publisher.map { TerminalText.escape($0) + "/" } ?? ""
      table.add([
        label(file.state), "\(publisher)\(TerminalText.escape(file.artifact))@v\(file.version)", Units.bytes(file.size),
        TerminalText.escape(file.path),
      ])
    }
    return (shown.isEmpty ? [] : table.lines) + [summary(result)]
  }

  static func remarks(_ result: CheckResult) -> [String] {
    result.files.contains { $0.state == .unread } ? ["to read and hash every byte: pawl check --read-data"] : []
  }

  private static func summary(_ result: CheckResult) -> String {
    guard !result.files.isEmpty else { return "nothing to check" }
    let counts: [(CheckResult.State, String)] = [
      (.verified, "verified"), (.unread, "unchanged by size and time"), (.pending, "still being read back"),
      (.changed, "changed"), (.missing, "missing"), (.mismatch, "not what the publisher claimed"), (.unreadable, "unreadable"),
    ]
    let parts = counts.compactMap { state, words -> String? in
      let count = result.files.count { $0.state == state }
      return count == 0 ? nil : "\(count) \(words)"
    }
    return Units.plural(result.files.count, "file") + ": " + parts.joined(separator: ", ")
  }

  private static func label(_ state: CheckResult.State) -> String {
    state.isWrong ? state.rawValue.uppercased() : state.rawValue
  }
}
