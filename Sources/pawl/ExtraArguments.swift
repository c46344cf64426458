internal import API
internal import ArgumentParser
internal import Glibc

/// Words of a command line for which a verb has no place, and what their author probably meant.
enum ExtraArguments {
  /// `pull lora studio`, `pull studio lora`, `pull studio/lora ./models`.
  static func refuse(_ extra: [String], afterPulling artifact: String) throws {
    try refuseUnknownOption(behind: extra)
    guard let first = extra.first else { return }
    let place = "to place it somewhere: pawl pull \(ShellText.quote(artifact)) -o \(ShellText.quote(first))"
    guard !artifact.contains("/"), !first.hasPrefix("."), !first.hasPrefix("/") else {
      throw ValidationError("'\(TerminalText.escape(first))' is one word too many; \(place)")
    }
    throw ValidationError(
      "peer and artifact are one word: pawl pull \(ShellText.quote("\(artifact)/\(first)"))")
  }

  /// `share lora laptop`, `share *.safetensors`.
  static func refuse(_ extra: [String], afterSharing path: String) throws {
    try refuseUnknownOption(behind: extra)
    guard let first = extra.first else { return }
    if access(first, F_OK) == 0 || extra.count > 1 {
      throw ValidationError("one file or folder at a time; share the folder that holds them all")
    }
    throw ValidationError(
      "'\(TerminalText.escape(first))' is one word too many; to let that peer pull it: pawl share \(ShellText.quote(path)) --to \(ShellText.quote(first))"
    )
  }

  /// `show studio lora`, `ls studio lora`.
  static func refuse(_ extra: [String], after peer: String?) throws {
    try refuseUnknownOption(behind: extra)
    guard let first = extra.first else { return }
    let whole = [peer, first].compactMap(\.self).joined(separator: "/")
    throw ValidationError(
      "'\(TerminalText.escape(first))' is one word too many; to see one artifact: pawl show \(ShellText.quote(whole))")
  }

  /// `unshare lora laptop`.
  static func refuse(_ extra: [String], afterUnsharing artifact: String) throws {
    try refuseUnknownOption(behind: extra)
    guard let first = extra.first else { return }
    throw ValidationError(
      "'\(TerminalText.escape(first))' is one word too many; to take that peer out of its audience: pawl unshare \(ShellText.quote(artifact)) --from \(ShellText.quote(first))"
    )
  }

  /// An option that the verb does not know leaves its value behind as a word too many: it is the option that is wrong.
  private static func refuseUnknownOption(behind extra: [String]) throws {
    guard !extra.isEmpty else { return }
    var rest = Array(CommandLine.arguments.dropFirst())
    for word in extra.reversed() {
      if let place = rest.lastIndex(of: word) { rest.remove(at: place) }
    }
    do { _ = try Pawl.parseAsRoot(rest) } catch {
      let message = Pawl.message(for: error)
      if message.hasPrefix("Unknown option") { throw ValidationError(message) }
    }
  }
}
