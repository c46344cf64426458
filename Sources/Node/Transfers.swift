internal import Artifact
internal import EventLoop
internal import Logging
internal import Session
internal import Store
internal import Transfer
internal import Wire

/// One transfer, for people and scripts.
public struct TransferEntry: Sendable {
  /// How far a transfer is.
  public enum State: String, Sendable {
    /// The manifest is being asked for.
    case asking
    /// Bytes are on their way.
    case running
    /// The user stopped it.
    case paused
    /// The peer is away, or the command that fetched it ended early.
    case waiting
    /// Everything is here; files get their final names.
    case placing
    /// What is on the disk is being compared with the manifest.
    case checking
    /// It cannot go on.
    case failed
  }

  /// 16 bytes in hex.
  public let id: String
  /// True: this node fetches. False: it serves.
  public let isPull: Bool
  /// NAME.
  public let name: String
  /// Its version, if known.
  public let version: UInt64?
  /// Alias of the other side.
  public let peer: String
  /// How far it is.
  public let state: State
  /// Bytes that are there and verified, or were sent.
  public let bytes: UInt64
  /// Bytes in all; nil: not known.
  public let bytesTotal: UInt64?
  /// Over the last seconds.
  public let bytesPerSecond: UInt64
  /// Aliases of the peers that bytes come from.
  public let sources: [String]
  /// Why it does not move; nil: it does.
  public let reason: String?
  /// The folder that holds what has arrived, absolute; nil: there is none.
  public let partial: String?
}

/// What is kept of a pull that ended early.
public struct Leftover: Sendable {
  /// Its id in hex.
  public let id: String
  /// `NAME@vN`
  public let reference: String
  /// The folder that holds what has arrived. Absolute.
  public let partial: String
}

extension Node {
  /// What moves or waits: pulls first, and of each kind those that run first.
  public func transfers() async throws -> [TransferEntry] {
    let all = try await runningPulls() + storedPulls() + servings()
    return all.filter(\.isPull) + all.filter { !$0.isPull }
  }

  /// Ends a pull and drops what has arrived of it. Returning means that its folder and its record are gone.
  ///
  /// - Parameter prefix: the beginning of its id, as far as no other begins with it.
  public func cancel(transfer prefix: String) async throws -> TransferEntry {
    let all = try await transfers()
    let entry: TransferEntry
    do {
      entry = try IDPrefix(prefix, of: "transfer", listedBy: "pawl transfers").only(of: all, by: \.id)
    } catch let error as NodeError {
      guard let named = all.first(where: { $0.isPull && $0.name == prefix }) else { throw error }
      throw NodeError(
        .usage, "“\(prefix)” is an artifact, and `pawl cancel` takes the id of a transfer",
        hint: "to cancel that pull: pawl cancel \(named.id.prefix(8))")
    }
    guard entry.isPull else {
      throw NodeError(
        .usage, "\(entry.peer) is fetching \(entry.name), so it is \(entry.peer)'s to cancel",
        hint:
          "to stop serving it: pawl unshare \(entry.name)   (or, to end everything with that peer: pawl revoke \(entry.peer))")
    }
    guard let id = TransferID(hex: entry.id) else { return entry }
    try await abandon(id, named: entry.name)
    context.logger.info("canceled", metadata: ["artifact": "\(entry.name)", "peer": "\(entry.peer)"])
    return entry
  }

  /// The record that the same pull would go on with; nil: there is none.
  public func leftover(of pull: PullCommand) async -> Leftover? {
    guard let reference = try? read(reference: pull.reference), let alias = reference.peer,
      let peer = try? await peer(alias: alias), let destination = try? PullDestination(pull),
      let rows = try? await context.database.transfers()
    else { return nil }
    let row = rows.first { row in
      row.peer == peer.id && row.destination == destination.directory && row.options == destination.options
        && row.artifact.name == reference.name.text
        && (reference.version == nil || row.artifact.version == reference.version.map { UInt64($0) })
        && row.partial != nil && row.state != .failed && TransferID(row.id).flatMap { pulls[$0] } == nil
    }
    guard let row, let partial = row.partial else { return nil }
    return Leftover(id: Hex.encode(row.id), reference: row.reference, partial: partial)
  }

  // MARK: Listing

  private func runningPulls() async -> [TransferEntry] {
    var entries: [TransferEntry] = []
    for puller in pulls.values where puller.order.destination != nil {
      let progress = await puller.latest
      let isLinked = await puller.isLinked
      let alias = puller.order.alias
      let state: TransferEntry.State =
        switch progress.phase {
        case .asking: isLinked ? .asking : .waiting
        case .examining, .reading: .checking
        case .fetching: isLinked ? .running : .waiting
        case .placing: .placing
        case .waiting: .waiting
        }
      entries.append(
        TransferEntry(
          id: puller.transfer.hex, isPull: true, name: puller.entry.name.text, version: UInt64(puller.entry.version),
          peer: alias, state: state, bytes: progress.bytes, bytesTotal: progress.bytesTotal > 0 ? progress.bytesTotal : nil,
          bytesPerSecond: state == .running ? progress.bytesPerSecond : 0, sources: [alias],
          reason: state == .waiting ? "\(alias) cannot be reached now" : nil, partial: await puller.site?.plan.partial))
    }
    return entries.sorted { $0.id < $1.id }
  }

