internal import API
internal import ArgumentParser

/// `pawl transfers`
struct Transfers: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfers", abstract: "Show what moves or waits, in both directions.",
    discussion: """
      A pull that ended early waits until the same pull command goes on with it, or until it is canceled.
        pawl cancel 1a2b3c4d     drop the pull whose id begins so
      """)

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.transfers) { (result: TransfersResult) in
      TransferReport.list(result.transfers, verbose: output.verbose)
    }
  }
}

/// `pawl cancel`
struct Cancel: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "End a pull, and drop what has arrived of it.",
    discussion: """
      Nothing is left: neither the partial folder nor the record of it. Files that were placed before stay.
        pawl transfers           lists the ids
        pawl cancel 1a2b3c4d     the beginning of an id is enough
      """)

  @Argument(help: "The id of a transfer, or the beginning of it.")
  var id: String

  @OptionGroup var output: OutputOptions

  func perform() throws {
    try ask(.cancel(CancelRequest(id: id))) { (result: CancelResult) in
      Report(
        ["the pull of \(TransferReport.name(result.transfer)) from \(TerminalText.escape(result.transfer.peer)) is canceled"],
        remarks: ["nothing of it is kept"])
    }
  }
}

/// `pawl forget`
struct Forget: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Drop a download from the records that check looks at; its files stay.",
    discussion: """
      For files that you have moved, changed or deleted on purpose.
        pawl forget anime-lora             every version, whoever published it
        pawl forget studio/anime-lora@v2   one version of studio's
        pawl forget anime-lora --path old  only the copy in the folder old
      """)

  @Argument(
    help: ArgumentHelp(
      "NAME, all versions, or NAME@vN; with PEER/ only what that peer published.", valueName: "[peer/]name[@vN]"))
  var artifact: String

  @Option(
    help: ArgumentHelp("Only the copy that was pulled to this folder, or lies at this path. (default: all)", valueName: "dir"))
  var path: String?

  @OptionGroup var output: OutputOptions

  func perform() throws {
    let place = try path.map { try PathArgument.absolute($0, naming: "the place to forget") }
    try ask(.forget(ForgetRequest(artifact: artifact, path: place))) { (result: ForgetResult) in
      Report(
        result.forgotten.map { download in
          let name = "\(TerminalText.escape(download.publisher))/\(TerminalText.escape(download.artifact))@v\(download.version)"
          return "\(name) in \(TerminalText.escape(download.path)) is forgotten"
        }, remarks: ["the files stay where they are"])
    }
  }
}

/// How transfers are shown to people.
enum TransferReport {
  /// Digits of an id in a table: enough to tell a few transfers apart, short enough to type.
  private static let shownDigits = 8

  /// A table, and what to do about what waits.
  static func list(_ transfers: [Transfer], verbose: Bool) -> Report {
    guard !transfers.isEmpty else { return Report([], remarks: ["nothing moves, and nothing waits"]) }
    var table = Table([
      ("ID", .left), ("PEER", .left), ("ARTIFACT", .left), ("STATE", .left), ("DONE", .right), ("SIZE", .right),
      ("RATE", .right), ("ETA", .right),
    ])
    for transfer in transfers {
      let id = verbose ? transfer.id : String(transfer.id.prefix(shownDigits))
      table.add([
        TerminalText.escape(id), (transfer.direction == .incoming ? "from " : "to ") + TerminalText.escape(transfer.peer),
        name(transfer), TerminalText.escape(transfer.state.rawValue),
        transfer.bytesTotal.map { Units.percent(transfer.bytes, of: $0) } ?? Units.bytes(transfer.bytes),
        transfer.bytesTotal.map(Units.bytes) ?? "–", transfer.bytesPerSecond > 0 ? Units.rate(transfer.bytesPerSecond) : "–",
        transfer.etaSeconds.map(Units.clock) ?? "–",
      ])
    }
    let waiting = transfers.filter { $0.direction == .incoming && ($0.state == .waiting || $0.state == .failed) }
    let details = waiting.flatMap { transfer in
      let id = TerminalText.escape(String(transfer.id.prefix(shownDigits)))
      return [
        transfer.reason.map { "\(id): \(TerminalText.escape($0, doublingBackslashes: false))" },
        transfer.partial.map { "\(id): what has arrived is in \(TerminalText.escape($0))" },
      ].compactMap(\.self)
    }
    let remarks =
      waiting.first.map { transfer in
        [
          "the same pull command goes on; to drop one: pawl cancel \(TerminalText.escape(String(transfer.id.prefix(shownDigits))))"
        ]
      } ?? []
    return Report(table.lines + details, remarks: remarks)
  }

  /// `anime-lora@v3`
  static func name(_ transfer: Transfer) -> String {
    TerminalText.escape(transfer.artifact) + (transfer.version.map { "@v\($0)" } ?? "")
  }
}
