internal import API
internal import ArgumentParser

/// `pawl share`
struct Share: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "share", abstract: "Publish a file or folder as the next version of an artifact.",
    discussion: """
      Prints NAME@vN and the artifact digest. The files are read where they lie; nothing is copied. Contents that are published \
      already stay the version that they are, unless they come with another note.

      Left out of a folder, and named, are .git, .env, .env.*, .DS_Store, .tmp* and __pycache__; a path that is given is taken \
      whatever its name, and followed if it is a link. Empty folders are carried.
      """)

  @Argument(help: "A file or a folder.")
  var path: String

  @Argument(help: .hidden)
  var extra: [String] = []

  @Option(help: "The artifact's name. (default: the path's base name)")
  var name: String?

  @Option(help: ArgumentHelp("Who may see and pull it, or 'all'. May be repeated.", valueName: "peer"))
  var to: [String] = []

  @Option(help: ArgumentHelp("A note that goes with this version.", valueName: "text"))
  var note: String?

  @Flag(
    help: """
      Take links to files of the same folder, and, in a snapshot of a Hugging Face cache, to its blobs. [PAWL_FOLLOW]
      """)
  var follow = false

  @Flag(help: "Leave nothing out because of its name. [PAWL_ALL]")
  var all = false

  @Flag(help: "Begin with nobody; a new version begins with the audience of the one before otherwise.")
  var onlyThis = false

  @Flag(help: "Open the earlier versions too to those named with --to.")
  var allVersions = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if onlyThis, allVersions { throw ValidationError("--only-this and --all-versions exclude each other.") }
    if allVersions, to.isEmpty { throw ValidationError("--all-versions needs --to: whom are they opened to?") }
    try ExtraArguments.refuse(extra, afterSharing: path)
  }

  func perform() throws {
    let request = ShareRequest(
      path: try PathArgument.absolute(path, naming: "the path to share"), name: name, to: to, note: note,
      follow: follow || Environment.isOn("PAWL_FOLLOW"), all: all || Environment.isOn("PAWL_ALL"),
      scope: onlyThis ? .onlyThis : allVersions ? .allVersions : .inherited)
    try ask(.share(request)) { (result: ShareResult) in
      let reference = "\(TerminalText.escape(result.artifact))@v\(result.version)"
      var remarks = result.warnings.map { "warning: " + TerminalText.escape($0, doublingBackslashes: false) }
      remarks += ShareReport.links(result, verbose: output.verbose) + ShareReport.leftOut(result, verbose: output.verbose)
      let contents = ShareReport.contents(files: result.files.count, folders: result.folders.count, bytes: result.bytes)
      remarks.append(result.unchanged ? "\(contents), the same as before: no new version" : contents)
      if result.audience.isEmpty {
        // The same words again: without one of them it would be another artifact, or none.
        let name = name.map { " --name \(ShellText.quote($0))" } ?? ""
        let again = "pawl share \(ShellText.quote(path))\(name)\(follow ? " --follow" : "")\(all ? " --all" : "") --to PEER"
        remarks.append("nobody may pull it yet; to let someone: \(again)   (or --to all)")
      } else {
        let names = result.audience.map { $0 == ShareRequest.everyone ? "every peer" : TerminalText.escape($0) }
        remarks.append("for \(names.joined(separator: ", "))")
      }
      if allVersions {
        let versions = result.opened.map { "v\($0)" }.joined(separator: ", ")
        remarks.append("\(versions) opened to \(to.map { TerminalText.escape($0) }.joined(separator: ", "))")
      }
      return Report(["\(reference) \(result.digest)"], remarks: remarks)
    }
  }
}

/// `pawl unshare`
struct Unshare: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "unshare", abstract: "Withdraw an artifact or one version of it, from everyone or from a peer.")

  @Argument(help: ArgumentHelp("NAME, all versions, or NAME@vN.", valueName: "name[@vN]"))
  var artifact: String

  @Option(
    help: ArgumentHelp(
      "Take this peer out of its audience; 'all' ends sharing with every peer and keeps those who are named. May be repeated.",
      valueName: "peer"))
  var from: [String] = []

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.unshare(UnshareRequest(artifact: artifact, from: from))) { (result: UnshareResult) in
      let versions = result.versions.map { "v\($0)" }.joined(separator: ", ")
      let names = result.from.map { $0 == ShareRequest.everyone ? "every peer" : TerminalText.escape($0) }
      let what = names.isEmpty ? "withdrawn" : "no longer shared with \(names.joined(separator: ", "))"
      return Report(
        ["\(TerminalText.escape(result.artifact)) \(versions) \(what)"],
        remarks: ["what peers have pulled already stays with them"])
    }
  }
}

/// `pawl ls`
struct List: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "What we share, or what a peer shares with us.")

  @Argument(help: "A peer's alias; without it, what we share.")
  var peer: String?

  @Argument(help: .hidden)
  var extra: [String] = []

  @OptionGroup var output: OutputOptions

  func validate() throws { try ExtraArguments.refuse(extra, after: peer) }

  func perform() throws {
    try ask(.list(ListRequest(peer: peer))) { (result: ListResult) in report(result, now: Clock.now) }
  }

  private func report(_ result: ListResult, now: UInt64) -> Report {
    guard let first = result.artifacts.first else {
      let nothing = result.peer.map { "\(TerminalText.escape($0)) shares nothing with us" } ?? "we share nothing"
      return Report([], remarks: [result.peer == nil ? nothing + "; share something with: pawl share PATH --to PEER" : nothing])
    }
    let broken = result.artifacts.filter { $0.state == .changed || $0.state == .gone }
    let isOwn = result.peer == nil
    var columns: [(String, Table.Alignment)] = [("ARTIFACT", .left), ("FILES", .right), ("SIZE", .right), ("PUBLISHED", .left)]
    if !broken.isEmpty { columns.append(("STATE", .left)) }
    if isOwn { columns.append(("FOR", .left)) }
    var table = Table(columns + [("NOTE", .left)])
    for artifact in result.artifacts {
      var cells = [
        "\(TerminalText.escape(artifact.artifact))@v\(artifact.version)", "\(artifact.files)", Units.bytes(artifact.bytes),
        Units.age(of: artifact.created, now: now),
      ]
      if !broken.isEmpty { cells.append(artifact.state.map { $0 == .current ? "" : $0.rawValue } ?? "") }
      if isOwn {
        let audience = artifact.audience.map { $0.isEmpty ? "nobody" : $0.joined(separator: ", ") } ?? ""
        cells.append(TerminalText.escape(audience))
      }
      // A note may have several lines; the first says what it is.
      table.add(cells + [TerminalText.escape(artifact.note.split(separator: "\n").first.map(String.init) ?? "")])
    }
    var remarks: [String] = []
    if let peer = result.peer { remarks.append("fetch one with: pawl pull \(ShellText.quote("\(peer)/\(first.artifact)"))") }
    if let one = broken.first {
      let reference = ShellText.quote("\(one.artifact)@v\(one.version)")
      remarks.append(
        "what is changed or gone cannot be pulled; share it again, or withdraw it: pawl unshare \(reference)")
    }
    return Report(table.lines, remarks: remarks)
  }
}
