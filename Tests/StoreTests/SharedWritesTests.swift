import EventLoop
import Foundation
import Testing

@testable import Session
@testable import Store

/// Commits that wait together and pay for one sync.
@Suite(.timeLimit(.minutes(2))) struct SharedWritesTests {
  /// Transactions in the write-ahead log: the last frame of each says how long the database is.
  private func transactions(_ state: State) throws -> Int {
    let log = try state.temporary.bytes("pawl.db-wal")
    guard log.count > 32 else { return 0 }
    let page = log[8..<12].reduce(0) { $0 << 8 | Int($1) }
    return stride(from: 32, to: log.count - 24, by: 24 + page).count { frame in
      log[(frame + 4)..<(frame + 8)].contains { $0 != 0 }
    }
  }

  /// Puts commits in line while the store's thread is held, so that all of them wait; then lets it go.
  private func together(_ state: State, _ commits: [SessionCommit]) async throws -> [Result<Void, StoreError>] {
    let key = state.database.key
    let writes = commits.map { commit in SharedWrite { db in try SessionWriter.apply(db, [commit], nil, key) } }
    // The first one is to write them all.
    let leaders = writes.filter { state.database.shared.add($0) }
    #expect(leaders.count == 1)
    await state.database.writeShared()
    var results: [Result<Void, StoreError>] = []
    for write in writes { results.append(await write.result()) }
    return results
  }

  private func entry(_ number: UInt8) -> SessionChange {
    .putOutbox(OutboxEntry(session: session(1), sequence: UInt64(number), id: envelopeID(number), envelope: [number]))
  }

  @Test func aHundredCommitsThatWaitShareOneTransaction() async throws {
    let state = try State()
    for peer in 1...100 { try await state.pair(UInt8(peer), alias: "peer-\(peer)") }
    try await state.database.checkpoint()
    let before = try transactions(state)
    let results = try await together(state, (1...100).map { commit(UInt8($0), [entry(UInt8($0))]) })
    #expect(results.allSatisfy { (try? $0.get()) != nil })
    #expect(try transactions(state) - before == 1)
    // And they are there after a kill.
    let killed = try state.killed()
    for peer in 1...100 { #expect(try await killed.loadPeer(node(UInt8(peer)))?.outbox.count == 1) }
    await killed.close()
    await state.database.close()
  }

  @Test func callersThatComeWhileTheStoreIsBusyShareOneTransaction() async throws {
    let state = try State()
    let database = state.database
    for peer in 1...40 { try await state.pair(UInt8(peer), alias: "peer-\(peer)") }
    try await database.checkpoint()
    let before = try transactions(state)
    let gate = DispatchSemaphore(value: 0)
    let (started, starting) = AsyncStream.makeStream(of: Void.self)
    let busy = Task { await database.wait(for: gate) { starting.finish() } }
    for await _ in started {}
    let calls = (1...40).map { peer in
      Task { try await database.apply([commit(UInt8(peer), [self.entry(UInt8(peer))])]) }
    }
    let deadline = Deadline.after(.seconds(10))
    while database.shared.waitingCount < 40, !deadline.isPast { await Task.yield() }
    #expect(database.shared.waitingCount == 40)
    gate.signal()
    await busy.value
    for call in calls { try await call.value }
    #expect(try transactions(state) - before == 1)
    for peer in 1...40 { #expect(try await database.loadPeer(node(UInt8(peer)))?.outbox.count == 1) }
    await database.close()
  }

  @Test func oneThatFailsFailsAlone() async throws {
    let state = try State()
    for peer: UInt8 in [1, 2, 4] { try await state.pair(peer, alias: "peer-\(peer)") }
    // Peer 3 was revoked. Its first change alone would have been written.
    let results = try await together(
      state, [commit(1, [entry(1)]), commit(3, [entry(3)]), commit(2, [entry(2), entry(5)]), commit(4, [entry(4)])])
    let codes: [StoreError.Code?] = results.map { result in
      if case .failure(let error) = result { return error.code }
      return nil
    }
    #expect(codes == [nil, .unknownPeer, nil, nil])
    let killed = try state.killed()
    #expect(try await killed.loadPeer(node(1))?.outbox.count == 1)
    #expect(try await killed.loadPeer(node(2))?.outbox.count == 2)
    #expect(try await killed.loadPeer(node(4))?.outbox.count == 1)
    await killed.close()
    await state.database.close()
  }

  @Test func halfOfACommitThatFailsIsNotLeftInTheTransactionOfOthers() async throws {
    let state = try State()
    for peer: UInt8 in [1, 2] { try await state.pair(peer, alias: "peer-\(peer)") }
    _ = try await state.database.number(
      "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.sequence = 9 BEGIN SELECT RAISE(ABORT, 'full'); END")
    let results = try await together(state, [commit(1, [entry(1), entry(9)]), commit(2, [entry(2)])])
    #expect((try? results[0].get()) == nil)
    #expect((try? results[1].get()) != nil)
    #expect(try await state.database.loadPeer(node(1))?.outbox.isEmpty == true)
    #expect(try await state.database.loadPeer(node(2))?.outbox.count == 1)
    await state.database.close()
  }

  @Test func oneThatEndsTheTransactionTakesNoOtherAlong() async throws {
    let state = try State()
    for peer: UInt8 in [1, 2] { try await state.pair(peer, alias: "peer-\(peer)") }
    // As a full disk may do: SQLite gives up everything that the transaction did.
    _ = try await state.database.number(
      "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.sequence = 9 BEGIN SELECT RAISE(ROLLBACK, 'full'); END")
    let results = try await together(state, [commit(1, [entry(1)]), commit(2, [entry(9)])])
    #expect((try? results[0].get()) != nil)
    #expect((try? results[1].get()) == nil)
    #expect(try await state.database.loadPeer(node(1))?.outbox.count == 1)
    await state.database.close()
  }

  @Test func keysThatAreDeletedTogetherAreGoneFromTheDisk() async throws {
    let state = try State()
    for peer: UInt8 in [1, 2] { try await state.pair(peer, alias: "peer-\(peer)") }
    for peer: UInt8 in [1, 2] { try await state.database.apply([commit(peer, [.putSession(session(peer), secret([peer]))])]) }
    let rows = try await state.database.loadPeer(node(1))?.sessions.map(\.bytes) ?? []
    #expect(rows.count == 1)
    let results = try await together(state, [1, 2].map { commit($0, [.deleteSession(session($0))]) })
    #expect(results.allSatisfy { (try? $0.get()) != nil })
    for row in rows { #expect(try !state.holds(Array(row.suffix(32)))) }
    await state.database.close()
  }
}

extension Database {
  /// Holds the store's thread.
  fileprivate func wait(for gate: DispatchSemaphore, _ started: @Sendable () -> Void) {
    started()
    gate.wait()
  }
}
