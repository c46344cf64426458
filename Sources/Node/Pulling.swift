internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

extension Node {
  /// Pulls that may run at once: each holds frames and a partial folder.
  static let maximumPulls = 8
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
      throw NodeError(.usage, "say from whom: PEER/\(reference.name)", hint: "`pawl peers` lists the peers")
    }
    let destination = try PullDestination(request)
    let peer = try await peer(alias: alias)
    let puller = try await begin(reference, peer: peer, target: destination, progress: progress)
    let placed = try await supervising(puller) {
      try await puller.completion()
      return try await self.place(puller)
    }
    let isReadBack = try await readBack(placed, wait: request.waitsForReadBack, progress: progress, puller: puller)
    return await summary(of: placed, puller: puller, isReadBack: isReadBack, began: began)
  }

  /// Resolves the reference and starts a puller for it.
  func begin(
    _ reference: ArtifactReference, peer: Peer, target: PullDestination?,
    progress: @escaping @Sendable (PullProgress) -> Void
  ) async throws -> Puller {
    progress(PullProgress(phase: .asking))
    guard let entry = try await peer.resolve(reference.name, version: reference.version) else {
      let alias = await peer.row.alias
      throw NodeError(
        .notFound, "\(alias) shares no \(reference.name)\(reference.version.map { "@v\($0)" } ?? "") with this node",
        hint: "`pawl ls \(alias)` lists what it shares")
    }
    guard pulls.count < Self.maximumPulls else {
      throw NodeError(.noSpace, "\(pulls.count) pulls are running already", hint: "wait for one to end")
    }
    let alias = await peer.row.alias
    // Nothing waits between the choice of the transfer and its being taken: two pulls never share one.
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
    where row.peer == peer && row.digest == digest && row.destination == target.directory && row.options == target.options {
      guard let id = TransferID(row.id) else { continue }
      guard !heldTransfers.contains(id) else {
        throw NodeError(
          .conflict, "what an earlier pull of this has fetched is being placed or removed", hint: "try again in a moment")
      }
      guard pulls[id] == nil else {
        throw NodeError(.conflict, "this is being pulled already", hint: "`pawl status` shows how far it is")
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
      return value
    } catch {
      await puller.cancel(error)
      await retire(puller)
      await keepOrDiscard(puller)
      throw error
    }
  }

  /// What an ended pull leaves: a transfer to be resumed, or nothing where that could not help.
  private func keepOrDiscard(_ puller: Puller) async {
    let id = puller.transfer.bytes
    guard await puller.isHopeless else {
      try? await context.database.setTransferState(id, .waiting)
      return
    }
    if let site = await puller.site { try? await context.threads.files.run { try site.partial.discard() } }
    try? await context.database.deleteTransfer(id)
  }

  private func retire(_ puller: Puller) async {
    await puller.cancel()
    await puller.quiesce()
    pulls[puller.transfer] = nil
  }

  // MARK: Delivery

  /// Gives the files their final names and records them.
  private func place(_ puller: Puller) async throws -> Delivery {
    guard let site = await puller.site, let manifest = await puller.manifest else { throw LinkEnded() }
    await puller.quiesce()
    await puller.announce(.placing)
    let id = puller.transfer.bytes
    try await context.database.setTransferState(id, .placing)
    let placed = try await context.threads.files.run {
      try site.partial.finish(site.plan.toFetch)
      return try site.partial.place()
    }
    let there = placed.filter { $0.outcome != .conflict }
    let path =
      site.plan.files.count == 1 && site.plan.folder == nil ? there.first?.path ?? site.plan.resultPath : site.plan.resultPath
    let holding = Holding(
      digest: puller.entry.digest, name: manifest.name.text, version: manifest.version,
      publisher: NodeID(manifest.publisher), peer: puller.peer.id, path: path, delivered: context.now)
    let files = there.map { file in
      HoldingFile(
        index: file.index, path: file.path, sizeBytes: manifest.files[file.index].sizeBytes,
        expected: manifest.files[file.index].sha256)
    }
    let number =
      files.isEmpty
      ? 0 : try await context.database.recordDelivery(transfer: id, holding: holding, files: files)
    if files.isEmpty { try await context.database.deleteTransfer(id) }
    context.logger.info(
      "placed", metadata: ["artifact": "\(manifest.name.text)", "version": "\(manifest.version)", "files": "\(there.count)"])
    return Delivery(
      manifest: manifest, holding: number, path: path, placed: there,
      skipped: placed.filter { $0.outcome == .conflict }.map { manifest.files[$0.index].path.text })
  }

  private func readBack(
    _ delivery: Delivery, wait: Bool, progress: @escaping @Sendable (PullProgress) -> Void, puller: Puller
  ) async throws -> Bool {
    guard !delivery.placed.isEmpty else { return true }
    let bytes = delivery.bytes
    guard wait || bytes <= Self.waitedReadBackBytes else {
      await readBacks.enqueue(delivery.holding)
      return false
    }
    let alias = puller.order.alias
    let wrong = try await readBacks.run(delivery.holding) { done in
      var state = PullProgress(phase: .reading)
      state.bytes = done
      state.bytesTotal = bytes
      state.source = alias
      progress(state)
    }
    guard let file = wrong.first else { return true }
    let publisher = await self.alias(of: NodeID(delivery.manifest.publisher))
    throw NodeError(
      .integrity, "\(publisher) claims a SHA-256 for “\(file.path)” that is not that of the bytes on disk",
      hint: file.quarantine.map { "the file was set aside as \($0)" })
  }

  private func summary(of delivery: Delivery, puller: Puller, isReadBack: Bool, began: Duration) async -> PullSummary {
    let computed = (try? await context.database.holdingFiles(delivery.holding)) ?? []
    let hashes = Dictionary(computed.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    return PullSummary(
      name: delivery.manifest.name.text, version: UInt64(delivery.manifest.version), digest: puller.entry.digest.hex,
      path: delivery.path,
      files: delivery.placed.map { file in
        FileSummary(
          path: delivery.manifest.files[file.index].path.text, sizeBytes: delivery.manifest.files[file.index].sizeBytes,
          sha256: hashes[file.index].flatMap { $0.state == .verified ? $0.computed?.hex : nil })
      },
      bytes: delivery.bytes, bytesTransferred: await puller.bytesTransferred,
      seconds: (MonotonicClock.now - began) / .seconds(1), sources: [puller.order.alias], isReadBack: isReadBack,
      skipped: delivery.skipped)
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

  var bytes: UInt64 { placed.reduce(0) { $0 + manifest.files[$1.index].sizeBytes } }
}
