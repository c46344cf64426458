internal import EventLoop
internal import Logging
internal import Session
internal import Store
internal import Transfer

/// When the node last looked at what nobody uses any more.
struct Retaining: Sendable {
  /// Between two passes. The first comes with the first tick.
  static let interval = Duration.seconds(3_600)
  /// What a pass counts at most: a loop that stood still does not count as time in which somebody
  /// could read.
  static let longestCount = Duration.seconds(2 * 3_600)
  /// Passes from one look at manifests and withdrawn versions to the next: once a day, as these
  /// tables may be large.
  static let passesPerSweep = 24

  var isWorking = false
  /// On the monotonic clock.
  var last: Duration?
  var passes = 0
  /// What the calendar said when it was last looked at, and ``elapsed`` then.
  var seen: (calendar: UInt64, elapsed: Duration)?

  private static let origin = ContinuousClock.now
  /// Goes forward while the machine sleeps, too, and nobody can set it.
  static var elapsed: Duration { ContinuousClock.now - origin }

  /// By how much the calendar was set forward since it was last looked at.
  func jump(at calendar: UInt64, _ elapsed: Duration) -> UInt64 {
    guard let seen else { return 0 }
    let passed = Duration.seconds(Int64(clamping: calendar - min(calendar, seen.calendar)))
    let jump = passed - (elapsed - seen.elapsed)
    return jump > .seconds(60) ? UInt64(jump.components.seconds) : 0
  }
}

/// Removing what nobody uses any more (``RetentionTimes``), in slices.
extension Node {
  /// Begins a pass if one is due. For the node's tick, which does not wait for it.
  func beginRetaining() {
    let now = MonotonicClock.now
    guard !retaining.isWorking, retaining.last.map({ now - $0 >= Retaining.interval }) ?? true else { return }
    startTask { await self.retain(at: now) }
  }

  /// One pass. Every slice is a transaction of its own, so a stop between two of them is fine.
  ///
  /// - Parameters:
  ///   - time: now, on the monotonic clock.
  ///   - elapsed: now, on ``Retaining/elapsed``.
  func retain(at time: Duration = MonotonicClock.now, elapsed: Duration = Retaining.elapsed) async {
    guard !retaining.isWorking, !isStopping else { return }
    retaining.isWorking = true
    defer { retaining.isWorking = false }
    let ran = min(retaining.last.map { time - $0 } ?? .zero, Retaining.longestCount)
    retaining.last = time
    do {
      try await retainTransfers(ranSeconds: UInt64(max(0, ran / .seconds(1))), elapsed: elapsed)
      if retaining.passes.isMultiple(of: Retaining.passesPerSweep) { try await sweep() }
      retaining.passes += 1
    } catch {
      guard !isStopping else { return }
      context.logger.warning("what is no longer used was not removed", metadata: ["error": "\(error)"])
    }
  }

  private func sweep() async throws {
    var sweep: RetentionSweep? = RetentionSweep()
    while !isStopping, let next = sweep { sweep = try await context.database.sweep(next, now: context.now) }
    while !isStopping, try await context.database.shrink() > 0 {}
  }

  // MARK: Downloads that nobody continues

  private func retainTransfers(ranSeconds: UInt64, elapsed: Duration) async throws {
    let now = context.now
    let idle = try await context.database.noteIdleTransfers(
      now: now, ranSeconds: ranSeconds, jumpedSeconds: retaining.jump(at: now, elapsed))
    // Only once the jump is stored.
    retaining.seen = (now, elapsed)
    for row in try await context.database.transfersWithoutVolume() {
      let volume = try await context.threads.files.run {
        (try? PlacementPlan(decoding: row.plan)).flatMap { PartialFolder.volume(of: $0) }
      }
      if let volume { try await context.database.setVolume(of: row.id, volume) }
    }
    for transfer in idle where transfer.isNew {
      let warning = try await warning(of: transfer)
      context.logger.warning("\(warning)")
    }
    await finishPlacements()
    for transfer in idle where transfer.isDue && !isStopping { try await remove(transfer) }
  }

  private func remove(_ transfer: IdleTransfer) async throws {
    guard let id = TransferID(transfer.id), pulls[id] == nil, heldTransfers.insert(id).inserted else { return }
    defer { heldTransfers.remove(id) }
    // Nobody can take it up from here on; somebody may have until now.
    let isDue = try await context.database.idleTransfers(now: context.now).contains { $0.id == transfer.id && $0.isDue }
    guard isDue, let row = try await context.database.transfer(transfer.id) else { return }
    var left: String?
    if !row.plan.isEmpty {
      do {
        switch try await context.threads.folders.run({
          try PartialFolder.retire(
            PlacementPlan(decoding: row.plan), shortID: String(id.hex.prefix(8)), volume: transfer.volume)
        }) {
        case .removed(let foreign): left = foreign
        case .gone: break
        // The record stays with it: nothing else knows of the folder.
        case .away: return
        // It may be a disk in the place of another: whoever has it reads of it first.
        case .moved(let volume): return try await context.database.setMovedVolume(of: transfer.id, volume)
        }
      } catch {
        // The record stays: it is all that knows of the folder.
        context.logger.warning(
          "a partial download could not be removed",
          metadata: ["folder": "\(transfer.partial ?? transfer.destination)", "error": "\(error)"])
        return
      }
    }
    try await context.database.deleteTransfer(transfer.id)
    context.logger.warning(
      "removed a partial download that nobody continued",
      metadata: [
        "artifact": "\(transfer.reference)", "folder": "\(transfer.partial ?? transfer.destination)",
        "left": "\(left ?? "nothing")",
      ])
  }

  // MARK: What is said

  /// What is wrong with the state, or about to go from it, a line each.
  func stateWarnings() async throws -> [String] {
    var warnings = damagedPeers.values.map(\.warning).sorted()
    if await context.database.isDamaged {
      warnings.append(
        "the state database is damaged: stop the node and restore \(locations.databaseFile) from a backup; without one: pawl up --new-state"
      )
    }
    for transfer in try await context.database.idleTransfers(now: context.now) {
      if let id = TransferID(transfer.id), pulls[id] != nil { continue }
      warnings.append(try await warning(of: transfer))
    }
    return warnings
  }

  private func warning(of transfer: IdleTransfer) async throws -> String {
    let alias = await alias(of: transfer.peer)
    var bytes: UInt64 = 0
    if let row = try await context.database.transfer(transfer.id) { bytes = try await waiting(row).bytes }
    let days = (transfer.removal - min(transfer.removal, context.now) + 86_399) / 86_400
    let when = days == 0 ? "within an hour of its disk being there" : days == 1 ? "in 1 day" : "in \(days) days"
    return
      "the partial download of \(alias)/\(transfer.reference) (\(Self.size(bytes)), \(transfer.partial ?? transfer.destination)) will be "
      + "removed \(when) unless it is resumed: pawl pull \(alias)/\(transfer.reference) -o \(transfer.destination)"
  }

  /// A size for people: `3.2 GB`.
  private static func size(_ bytes: UInt64) -> String {
    var tenths = bytes / 100
    guard bytes >= 1_000 else { return "\(bytes) B" }
    for unit in ["kB", "MB", "GB"] {
      if tenths < 10_000 { return "\(tenths / 10).\(tenths % 10) \(unit)" }
      tenths /= 1_000
    }
    return "\(tenths / 10).\(tenths % 10) TB"
  }
}
