internal import API
internal import ArgumentParser

/// What is wrong with a command line, said like every other error.
enum UsageError {
  /// What people type who know other tools, and the verb that does it here.
  private static let habits = [
    "list": "ls", "send": "share", "publish": "share", "add": "share", "upload": "share", "push": "share", "get": "pull",
    "fetch": "pull", "download": "pull", "clone": "pull", "receive": "pull", "start": "up", "run": "up", "serve": "up",
    "daemon": "up", "pair": "invite", "connect": "join", "rename": "peer rename", "address": "peer address",
    "remove": "unshare", "rm": "unshare", "delete": "unshare", "block": "revoke", "kick": "revoke", "progress": "transfers",
    "stop": "cancel", "abort": "cancel", "whoami": "id", "info": "show", "ticket": "tickets",
  ]

  /// Whether the answer is to be JSON.
  static func isJSON(_ arguments: [String]) -> Bool {
    arguments.prefix { $0 != "--" }.contains("--json") || Environment.isOn("PAWL_JSON")
  }

  /// The failure behind an error of the argument parser.
  static func failure(_ error: any Error, _ arguments: [String]) -> Failure {
    var error = error
    if Pawl.message(for: error).contains("'--json'") {
      // Groups of verbs have no such option: what else is wrong?
      do {
        _ = try Pawl.parseAsRoot(arguments.filter { $0 != "--json" })
        return Failure(.usage, "the verb is missing", hint: "list them with: pawl --help")
      } catch let other { error = other }
    }
    if let word = unknownVerb(error, arguments) {
      let shown = TerminalText.escape(word)
      let habit = habits[word.lowercased()].map { "did you mean pawl \($0)? " }
      return Failure(.usage, "pawl has no verb “\(shown)”", hint: "\(habit ?? "")list them with: pawl --help")
    }
    let lines = Pawl.fullMessage(for: error).split(separator: "\n").map(String.init)
    // The parser's own words for it, between quotes: `See 'pawl pull --help' for more information.`
    let help = lines.last.flatMap { $0.split(separator: "'").dropFirst().first }.map(String.init) ?? "pawl --help"
    return Failure(.usage, plain(Pawl.message(for: error)), hint: "see: \(help)")
  }

  /// The failure behind a help text that nobody asked for: a group of verbs without one of them, or `help` for no verb.
  static func unaskedHelp(_ arguments: [String]) -> Failure? {
    let words = arguments.filter { !$0.hasPrefix("-") }
    let isAsked = arguments.contains { ["--help", "-h", "--version"].contains($0) }
    guard !isAsked, let first = words.first else { return nil }
    guard first == "help" else {
      return Failure(.usage, "pawl \(first) needs a verb of its own", hint: "see: pawl \(first) --help")
    }
    var group: any ParsableCommand.Type = Pawl.self
    for word in words.dropFirst() {
      guard let next = group.configuration.subcommands.first(where: { $0.configuration.commandName == word }) else {
        let habit = habits[word.lowercased()].map { "did you mean pawl \($0)? " } ?? ""
        return Failure(
          .usage, "pawl has no verb “\(TerminalText.escape(word))”", hint: "\(habit)list them with: pawl --help")
      }
      group = next
    }
    return nil
  }

  /// The parser's sentence as the other errors are written: `Missing expected argument …`, `The value … is invalid for …`.
  private static func plain(_ message: String) -> String {
    var text = message.replacing(". Please provide", with: "; write")
    if text.hasSuffix(".") { text.removeLast() }
    let start = text.prefix(2)
    // Not a word in capitals, such as the name of a variable.
    guard let first = start.first, let second = start.last, first.isUppercase, second.isLowercase else { return text }
    return first.lowercased() + text.dropFirst()
  }

  /// What people see: the error, how the verb is used, and where to read on.
  static func text(_ failure: Failure, _ error: any Error) -> String {
    let usage = Pawl.fullMessage(for: error).split(separator: "\n").first { $0.hasPrefix("Usage: ") }
    var lines = failure.text.split(separator: "\n").map(String.init)
    if let usage, !failure.message.hasPrefix("pawl has no verb") { lines.insert("      " + usage, at: min(1, lines.count)) }
    return lines.joined(separator: "\n")
  }

  private static func unknownVerb(_ error: any Error, _ arguments: [String]) -> String? {
    guard let first = arguments.first(where: { !$0.hasPrefix("-") }),
      case let message = Pawl.message(for: error), message.contains("nexpected argument"), message.contains("'\(first)'")
    else { return nil }
    for verb in Pawl.configuration.subcommands where verb.configuration.commandName == first { return nil }
    return first == "help" ? nil : first
  }
}
