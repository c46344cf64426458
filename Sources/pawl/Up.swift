internal import API
internal import ArgumentParser
internal import Control

/// `pawl up`
struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up",
    abstract: "Run the node in the foreground.",
    discussion: """
      The first run creates the identity. When it is ready it prints one line:
        ready <node id> listening <host>:<port>
      SIGTERM and Ctrl-C end it cleanly, and so does the end of the terminal that it was started at. SIGHUP otherwise makes it \
      read its configuration again: log and name count at once, the rest at the next start. Options may stand in the environment (PAWL_LISTEN, PAWL_NAME, PAWL_LOG, \
      PAWL_PASSPHRASE_FILE, PAWL_PASSPHRASE_COMMAND) or in config.yaml (listen, name, log, passphrase-file, \
      passphrase-command); the command line comes first, then the environment, then the file.

      If the state database is missing, empty or damaged and the identity was used with one, it exits with 1 and changes \
      nothing: restore the database from a backup, or begin anew with --new-state, which stands on the command line alone \
      and sets a damaged database aside.

      If a passphrase is set (pawl passphrase), it is read from the file or the command, or asked for at the terminal.
      """)

  @Option(
    help: ArgumentHelp("Where to listen; port 0 picks a free one. (default: [::]:7411) [PAWL_LISTEN]", valueName: "host:port"))
  var listen: String?

  @Option(help: "The name that teammates see. (default: the host's name) [PAWL_NAME]")
  var name: String?

  @Option(
    help: ArgumentHelp(
      "How much to log on standard error: error, warning, info, debug. (default: info) [PAWL_LOG]", valueName: "level"))
  var log: String?

  @OptionGroup var passphrase: PassphraseOptions

  @Flag(
    help:
      "Begin anew where the state database is missing or damaged: identity and key are kept; peers, sessions and shares are lost."
  )
  var newState = false

  @OptionGroup var output: OutputOptions

  func run() async throws {
    let json = output.json
    let level = log ?? (output.verbose ? "debug" : output.quiet ? "error" : nil)
    do {
      let options = DaemonOptions(
        listen: listen, name: name, log: level, passphraseFile: passphrase.passphraseFile,
        passphraseCommand: passphrase.passphraseCommand, newState: newState)
      try await Daemon.run(options) { ready in
        if json {
          let line = try? Lines.event(.ready(ReadyEvent(node: ready.node, listening: ready.listening)))
          Terminal.out(line ?? [])
        } else {
          Terminal.out(ready.text)
        }
      }
      if json, let line = try? Lines.result(VersionResult()) { Terminal.out(line) }
    } catch let failure as Failure {
      if json { Terminal.out(Lines.failure(failure)) } else { Terminal.error(failure.text) }
      throw ArgumentParser.ExitCode(failure.exit)
    }
  }
}
