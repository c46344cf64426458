internal import ArgumentParser

/// How a command answers. Each option has an environment variable too, which its help names in brackets.
struct OutputOptions: ParsableArguments {
  @Flag(name: .customLong("json"), help: "One JSON object a line on standard output. [PAWL_JSON]")
  var jsonFlag = false

  @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Results and errors only. [PAWL_QUIET]")
  var quietFlag = false

  @Flag(name: [.customShort("v"), .customLong("verbose")], help: "More detail. [PAWL_VERBOSE]")
  var verboseFlag = false

  @Flag(name: .customLong("no-progress"), help: "No progress line. [PAWL_NO_PROGRESS]")
  var noProgressFlag = false

  /// One JSON object a line.
  var json: Bool { jsonFlag || Environment.isOn("PAWL_JSON") }
  /// Results and errors only.
  var quiet: Bool { quietFlag || Environment.isOn("PAWL_QUIET") }
  /// More detail.
  var verbose: Bool { verboseFlag || Environment.isOn("PAWL_VERBOSE") }
  /// No progress, neither drawn nor as JSON lines.
  var noProgress: Bool { noProgressFlag || quiet || Environment.isOn("PAWL_NO_PROGRESS") }
}
