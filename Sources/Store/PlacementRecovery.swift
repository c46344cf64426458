internal import Artifact
internal import Glibc
internal import Primitives

/// What became of a placement that a crash cut short.
public enum PlacementRecovery: Sendable {
  /// It was completed: everything is where the result says, and the partial folder is gone.
  case placed([PlacedFile])
  /// It was rolled back: these files are not whole, and the transfer can be resumed.
  case unfinished(lost: [Int])
  /// The partial folder is gone, and not everything is in its place: there is nothing to go on
  /// with.
  case gone
  /// The destination is not there now.
  case away
}

extension PartialFolder {
  /// Ends a placement that a crash cut short. Once the record says `placing`, every byte was
  /// verified: what is still in the partial folder gets its final name, and what has it is
  /// recognized by its contents. Blocks, so on a worker.
  ///
  /// - Parameter isSameBoot: whether this is the boot in which the bytes were written. After another one the files may have been lost
  ///   before they were synced, so each is hashed first; one that is not whole rolls the placement back.
  public static func recover(_ plan: PlacementPlan, isSameBoot: Bool) throws(StoreError) -> PlacementRecovery {
    try recover(plan, isSameBoot: isSameBoot) { _ in }
  }

  static func recover(
    _ plan: PlacementPlan, isSameBoot: Bool, step: (String) throws(StoreError) -> Void
  ) throws(StoreError) -> PlacementRecovery {
    guard hasDestination(plan) else { return .away }
    let partial: PartialFolder
    var lost: [Int]
    do { (partial, lost) = try reopen(plan) } catch {
      guard error.code == .doesNotExist else { throw error }
      return try recognized(plan)
    }
    if !isSameBoot { lost += try partial.damaged() }
    guard lost.isEmpty else { return .unfinished(lost: lost) }
    try partial.finish(plan.toFetch)
    return .placed(try partial.place(step: step))
  }

  /// Whether the folder that a plan's partial folder was made in is there; false also while its disk
  /// is away. Blocks, so on a worker.
  public static func hasDestination(_ plan: PlacementPlan) -> Bool { access(plan.destination, F_OK) == 0 }

  /// The numbers of staged files whose bytes are not those of the artifact.
  private func damaged() throws(StoreError) -> [Int] {
    var damaged: [Int] = []
    for file in plan.files where file.isFetched && !placed.contains(file.index) {
      let staged = Beneath.open(folder, plan.staging(file), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      let root = staged.flatMap { ChunkReader($0, sizeBytes: file.sizeBytes, chunkBytes: plan.chunkBytes).root() }
      if root != file.root { damaged.append(file.index) }
    }
    return damaged
  }

  /// The result of a placement that was complete but for its record.
  private static func recognized(_ plan: PlacementPlan) throws(StoreError) -> PlacementRecovery {
    let place = try Destination(plan.destination)
    let judge = ConflictJudge(place: place, chunkBytes: plan.chunkBytes, rule: plan.rule)
    var results: [PlacedFile] = []
    for file in plan.files {
      let outcome: PlacedFile.Outcome
      switch file.action {
      case .identical: outcome = .identical
      case .conflict: outcome = .conflict
      case .write, .overwrite:
        guard try judge.isPlaced(file) else { return .gone }
        outcome = .placed
      }
      results.append(plan.placed(file, outcome))
    }
    return .placed(results)
  }
}
