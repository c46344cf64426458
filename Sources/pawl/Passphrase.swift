internal import API
internal import ArgumentParser
internal import Control

/// Where the passphrase is to be had without anybody typing it: of a file or a command, never in an argument or a variable.
struct PassphraseOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Read the passphrase from this file. [PAWL_PASSPHRASE_FILE]", valueName: "file"))
  var passphraseFile: String?

  @Option(
    help: ArgumentHelp(
      "Read the passphrase from the first line that this shell command prints. [PAWL_PASSPHRASE_COMMAND]", valueName: "command")
  )
  var passphraseCommand: String?
}

/// `pawl passphrase`
struct ChangePassphrase: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "passphrase",
    abstract: "Set, change or remove the passphrase that the node's keys are sealed with.",
    discussion: """
      Without a passphrase the key of all that is stored lies in a file beside it: whoever copies the folders can be this \
      node. With one, a copy opens nothing without the passphrase. It cannot be recovered.

      The node must not run. At a terminal it asks. Elsewhere standard input has two lines: the current passphrase (an \
      empty line if there is none) and the new one (an empty line removes it). The options give the current one.
      """)

  @OptionGroup var passphrase: PassphraseOptions

  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = output
    let options = DaemonOptions(
      passphraseFile: passphrase.passphraseFile, passphraseCommand: passphrase.passphraseCommand)
    do {
      let result = try await PassphraseVerb.run(options) { remark in
        if !output.quiet { Terminal.error(TerminalText.escape(remark, doublingBackslashes: false)) }
      }
      if output.json {
        Terminal.out((try? Lines.result(result)) ?? [])
      } else {
        report(result).print(output)
      }
    } catch let failure as Failure {
      if output.json { Terminal.out(Lines.failure(failure)) } else { Terminal.error(failure.text) }
      throw ArgumentParser.ExitCode(failure.exit)
    }
  }

  private func report(_ result: PassphraseResult) -> Report {
    switch result.passphrase {
    case .set:
      Report(
        ["the passphrase is set"],
        remarks: [
          "pawl up asks for it from now on; keep it safe: without it nothing that is stored can be opened",
          "copies of the folders that were made before still open without it",
        ])
    case .changed:
      Report(
        ["the passphrase is changed"], remarks: ["copies of the folders that were made before still open with the old one"])
    case .removed: Report(["the passphrase is removed"], remarks: ["whoever copies the folders can be this node now"])
    case .none: Report(["no passphrase is set, and none was"])
    }
  }
}
