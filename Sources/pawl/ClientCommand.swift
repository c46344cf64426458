internal import API
internal import ArgumentParser

/// A verb that asks the node.
protocol ClientCommand: ParsableCommand {
  /// How to answer.
  var output: OutputOptions { get }
  /// Does it; throws a ``Failure`` if it could not be done.
  func perform() throws
}

extension ClientCommand {
  /// Performs the verb; prints a failure in the shape that was asked for and exits with its code.
  func run() throws {
    do { try perform() } catch let failure as Failure {
      if output.json {
        for piece in Lines.pieces(failure) { Terminal.out(piece) }
      } else {
        Terminal.out(failure.findings)
        Terminal.error(failure.text)
      }
      throw ArgumentParser.ExitCode(failure.exit)
    }
  }

  /// Asks the node and prints its answer.
  ///
  /// - Parameters:
  ///   - onEvent: what to print of an event; for people only.
  ///   - report: what to print of the result; for people only.
  func ask<Body: ResultBody>(
    _ request: Request, onEvent: (Event) -> Report = { .standard($0) }, report: (Body) -> Report
  ) throws {
    let path = try SocketLocation.resolve(environment: Environment.places)
    var client = try Client(path: path)
    Interruption.watch(descriptor: client.descriptor)
    defer { Interruption.unwatch() }
    try client.send(request)
    var progress = ProgressLine(isDrawn: !output.json && !output.noProgress && Terminal.canDraw)
    defer { progress.clear() }
    while true {
      let line: [UInt8]
      do { line = try client.nextLine() } catch {
        throw Interruption.happened ? Failure(.interrupted, "interrupted") : error
      }
      // Scripts get the line as it came: then nothing has to be made of its files here.
      switch try Lines.readReply(line, as: Body.self, withLists: !output.json) {
      case .progress(let now):
        if output.json, !output.noProgress { Terminal.out(line: line) }
        progress.show(now)
      case .event(let event):
        progress.clear()
        if output.json { Terminal.out(line: line) } else { onEvent(event).print(output) }
      case .failure(let failure):
        guard output.json else { throw failure }
        progress.clear()
        Terminal.out(line: line)
        throw ArgumentParser.ExitCode(failure.exit)
      case .result(let body):
        progress.clear()
        if output.json { Terminal.out(line: line) } else { report(body).print(output) }
        return
      }
    }
  }

}

/// What a command says to people: the result on standard output, what it means and what to do next on standard error.
struct Report {
  /// The result.
  var result: [String] = []
  /// What it means and what to do next; not with `--quiet`.
  var remarks: [String] = []

  /// A result and remarks, line by line.
  init(_ result: [String], remarks: [String] = []) {
    self.result = result
    self.remarks = remarks
  }

  /// What is said of an event that a verb does not treat in a way of its own.
  static func standard(_ event: Event) -> Report {
    switch event {
    case .ticket(let ticket): Report([ticket.ticket])
    case .ready: Report([])
    case .notice(let message): Report([], remarks: [TerminalText.escape(message, doublingBackslashes: false)])
    }
  }

  /// Prints it.
  func print(_ output: OutputOptions) {
    Terminal.out(result)
    if !output.quiet { Terminal.error(remarks.joined(separator: "\n")) }
  }
}

extension Failure {
  /// For people: `pawl: what happened`, and on the next line what to do.
  var text: String {
    var lines = ["pawl: " + TerminalText.escape(message, doublingBackslashes: false)]
    if let hint { lines.append("      " + TerminalText.escape(hint, doublingBackslashes: false)) }
    return lines.joined(separator: "\n")
  }

  /// What was done or found nevertheless: a result like any other.
  var findings: [String] {
    (placed.map(PullReport.lines) ?? []) + (checked.map { CheckReport.lines($0, verbose: false) } ?? [])
  }
}
