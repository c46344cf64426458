internal import Artifact
internal import EventLoop
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// Where a pull writes: the placement plan, the partial folder, and what is there of it already.
struct PullSite: Sendable {
  let plan: PlacementPlan
  let partial: PartialFolder
  /// Chunks that an earlier attempt verified; nil: none.
  let map: ResumeMap?
  /// The machine was restarted since: what the map names is hashed again before it counts.
  let mustRehash: Bool
  /// Bytes of the wanted files that the map names.
  let resumedBytes: UInt64

  /// Makes ready for a new transfer, or finds what an earlier attempt left. Disk work runs on the file threads.
  static func prepare(
    _ manifest: Manifest, digest: Digest, destination: PullDestination, transfer: TransferID, peer: NodeID,
    context: NodeContext
  ) async throws -> PullSite {
    if let row = try await context.database.transfer(transfer.bytes), !row.plan.isEmpty {
      if let site = try await resume(row, manifest, context: context) { return site }
    }
    let folder = manifest.isSingleFile ? nil : manifest.name.text
    let plan = try await comparing(context) { comparisons in
      let wanted = try destination.selection(manifest).map { WantedFile(index: $0, manifest.files[$0]) }
      return try PlacementPlan.make(
        destination: destination.directory, folder: folder, files: wanted, chunkBytes: manifest.chunkBytes,
        rule: destination.rule, shortID: String(transfer.hex.prefix(8)), emptyFolders: destination.emptyFolders(manifest),
        comparisons: comparisons)
    }
    let record = try await context.threads.folders.run { plan.encoded() }
    // The record first: whatever is on disk after a crash is then known and can be resumed or removed.
    try await context.database.saveTransfer(
      TransferRow(
        id: transfer.bytes, peer: peer, digest: digest, reference: "\(manifest.name)@v\(manifest.version)",
        destination: destination.directory, partial: plan.partial, options: destination.options, plan: record,
        state: .running, created: context.now, bootID: BootID.current()))
    do {
      let partial = try await context.threads.folders.run { try PartialFolder.create(plan) }
      return PullSite(plan: plan, partial: partial, map: nil, mustRehash: false, resumedBytes: 0)
    } catch {
      try? await context.database.deleteTransfer(transfer.bytes)
      throw error
    }
  }

  /// Plans, with all that must be compared hashed between two looks.
  private static func comparing(
    _ context: NodeContext, _ look: @escaping @Sendable (ContentComparisons) throws -> PlacementPlan
  ) async throws -> PlacementPlan {
    let comparisons = ContentComparisons()
    while true {
      let plan = try await context.threads.folders.run { try look(comparisons) }
      guard comparisons.isIncomplete else { return plan }
      try await comparisons.hash(on: context.threads.hashing)
    }
  }

  /// What the machine is to fetch. With 100,000 files this takes longer than the loop may be kept.
  func pullPlan(_ manifest: Manifest, context: NodeContext) async throws -> PullPlan {
    try await context.threads.files.run {
      PullPlan(manifest: manifest, selection: plan.toFetch, verified: map, mustRehash: mustRehash)
    }
  }

  /// Takes up an earlier attempt; nil if its partial folder is gone.
  private static func resume(_ row: TransferRow, _ manifest: Manifest, context: NodeContext) async throws -> PullSite? {
    let bits = try await context.database.resumeMaps(row.id)
    let site: PullSite
    let record: [UInt8]?
    do {
      let stored = try await context.threads.folders.run {
        let stored = try PlacementPlan(decoding: row.plan)
        guard PartialFolder.hasDestination(stored) else {
          let id = TransferID(row.id)?.hex.prefix(8) ?? ""
          throw NodeError(
            .notFound, "\(row.destination) is not there, and it holds what was fetched of \(row.reference)",
            hint: "attach its disk and run the same command again; to give that up: pawl cancel \(id)")
        }
        return stored
      }
      // What lay there when the plan was made may have been removed or changed since.
      let plan = try await comparing(context) { try stored.judgedAgain($0) }
      (site, record) = try await context.threads.folders.run {
        let reopened = try PartialFolder.reopen(plan)
        var map = ResumeMap(manifest: manifest)
        for (file, bits) in bits where file < manifest.files.count { try map.load(file: file, bits: bits) }
        for file in reopened.lost { map.clear(file: file) }
        let site = PullSite(
          plan: plan, partial: reopened.folder, map: map, mustRehash: row.bootID != BootID.current(),
          resumedBytes: plan.toFetch.reduce(UInt64(0)) { $0 + map.verifiedBytes(file: $1) })
        return (site, plan == stored ? nil : plan.encoded())
      }
    } catch let error as StoreError where error.code == .doesNotExist {
      try await context.database.deleteTransfer(row.id)
      return nil
    }
    if let record { try await context.database.setTransferPlan(row.id, plan: record, partial: site.plan.partial) }
    try await context.database.setTransferState(row.id, .running)
    return site
  }
}