  private func storedPulls() async throws -> [TransferEntry] {
    var entries: [TransferEntry] = []
    for row in try await context.database.transfers() where TransferID(row.id).flatMap({ pulls[$0] }) == nil {
      let (bytes, total) = try await waiting(row)
      let alias = await alias(of: row.peer)
      let state: TransferEntry.State =
        switch row.state {
        case .failed: .failed
        case .paused: .paused
        case .waiting, .running, .placing: .waiting
        }
      entries.append(
        TransferEntry(
          id: Hex.encode(row.id), isPull: true, name: row.artifact.name, version: row.artifact.version, peer: alias,
          state: state, bytes: bytes, bytesTotal: total > 0 ? total : nil, bytesPerSecond: 0, sources: [alias],
          reason: row.reason ?? "the node was stopped", partial: row.partial))
    }
    return entries
  }

  private func servings() async -> [TransferEntry] {
    var entries: [TransferEntry] = []
    for server in servers.values {
      let alias = await alias(of: server.peer.id)
      for serving in await server.report() {
        let isRunning = serving.bytesPerSecond > 0
        entries.append(
          TransferEntry(
            id: serving.connection, isPull: false, name: serving.name, version: serving.version, peer: alias,
            state: isRunning ? .running : .waiting, bytes: serving.bytes, bytesTotal: nil,
            bytesPerSecond: serving.bytesPerSecond, sources: [],
            reason: isRunning ? nil : "\(alias) takes nothing at this moment", partial: nil))
      }
    }
    return entries.sorted { $0.id < $1.id }
  }

  // MARK: Canceling

  /// Ends the pull if it runs, and removes what is there of it.
  private func abandon(_ id: TransferID, named name: String) async throws {
    if let puller = pulls[id] { return try await abandon(puller) }
    // From here on no pull takes it up, and nobody else places or removes it.
    guard heldTransfers.insert(id).inserted else {
      throw NodeError(
        .conflict, "what was fetched of \(name) is getting its final name, or being removed, at this moment",
        hint: "see what became of it: pawl transfers; files that were placed go with: pawl forget \(name)")
    }
    defer { heldTransfers.remove(id) }
    guard let row = try await context.database.transfer(id.bytes) else {
      throw NodeError(
        .conflict, "the pull of \(name) has ended meanwhile", hint: "files that were placed go with: pawl forget \(name)")
    }
    // After a crash it is still known.
    try await context.database.setTransferState(id.bytes, .failed, reason: Self.canceled)
    if !row.plan.isEmpty {
      try await context.threads.folders.run { try PartialFolder.discard(PlacementPlan(decoding: row.plan)) }
    }
    try await context.database.deleteTransfer(id.bytes)
  }

  private func abandon(_ puller: Puller) async throws {
    let name = puller.entry.name.text
    guard
      await puller.abandon(NodeError(.interrupted, "the pull of \(name) was canceled; nothing of it is kept"))
    else {
      throw NodeError(
        .conflict, "everything of \(name) has arrived, and it is getting its final name",
        hint: "delete the files where they are, and then: pawl forget \(name)")
    }
    try await puller.ended.value()
    guard let row = try await context.database.transfer(puller.transfer.bytes) else { return }
    throw NodeError(
      .failed, "the pull has ended, and \(row.partial ?? "its partial folder") cannot be removed",
      hint: "remove the folder, and then once more: pawl cancel \(puller.transfer.hex.prefix(8))")
  }

  /// Removes what there is of an abandoned pull, whose own task may be canceled. What cannot be
  /// removed stays on record.
  func discard(abandoned puller: Puller) async {
    let id = puller.transfer.bytes
    let site = await puller.site
    await cleanUp { [context] in
      do {
        if try await context.database.transfer(id) != nil {
          try await context.database.setTransferState(id, .failed, reason: Self.canceled)
        }
        if let site { try await context.threads.folders.run { try site.partial.discard() } }
        try await context.database.deleteTransfer(id)
      } catch {
        context.logger.error("a canceled pull was not removed", metadata: ["error": "\(error)"])
      }
    }
  }

  private static let canceled = "canceled; its partial folder is still to be removed"

  /// The reason that is stored with a pull that ended early.
  static func reason(of error: any Error) -> String {
    switch error {
    case let error as NodeError: error.message
    case let error as StoreError: error.message
    default: "interrupted"
    }
  }
}

extension Puller {
  /// Ends the pull and gives up what is there of it. False: it is too late, since the rest runs without the peer.
  func abandon(_ error: NodeError) async -> Bool {
    guard !finished.isSettled else { return false }
    isAbandoned = true
    await cancel(error)
    return true
  }
}

extension TransferRow {
  /// Name and version in ``reference``.
  var artifact: (name: String, version: UInt64?) {
    let parts = reference.split(separator: "@v", maxSplits: 1)
    return (parts.first.map(String.init) ?? reference, parts.count > 1 ? UInt64(parts[1]) : nil)
  }
}
