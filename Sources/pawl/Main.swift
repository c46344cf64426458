internal import API
internal import ArgumentParser
internal import Control
internal import Glibc

/// Where the program begins: runs the command and turns whatever it throws into the exit codes that scripts rely on.
@main
enum Main {
  static func main() async {
    // Nobody reads any longer (`pawl ls | head`): writing ends, the exit code stays what it is.
    signal(SIGPIPE, SIG_IGN)
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      var command = try Pawl.parseAsRoot(arguments)
      // Here, where nothing was awaited yet: what follows runs on another thread, whose heap is its own from its first use on.
      if command is Up { Daemon.prepareMemory() }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      exit(code(for: error, arguments))
    }
  }

  /// Prints what there is to say about an error and returns the exit code.
  private static func code(for error: any Error, _ arguments: [String]) -> Int32 {
    let code = Pawl.exitCode(for: error)
    if code == .validationFailure {
      let failure = UsageError.failure(error, arguments)
      if UsageError.isJSON(arguments) {
        Terminal.out(Lines.failure(failure))
      } else {
        Terminal.error(UsageError.text(failure, error))
      }
      return API.ExitCode.usage.rawValue
    }
    let message = Pawl.fullMessage(for: error)
    if code.isSuccess, let failure = UsageError.unaskedHelp(arguments) {
      if UsageError.isJSON(arguments) { Terminal.out(Lines.failure(failure)) } else { Terminal.error(failure.text) }
      return API.ExitCode.usage.rawValue
    }
    if code.isSuccess {
      Terminal.out(message)
    } else if !message.isEmpty {
      Terminal.error(message)
    }
    return code.rawValue
  }
}
