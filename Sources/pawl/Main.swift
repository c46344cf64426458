internal import API
internal import ArgumentParser
internal import Glibc

/// Where the program begins: runs the command and turns whatever it throws into the exit codes that scripts rely on.
@main
enum Main {
  static func main() async {
    // Nobody reads any longer (`pawl ls | head`): writing ends, the exit code stays what it is.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try Pawl.parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      exit(code(for: error))
    }
  }

  /// Prints what there is to say about an error and returns the exit code.
  private static func code(for error: any Error) -> Int32 {
    let code = Pawl.exitCode(for: error)
    if code == .validationFailure {
      if CommandLine.arguments.dropFirst().contains("--json") {
        Terminal.out(Lines.failure(Failure(.usage, Pawl.message(for: error), hint: "pawl --help")))
      } else {
        Terminal.error(Pawl.fullMessage(for: error))
      }
      return API.ExitCode.usage.rawValue
    }
    let message = Pawl.fullMessage(for: error)
    if code.isSuccess {
      Terminal.out(message)
    } else if !message.isEmpty {
      Terminal.error(message)
    }
    return code.rawValue
  }
}
