internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// Placements that a crash cut short are completed at the next start, or rolled back to a download
/// that can be resumed.
///
/// The record says `placing` only once every byte was verified. So files get their names, and the
/// delivery its record, as if nothing had happened; only where another boot may have lost bytes, or
/// somebody touched the files, is the download resumed by the next pull.
extension Node {
  /// Keeps others from taking these transfers up meanwhile. Before the first command comes.
  func holdPlacements() async {
    for row in (try? await context.database.transfers()) ?? [] where row.state == .placing {
      if let id = TransferID(row.id), pulls[id] == nil, heldTransfers.insert(id).inserted { heldPlacements.insert(id) }
    }
  }

  /// Ends every placement that no pull is at. One whose disk is away waits for the next pass.
  func finishPlacements() async {
    for row in (try? await context.database.transfers()) ?? [] where row.state == .placing {
      guard let id = TransferID(row.id), pulls[id] == nil, !isStopping else { continue }
      // Only one pass is at it: the start's and the first of retention come at the same time.
      guard heldPlacements.remove(id) != nil || heldTransfers.insert(id).inserted else { continue }
      defer { heldTransfers.remove(id) }
      do {
        // Another pass may have ended it since the list was read.
        guard let row = try await context.database.transfer(row.id), row.state == .placing else { continue }
        try await finishPlacement(row)
      } catch {
        context.logger.warning(
          "a placement that was cut short could not be ended",
          metadata: ["artifact": "\(row.reference)", "folder": "\(row.destination)", "error": "\(error)"])
      }
    }
    // Revoked meanwhile, before this start, or while their disk was away.
    await removeOrphanedPartials()
  }

  private func finishPlacement(_ row: TransferRow) async throws {
    let isSameBoot = row.bootID == BootID.current()
    let known = try await context.database.manifest(row.digest)
    let recovered = try await context.threads.folders.run {
      () -> (Manifest, PlacementPlan, PlacementRecovery, PlacementOutcome?)? in
      guard let known, let plan = try? PlacementPlan(decoding: row.plan) else { return nil }
      let manifest = try Manifest(decoding: known.bytes.span)
      let recovery = try PartialFolder.recover(plan, isSameBoot: isSameBoot)
      // No command is there to be told what the files are.
      let outcome: PlacementOutcome? =
        if case .placed(let placed) = recovery { PlacementOutcome(placed, of: manifest, examining: false) } else { nil }
      return (manifest, plan, recovery, outcome)
    }
    guard let (manifest, plan, recovery, outcome) = recovered else {
      return try await context.database.setTransferState(row.id, .waiting)
    }
    switch recovery {
    case .placed:
      guard let outcome else { return }
      let (number, _) = try await record(
        outcome, of: manifest, digest: row.digest, as: plan, transfer: row.id, peer: row.peer)
      guard let number else { return }
      context.logger.info(
        "placed what the last run had fetched",
        metadata: ["artifact": "\(manifest.name.text)", "version": "\(manifest.version)", "files": "\(outcome.there.count)"])
      await readBacks.enqueue(number)
    case .unfinished(let lost):
      try await context.database.saveResume(row.id, Dictionary(uniqueKeysWithValues: Set(lost).map { ($0, []) }))
      try await context.database.setTransferState(row.id, .waiting)
      context.logger.warning(
        "a download is no longer whole; the same command resumes it",
        metadata: ["artifact": "\(row.reference)", "folder": "\(row.destination)"])
    case .gone:
      try await context.database.deleteTransfer(row.id)
      context.logger.warning(
        "a download is gone: neither its partial folder nor its files are there",
        metadata: ["artifact": "\(row.reference)", "folder": "\(row.destination)"])
    case .away:
      context.logger.warning(
        "a download waits for its disk", metadata: ["artifact": "\(row.reference)", "folder": "\(row.destination)"])
    }
  }
}
