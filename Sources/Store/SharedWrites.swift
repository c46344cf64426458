internal import EventLoop
internal import GRDB

/// Writes that wait for the store's thread, and then share one transaction: while one is being synced, all that come meanwhile wait for
/// the next, and pay for one sync together.
///
/// Each is as durable and as whole as if it were alone: in a savepoint of its own, so that one that fails takes no other along.
final class SharedWrites: Sendable {
  private struct State {
    var waiting: [SharedWrite] = []
    /// Somebody is on the way to the store's thread.
    var isCalled = false
  }

  private let state = Locked(State())

  /// How many wait.
  var waitingCount: Int { state.withLock { $0.waiting.count } }

  /// Puts one in line. True: nobody is on the way to write them yet, so the caller is to.
  func add(_ write: SharedWrite) -> Bool {
    state.withLock { state in
      state.waiting.append(write)
      defer { state.isCalled = true }
      return !state.isCalled
    }
  }

  /// All that wait, oldest first.
  func takeAll() -> [SharedWrite] {
    state.withLock { state in
      defer { state = State() }
      return state.waiting
    }
  }
}

/// One write, and whoever waits for it.
final class SharedWrite: Sendable {
  private enum State {
    case written(Result<Void, StoreError>)
    case awaited(CheckedContinuation<Result<Void, StoreError>, Never>)
    case fresh
  }

  /// What it does, and what that does to keys on the disk.
  let body: @Sendable (GRDB.Database) throws -> SessionWriter.Effect
  private let state = Locked(State.fresh)

  init(_ body: @escaping @Sendable (GRDB.Database) throws -> SessionWriter.Effect) { self.body = body }

  /// It is on the disk, or will not be.
  func settle(_ result: Result<Void, StoreError>) {
    let waiting = state.withLock { state -> CheckedContinuation<Result<Void, StoreError>, Never>? in
      defer { state = .written(result) }
      guard case .awaited(let waiting) = state else { return nil }
      return waiting
    }
    waiting?.resume(returning: result)
  }

  /// What became of it. To be asked once.
  func result() async -> Result<Void, StoreError> {
    await withCheckedContinuation { continuation in
      let early = state.withLock { state -> Result<Void, StoreError>? in
        if case .written(let result) = state { return result }
        state = .awaited(continuation)
        return nil
      }
      if let early { continuation.resume(returning: early) }
    }
  }
}

extension Database {
  /// Writes with whatever else waits, in one durable transaction. Throwing means that nothing of this write was done.
  nonisolated func together(
    _ body: @escaping @Sendable (GRDB.Database) throws -> SessionWriter.Effect
  ) async throws(StoreError) {
    let write = SharedWrite(body)
    if shared.add(write) { await writeShared() }
    try await write.result().get()
  }

  /// Writes all that wait.
  func writeShared() {
    let group = shared.takeAll()
    let results = written(group)
    var effect = SessionWriter.Effect.none
    for case .success(let one) in results { effect = max(effect, one) }
    let stale = results.count { if case .success(let one) = $0 { one != .none } else { false } }
    if effect != .none { keysBecameStale(now: effect == .deletedKeys, commits: stale) }
    for (write, result) in zip(group, results) { write.settle(result.map { _ in }) }
  }

  private func written(_ group: [SharedWrite]) -> [Result<SessionWriter.Effect, StoreError>] {
    func alone(_ write: SharedWrite) -> Result<SessionWriter.Effect, StoreError> {
      Result { () throws(StoreError) in try self.write(write.body) }
    }
    guard group.count > 1 else { return group.map(alone) }
    do {
      return try write { db in try group.map { try inSavepoint($0, db) } }
    } catch {
      // All of it failed, and whose fault it was cannot be known.
      return group.map(alone)
    }
  }

  private func inSavepoint(_ write: SharedWrite, _ db: GRDB.Database) throws -> Result<SessionWriter.Effect, StoreError> {
    var effect = SessionWriter.Effect.none
    do {
      try db.inSavepoint {
        effect = try write.body(db)
        return .commit
      }
      return .success(effect)
    } catch {
      // Some errors end the transaction, and with it what others wrote.
      guard db.isInsideTransaction else { throw error }
      return .failure(failure(error))
    }
  }
}
