internal import API
internal import ArgumentParser

/// `pawl show`
struct Show: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "What is in an artifact: files, sizes, hashes, tensors.")

  @Argument(help: ArgumentHelp("An artifact of ours, or of a peer.", valueName: "[peer/]name[@vN]"))
  var artifact: String

  @Argument(help: .hidden)
  var extra: [String] = []

  @OptionGroup var output: OutputOptions

  func validate() throws { try ExtraArguments.refuse(extra, after: artifact) }

  func perform() throws {
    try ask(.show(ShowRequest(artifact: artifact))) { (result: ShowResult) in
      Report(ShowReport.lines(result, now: Clock.now, verbose: output.verbose))
    }
  }
}

/// How a manifest is shown to people.
enum ShowReport {
  static func lines(_ result: ShowResult, now: UInt64, verbose: Bool) -> [String] {
    var facts: [(name: String, value: String)] = [("publisher", publisher(result.publisher))]
    for (index, line) in TerminalText.escape(result.note, keepingNewlines: true).split(separator: "\n").enumerated() {
      facts.append((index == 0 ? "note" : "", String(line)))
    }
    facts.append(("created", "\(Units.date(result.created)) (\(Units.age(of: result.created, now: now)))"))
    facts.append(("digest", result.digest))
    if let previous = result.previous, verbose { facts.append(("previous", previous)) }
    facts.append(
      ("contents", ShareReport.contents(files: result.files.count, folders: result.folders?.count ?? 0, bytes: result.bytes)))
    if !result.environment.isEmpty {
      facts.append(("environment", result.environment.map { TerminalText.escape($0) }.joined(separator: ", ")))
    }
    if let audience = result.audience {
      facts.append(("for", audience.isEmpty ? "nobody yet" : audience.map { TerminalText.escape($0) }.joined(separator: ", ")))
    }
    if let state = result.state, state != .current {
      facts.append(("state", "\(state.rawValue): it cannot be pulled; share it again, or withdraw it with pawl unshare"))
    }
    if verbose { facts.append(("chunk", Units.bytes(result.chunk))) }
    return ["\(TerminalText.escape(result.artifact))@v\(result.version)"] + Table.facts(facts) + [""] + files(result.files)
      + (result.folders ?? []).map { "  \(TerminalText.escape($0))/" }
  }

  private static func publisher(_ publisher: ShowResult.Publisher) -> String {
    let fingerprint = Fingerprint.text(nodeID: publisher.node)
    guard let alias = publisher.alias else { return "unknown (\(fingerprint))" }
    return publisher.isSelf ? "us, \(TerminalText.escape(alias))" : "\(TerminalText.escape(alias)) (\(fingerprint))"
  }

  private static func files(_ files: [ShowResult.File]) -> [String] {
    let paths = files.map { TerminalText.escape($0.path) }
    let sizes = files.map { Units.bytes($0.size) }
    let pathColumns = min(paths.map(TerminalText.width).max() ?? 0, 60)
    let sizeColumns = sizes.map(TerminalText.width).max() ?? 0
    return files.indices.flatMap { index in
      let file = files[index]
      let space = String(repeating: " ", count: max(0, pathColumns - TerminalText.width(paths[index])))
      let room = String(repeating: " ", count: sizeColumns - TerminalText.width(sizes[index]))
      var kind = TerminalText.escape(file.kind)
      if ["pickle", "pytorch"].contains(file.kind) { kind += ", loading it can run code" }
      if file.executable { kind += ", executable" }
      var lines = [
        "  \(paths[index])\(space)  \(room)\(sizes[index])  \(kind)", "    SHA-256 \(file.sha256)  AutoV2 \(file.autoV2)",
      ]
      if let tensors = file.tensors { lines.append("    " + text(tensors)) }
      return lines
    }
  }

  /// `F16, 264 tensors, 9.8 M parameters`
  static func text(_ tensors: ShowResult.Tensors) -> String {
    guard !tensors.malformed else { return "its header cannot be read: no loader should be given this file" }
    let types = tensors.dtypes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let names = types.map { TerminalText.escape($0.key) + (types.count > 1 ? " ×\($0.value)" : "") }
    var text =
      (names + [
        Units.plural(tensors.tensors, "tensor"),
        "\(Units.count(tensors.parameters)) \(tensors.parameters == 1 ? "parameter" : "parameters")",
      ])
      .joined(separator: ", ")
    if tensors.trainingMetadata { text += ", training metadata" }
    return text
  }
}
