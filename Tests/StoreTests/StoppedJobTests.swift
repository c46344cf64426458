import Artifact
import EventLoop
import Glibc
import Testing

@testable import Store

/// Long jobs over many files, told to stop: each ends before its next file, and nothing is lost by it.
@Suite struct StoppedJobTests {
  private static let files = (0..<20).map { ("f\($0).bin", pattern(1_000, seed: $0)) }

  /// Runs a job in a task that was canceled after the job had begun.
  private func stopped(_ job: @escaping @Sendable () throws -> Void) async -> any Error {
    let pool = WorkerPool(threads: 1, name: "test.stop")
    let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      try await pool.run {
        hasBegun.yield()
        while !StopSignal.isSet {}
        try job()
      }
    }
    for await _ in begun { break }
    task.cancel()
    do { try await task.value } catch {
      await pool.stop()
      return error
    }
    await pool.stop()
    return StoreError(.io, detail: "it ran to its end")
  }

  @Test func walkingPlanningPlacingAndRemovingStopWhenTold() async throws {
    let temporary = try TemporaryFolder()
    for (name, bytes) in Self.files { try temporary.file("source/\(name)", bytes) }
    let source = temporary("source")
    #expect(await stopped { _ = try SourceScanner.scan(source) } is CancellationError)
    let tree = try SourceScanner.scan(source)
    let pull = try Pull(temporary, Self.files)
    #expect(
      await stopped { _ = try Pull(temporary, Self.files) } is CancellationError)
    let partial = try PartialFolder.create(pull.plan)
    for file in pull.plan.toFetch { try pull.write(partial, file) }
    #expect(await stopped { try partial.finish(pull.plan.toFetch) } is CancellationError)
    try partial.finish(pull.plan.toFetch)
    #expect(await stopped { _ = try partial.place() } is CancellationError)
    #expect(await stopped { try partial.discard() } is CancellationError)
    // All of it is still there, and is placed by the next attempt.
    let again = try PartialFolder.reopen(pull.plan)
    #expect(again.lost.isEmpty)
    try again.folder.finish(pull.plan.toFetch)
    #expect(try again.folder.place().count == Self.files.count)
    for (name, bytes) in Self.files { #expect(try temporary.bytes("out/lora/\(name)") == bytes) }
    #expect(tree.files.count == Self.files.count)
  }

  @Test func aStoppedComparisonIsNotTakenForADifference() async throws {
    let temporary = try TemporaryFolder()
    for (name, bytes) in Self.files.prefix(1) { try temporary.file("out/lora/\(name)", bytes) }
    // It would be a conflict if the file counted as different.
    #expect(await stopped { _ = try Pull(temporary, Array(Self.files.prefix(1))) } is CancellationError)
    #expect(try Pull(temporary, Array(Self.files.prefix(1))).plan.toFetch.isEmpty)
  }

  @Test func aFileIsHashedSliceBySliceAsInOnePass() throws {
    let temporary = try TemporaryFolder()
    try temporary.file("a.bin", pattern(5 << 20))
    let tree = try SourceScanner.scan(temporary("a.bin"))
    let hashing = SourceHashing(tree, file: tree.files[0], chunkBytes: chunkBytes)
    var slices = 0
    var reads: [Int] = []
    var result: HashedFile?
    while result == nil {
      result = try hashing.step(WorkSlice(bytes: 2 << 20, time: .seconds(3_600))) { reads.append($0) }
      slices += 1
    }
    #expect(slices == 3)
    #expect(reads == Array(repeating: 1 << 20, count: 5))
    #expect(result == (try SourceScanner.hash(tree, file: tree.files[0], chunkBytes: chunkBytes)))
  }

  @Test func aRehashGoesOnWhereItsSliceEnded() async throws {
    let temporary = try TemporaryFolder()
    let pull = try Pull(temporary, [("a.bin", pattern(10 * chunkBytes + 5))])
    let partial = try PartialFolder.create(pull.plan)
    try pull.write(partial, 0)
    var verified: [Bool] = []
    while verified.count < 11 {
      let part = try partial.rehash(file: 0, from: verified.count, WorkSlice(bytes: 3 * chunkBytes)) { chunk, _ in chunk != 4 }
      #expect(part.count <= 3)
      verified += part
    }
    #expect(verified == (0..<11).map { $0 != 4 })
  }
}
