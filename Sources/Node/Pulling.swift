internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

extension Node {
  /// Up to this size `pull` waits for the read-back.
  static let waitedReadBackBytes: UInt64 = 512 << 20

  /// Fetches an artifact from a peer, verifies it and places it. Resumes what an earlier attempt left.
  ///
  /// Returning means that every wanted file is under its final name or was left alone because of a conflict, and, unless
  /// ``PullSummary/isReadBack`` is false, that each was read back from disk and has the SHA-256 that its publisher claims.
  public func pull(
    _ request: PullCommand, progress: @escaping @Sendable (PullProgress) -> Void
  ) async throws -> PullSummary {
    let began = MonotonicClock.now
    let reference = try read(reference: request.reference)
    guard let alias = reference.peer else {
      throw await withoutPeer(reference)
    }
    let destination = try PullDestination(request)
    let peer = try await peer(alias: alias)
    progress(PullProgress(phase: .asking))
    let entry = try await resolve(reference, at: peer)
    let (placed, puller) = try await delivered(entry, reference, from: peer, to: destination, progress: progress)
    let unread = try await readBack(placed, wait: request.waitsForReadBack, progress: progress, puller: puller)
    return await summary(of: placed, puller: puller, unread: unread, began: began)
  }

  /// Starts a puller.
  func begin(
    _ entry: CatalogEntry, _ reference: ArtifactReference, peer: Peer, target: PullDestination?,
    progress: @escaping @Sendable (PullProgress) -> Void
  ) async throws -> Puller {
    let alias = await peer.row.alias
    // Only one pull at a time looks for an attempt in one place: two never share one.
    let transfer = try await transfer(for: entry.digest, from: peer.id, target: target)
    let order = PullOrder(alias: alias, isExplicitVersion: reference.version != nil, destination: target)
    let puller = Puller(
      context: context, peer: peer, transfer: transfer, entry: entry, order: order, desk: self, publishers: self,
      progress: progress)
    pulls[transfer] = puller
    let known = try? await context.database.manifest(entry.digest).map {
      try SignedManifest(bytes: $0.bytes, signature: $0.signature)
    }
    await puller.start(known: known)
    return puller
  }

  /// The id of an attempt to be resumed, or a new one.
  private func transfer(for digest: Digest, from peer: NodeID, target: PullDestination?) async throws -> TransferID {
    let fresh = TransferID.random(context.crypto.randomness)
    guard let target else { return fresh }
    for row in try await context.database.transfers()
    where row.peer == peer && row.digest == digest && row.destination == target.directory && row.options == target.options
      // Failed: it was canceled, and is about to go.
      && row.state != .failed
    {
      guard let id = TransferID(row.id), pulls[id] == nil else { continue }
      guard !heldTransfers.contains(id) else {
        throw NodeError(
          .conflict, "what an earlier pull of this has fetched is being placed or removed", hint: "try again in a moment")
      }
      return id
    }
    return fresh
  }

  /// Runs the rest of a pull. Whatever ends it, the puller ends with it and nothing writes any more.
  func supervising<Value: Sendable>(_ puller: Puller, _ body: () async throws -> Value) async throws -> Value {
    do {
      let value = try await body()
      await retire(puller)
      puller.ended.settle(.success(()))
      return value
    } catch {
      await puller.cancel(error)
      await retire(puller)
      await cleanUp { await self.keepOrDiscard(puller, because: error) }
      puller.ended.settle(.success(()))
      throw error
    }
  }

  /// What an ended pull leaves: a transfer to be resumed. What is verified stays whatever its source says; an empty folder is
  /// kept only where the same command could fill it.
  private func keepOrDiscard(_ puller: Puller, because error: any Error) async {
    let id = puller.transfer.bytes
    if await puller.isAbandoned { return await discard(abandoned: puller) }
    // The next start goes on with it.
    if await puller.isLeftPlacing { return }
    let isOver = await puller.isHopeless || error is CancellationError
    let row = try? await context.database.transfer(id)
    guard isOver, await isEmpty(puller, row) else {
      try? await context.database.setTransferState(id, .waiting, reason: Self.reason(of: error))
      return
    }
    do {
      if let site = await puller.site {
        try await context.threads.folders.run { try site.partial.discard() }
      } else if let row, !row.plan.isEmpty {
        // It ended before it had opened what an earlier attempt, or it itself, had made.
        try await context.threads.folders.run { try PartialFolder.discard(PlacementPlan(decoding: row.plan)) }
      }
      try await context.database.deleteTransfer(id)
    } catch {
      // The record stays, and says where the rest is.
      try? await context.database.setTransferState(id, .waiting)
      context.logger.error("a transfer was not removed", metadata: ["id": "\(puller.transfer.hex)", "error": "\(error)"])
    }
  }

  /// Whether no verified byte would be lost with the folder: of this attempt, or of one before that was not opened yet.
  private func isEmpty(_ puller: Puller, _ row: TransferRow?) async -> Bool {
    guard await puller.hasNothing, row?.state != .placing else { return false }
    guard let row, await puller.site == nil else { return true }
    guard let there = try? await waiting(row) else { return false }
    return there.bytes == 0
  }

  private func retire(_ puller: Puller) async {
    await puller.cancel()
    await puller.quiesce()
    pulls[puller.transfer] = nil
  }

  // MARK: Delivery

