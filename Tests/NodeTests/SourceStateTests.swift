import EventLoop
import Foundation
import Store
import Testing
import Transfer

@testable import Node

/// A version that can no longer be served is told to its publisher, before a peer asks for it.
@Suite(.timeLimit(.minutes(5))) struct SourceStateTests {
  private func states(_ node: RunningNode) async throws -> [String] {
    try await node.node.list(peer: nil).map { "\($0.name)@v\($0.version) \($0.state?.rawValue ?? "?")" }
  }

  @Test func aListingMarksWhatChangedAndWhatIsGone() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      _ = try await studio.share(try house.file("out/a.bin", pattern(100)))
      _ = try await studio.share(try house.file("art/b.bin", pattern(100)))
      #expect(try await states(studio) == ["a.bin@v1 current", "b.bin@v1 current"])
      _ = try await studio.share(try house.file("out/a.bin", pattern(100, seed: 3)))
      #expect(try await states(studio) == ["a.bin@v2 current", "a.bin@v1 changed", "b.bin@v1 current"])
      try FileManager.default.removeItem(atPath: "\(house.path)/art")
      #expect(try await states(studio) == ["a.bin@v2 current", "a.bin@v1 changed", "b.bin@v1 gone"])
      // Put back, it can be shared again, and is what it was.
      _ = try await studio.share(try house.file("art/b.bin", pattern(100)))
      #expect(try await states(studio) == ["a.bin@v2 current", "a.bin@v1 changed", "b.bin@v1 current"])
    }
  }

  @Test func oneListingLooksAtABoundedNumberOfFilesAndTheNextGoesOn() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      try house.file("art/a.txt", [1])
      for number in 0..<SourceLook.filesAtOnce {
        // Not by way of Foundation, which syncs each of them.
        close(open("\(house.path)/art/\(number + 100_000).txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
      }
      _ = try await studio.share("\(house.path)/art")
      // The last of them by name, which the first look does not reach.
      unlink("\(house.path)/art/a.txt")
      #expect(try await states(studio) == ["art@v1 current"])
      #expect(try await states(studio) == ["art@v1 gone"])
    }
  }

  @Test func aListingDoesNotWaitForWorkersThatAreBusyForLong() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      _ = try await studio.share(try house.file("out/a.bin", pattern(100)))
      unlink("\(house.path)/out/a.bin")
      let workers = await BusyWorkers(of: studio)
      #expect(try await states(studio) == ["a.bin@v1 current"])
      try await workers.release()
      #expect(try await states(studio) == ["a.bin@v1 gone"])
    }
  }

  @Test func checkLooksAtEveryVersionThatIsOffered() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let path = try house.file("out/a.bin", pattern(100))
      _ = try await studio.share(path)
      _ = try house.file("out/a.bin", pattern(101))
      _ = try await studio.share(path)
      let found = try await studio.node.check(nil, readData: false) { _, _ in }
      #expect(found.map { "v\($0.version) \($0.state)" } == ["v1 changed", "v2 unread"])
      let named = try await studio.node.check("a.bin", readData: true) { _, _ in }
      #expect(named.map { "v\($0.version) \($0.state)" } == ["v1 changed", "v2 verified"])
      // What is withdrawn is nobody's to pull.
      _ = try await studio.node.unshare("a.bin@v1")
      #expect(try await studio.node.check(nil, readData: false) { _, _ in }.map(\.version) == [2])
    }
  }

  /// Contents that differ under an old size and time show only to whoever reads them, and a look does not take that back.
  @Test func whatReadingFoundOutStaysUntilItIsReadAgain() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      _ = try await studio.share(try house.file("out/a.bin", pattern(100)))
      let database = studio.node.context.database
      let version = try #require(try await database.offered(name: "a.bin", version: 1).first)
      try await database.setSourceState(version.digest, .damaged)
      #expect(try await states(studio) == ["a.bin@v1 damaged"])
      _ = try await studio.node.check(nil, readData: false) { _, _ in }
      #expect(try await states(studio) == ["a.bin@v1 damaged"])
      _ = try await studio.node.check(nil, readData: true) { _, _ in }
      #expect(try await states(studio) == ["a.bin@v1 current"])
    }
  }

  @Test func aVersionThatCouldNotBeServedIsMarked() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      _ = try await studio.share(try house.file("out/a.bin", pattern(100_000)), to: ["laptop"])
      _ = try house.file("out/a.bin", pattern(100_000, seed: 2))
      _ = try await nodeError { _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/in") }
      // Not by a look: nobody has listed anything.
      #expect(try await studio.node.context.database.offered(name: "a.bin", version: 1).map(\.state) == [.changed])
      #expect(try await laptop.node.list(peer: "studio").map(\.state) == [nil])
    }
  }
}

/// The workers that look at files, held by jobs that take as long as a test wants.
struct BusyWorkers {
  private let jobs: [Task<Void, any Error>]
  private let end = DispatchSemaphore(value: 0)

  /// Returning means that every worker is at such a job.
  init(of node: RunningNode) async {
    let files = node.node.context.threads.files
    let (begun, begin) = AsyncStream.makeStream(of: Void.self)
    jobs = (0..<2).map { [end] _ in
      Task {
        try await files.run {
          begin.yield()
          end.wait()
        }
      }
    }
    var iterator = begun.makeAsyncIterator()
    for _ in jobs { await iterator.next() }
  }

  func release() async throws {
    for _ in jobs { end.signal() }
    for job in jobs { try await job.value }
  }
}