  /// Gives the files their final names and records them.
  func place(_ puller: Puller) async throws -> Delivery {
    guard let site = await puller.site, let manifest = await puller.manifest else { throw LinkEnded() }
    defer { context.threads.heap.jobEnds(files: manifest.files.count) }
    await puller.quiesce()
    await puller.announce(.placing)
    let id = puller.transfer.bytes
    try await context.database.setTransferState(id, .placing)
    let outcome: PlacementOutcome
    do {
      outcome = try await context.threads.folders.run {
        try site.partial.finish(site.plan.toFetch)
        return PlacementOutcome(try site.partial.place(), of: manifest)
      }
    } catch {
      if isStopping { await puller.leavePlacing() }
      throw error
    }
    let (number, path) = try await record(
      outcome, of: manifest, digest: puller.entry.digest, as: site.plan, transfer: id, peer: puller.peer.id)
    context.logger.info(
      "placed",
      metadata: ["artifact": "\(manifest.name.text)", "version": "\(manifest.version)", "files": "\(outcome.there.count)"])
    return Delivery(
      manifest: manifest, holding: number ?? 0, path: path, placed: outcome.there,
      skipped: outcome.skipped + site.partial.foldersLeftAlone, warnings: outcome.warnings, bytes: outcome.bytes)
  }

  /// Records what was placed as a delivery, in the transfer's place. Returns its number, nil if nothing is there and so nothing is
  /// recorded, and the path that a user is told.
  func record(
    _ outcome: PlacementOutcome, of manifest: Manifest, digest: Digest, as plan: PlacementPlan, transfer: [UInt8], peer: NodeID
  ) async throws -> (number: Int64?, path: String) {
    let isFile = plan.files.count == 1 && plan.folder == nil
    let path = isFile ? outcome.there.first?.path ?? plan.resultPath : plan.resultPath
    guard !outcome.there.isEmpty else {
      try await context.database.deleteTransfer(transfer)
      return (nil, path)
    }
    let holding = Holding(
      digest: digest, name: manifest.name.text, version: manifest.version, publisher: NodeID(manifest.publisher), peer: peer,
      path: path, delivered: context.now)
    return (
      try await context.database.recordDelivery(transfer: transfer, holding: holding, files: outcome.records), path
    )
  }

  /// Waits for the read-back of a delivery, unless it is large and nobody asked for that. Returns the files that could not be
  /// judged; throws `integrity` if one is not what its publisher claims.
  private func readBack(
    _ delivery: Delivery, wait: Bool, progress: @escaping @Sendable (PullProgress) -> Void, puller: Puller
  ) async throws -> [StoreError] {
    guard !delivery.placed.isEmpty else { return [] }
    let bytes = delivery.bytes
    guard wait || bytes <= Self.waitedReadBackBytes else {
      await readBacks.enqueue(delivery.holding)
      return []
    }
    let alias = puller.order.alias
    let resumed = await puller.site?.resumedBytes ?? 0
    let found = try await readBacks.outcome(of: delivery.holding) { done in
      var state = PullProgress(phase: .reading)
      state.bytes = min(done, bytes)
      state.bytesTotal = bytes
      // The line in which the fetching said so may have been overtaken.
      state.bytesResumed = resumed
      state.source = alias
      progress(state)
    }
    guard let file = found.wrong.first else { return found.unread }
    let publisher = await self.alias(of: NodeID(delivery.manifest.publisher))
    throw NodeError(
      .integrity, "\(publisher) claims a SHA-256 for “\(file.path)” that is not that of the bytes on disk",
      hint: file.quarantine.map { "the file was set aside as \($0)" }
        ?? "do not use it: it could not be set aside, which is tried again when the node starts")
  }

  private func summary(of delivery: Delivery, puller: Puller, unread: [StoreError], began: Duration) async -> PullSummary {
    let verified = (try? await context.database.verifiedFiles(delivery.holding)) ?? []
    let files = try? await context.threads.files.run { delivery.summaries(verified: verified) }
    return PullSummary(
      name: delivery.manifest.name.text, version: UInt64(delivery.manifest.version), digest: puller.entry.digest.hex,
      path: delivery.path,
      files: files ?? delivery.summaries(verified: verified),
      bytes: delivery.bytes, bytesTransferred: await puller.bytesTransferred,
      seconds: (MonotonicClock.now - began) / .seconds(1), sources: [puller.order.alias],
      // A file whose record is gone was delivered again meanwhile: nothing is known of it here.
      isReadBack: delivery.placed.allSatisfy { verified.contains($0.index) }, unread: unread.map(\.message),
      skipped: delivery.skipped, warnings: delivery.warnings)
  }
}

/// A pull whose files have their final names.
struct Delivery: Sendable {
  let manifest: Manifest
  /// The record's number in the store.
  let holding: Int64
  let path: String
  let placed: [PlacedFile]
  let skipped: [String]
  let warnings: [String]
  let bytes: UInt64

  /// What is told of each file; `verified` are those that were read back and are what the manifest says: for them its hash is
  /// one that was computed here.
  func summaries(verified: Set<Int>) -> [FileSummary] {
    placed.map { file in
      let claim = manifest.files[file.index]
      return FileSummary(
        path: file.placedAs ?? claim.path.text, artifactPath: file.placedAs == nil ? nil : claim.path.text,
        sizeBytes: claim.sizeBytes, sha256: verified.contains(file.index) ? claim.sha256.hex : nil)
    }
  }
}
