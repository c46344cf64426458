import Artifact
import EventLoop
import Foundation
import Glibc
import Primitives
import Session
import Testing
import Transfer

@testable import Node
@testable import Store

/// What is said of a file's hash, and by whom it was computed.
@Suite(.timeLimit(.minutes(3))) struct NodeReadBackTests {
  /// A node with a delivery of one file of zeros that takes longer to read than any test lasts.
  private func withHugeDelivery(
    _ body: @Sendable (_ house: House, _ laptop: RunningNode, _ holding: Int64) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let holding = try await deliver("huge", at: laptop, in: house, sizeBytes: 8 << 40)
      try await body(house, laptop, holding)
    }
  }

  /// Records a delivery of one file, of zeros, as if it had been placed just now.
  @discardableResult
  private func deliver(
    _ name: String, at node: RunningNode, in house: House, sizeBytes: UInt64, claim: Digest? = nil
  ) async throws -> Int64 {
    let path = try house.file("in/\(name)", [])
    guard truncate(path, off_t(sizeBytes)) == 0 else { throw CocoaError(.fileWriteUnknown) }
    let id = node.node.id
    return try await node.node.context.database.recordDelivery(
      transfer: nil,
      holding: Holding(
        digest: SHA256Hash.hash(Array(name.utf8)), name: name, version: 1, publisher: id, peer: nil, path: path, delivered: 1),
      files: [
        HoldingFile(
          index: 0, path: path, sizeBytes: sizeBytes,
          expected: claim ?? SHA256Hash.hash([UInt8](repeating: 0, count: Int(min(sizeBytes, 1 << 20)))))
      ])
  }

  private func states(_ name: String, at node: RunningNode) async throws -> [HoldingFile.State] {
    let holding = try #require(try await node.node.context.database.holdings(name: name).first)
    return try await node.node.context.database.holdingFiles(holding.id).map(\.state)
  }

  private func found(_ name: String, at node: RunningNode, reading: Bool) async throws -> [CheckEntry.State] {
    try await node.node.check(name, readData: reading) { _, _ in }.map(\.state)
  }

  // MARK: Slices

  @Test func aCommandThatIsGivenUpLeavesTheReadBackToTheQueue() async throws {
    try await withHugeDelivery { house, laptop, holding in
      let moved = Promise<UInt64>()
      let task = Task {
        try await laptop.node.readBacks.outcome(of: holding) { if $0 > 0 { moved.settle(.success($0)) } }
      }
      let first = try await moved.value()
      #expect(first <= UInt64(FileReadBack.sliceBytes), "it moves inside a file")
      task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await task.value }
      // It goes on, and whoever asks next joins it where it is.
      let later = Promise<UInt64>()
      let second = Task {
        _ = try await laptop.node.readBacks.outcome(of: holding) { later.settle(.success($0)) }
      }
      let joined = try await later.value()
      #expect(joined > 0)
      // A small one is not held up by it.
      let small = try await deliver("small", at: laptop, in: house, sizeBytes: 1 << 20)
      let found = try await laptop.node.readBacks.outcome(of: small) { _ in }
      #expect(found.wrong.isEmpty && found.unread.isEmpty)
      #expect(try await states("small", at: laptop) == [.verified])
      // The end of the node waits for a slice and not for the file.
      await laptop.stop()
      await #expect(throws: CancellationError.self) { try await second.value }
    }
  }

  @Test func aCheckThatReadsIsGivenUpInTheMiddleOfAFileAndEndsWithTheNode() async throws {
    try await withHugeDelivery { house, laptop, holding in
      let database = laptop.node.context.database
      // Judged once, so this command reads it itself.
      let file = try #require(try await database.holdingFiles(holding).first)
      try await database.setReadBack(holding: holding, file: 0, .hash(file.expected))
      let moved = Promise<UInt64>()
      let task = Task {
        try await laptop.node.check("huge", readData: true) { done, total in
          if done > 0 { moved.settle(.success(done < total ? done : 0)) }
        }
      }
      let first = try await moved.value()
      #expect(first > 0)
      task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await task.value }
      let again = Promise<Void>()
      let other = Task {
        try await laptop.node.check("huge", readData: true) { _, _ in again.settle(.success(())) }
      }
      try await again.value()
      await laptop.stop()
      _ = await other.result
    }
  }

  // MARK: Words

  /// A pull of one file with which something happens between placing and reading back.
  private func pull(
    meddling: @escaping @Sendable (_ path: String) -> Void,
    _ body: @Sendable (_ house: House, _ laptop: RunningNode, _ summary: PullSummary) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let files = "\(house.path)/out"
      try house.file("out/a.bin", pattern(100_000))
      try house.file("out/b.bin", pattern(100))
      _ = try await studio.share(files, name: "model", toAll: true)
      let isFirst = Once()
      let summary = try await laptop.pull("studio/model", into: "\(house.path)/in") { progress in
        if progress.phase == .reading, isFirst.take() { meddling("\(house.path)/in/model/a.bin") }
      }
      try await body(house, laptop, summary)
    }
  }

  @Test func aFileThatWasRemovedBeforeItWasReadBackIsNotCalledVerified() async throws {
    try await pull(meddling: { unlink($0) }) { house, laptop, summary in
      #expect(!summary.isReadBack)
      #expect(summary.unread.count == 1 && summary.unread[0].hasPrefix("\(house.path)/in/model/a.bin: "))
      #expect(summary.files.map { $0.sha256 != nil } == [false, true])
      #expect(try await states("model", at: laptop) == [.missing, .verified])
      #expect(try await found("model", at: laptop, reading: true) == [.missing, .verified])
      // Pulled again it is there again.
      let again = try await laptop.pull("studio/model", into: "\(house.path)/in")
      #expect(again.isReadBack)
    }
  }

  @Test func aFileThatCannotBeReadBackIsSaidAndTriedAgain() async throws {
    try await pull(meddling: { path in
      unlink(path)
      // A socket can be neither opened nor read: what a disk error looks like from here.
      socket(at: path)
    }) { house, laptop, summary in
      #expect(!summary.isReadBack && summary.unread.count == 1)
      #expect(try await states("model", at: laptop) == [.unreadable, .verified])
      let path = "\(house.path)/in/model/a.bin"
      unlink(path)
      try house.file("in/model/a.bin", pattern(100_000))
      #expect(try await found("model", at: laptop, reading: false) == [.unreadable, .verified])
      #expect(try await found("model", at: laptop, reading: true) == [.verified, .verified])
    }
  }

  @Test func aFileThatWasChangedAfterItWasVerifiedIsNotItsPublishersFault() async throws {
    try await pull(meddling: { _ in }) { house, laptop, summary in
      #expect(summary.isReadBack && summary.unread.isEmpty)
      try house.file("in/model/a.bin", pattern(100_000, seed: 1))
      for _ in 0..<2 {
        #expect(try await found("model", at: laptop, reading: true) == [.changed, .verified])
      }
      #expect(house.bytes("in/model/a.bin") == pattern(100_000, seed: 1), "it is the user's, and stays")
    }
  }

  @Test func aPullThatIsGivenUpWhileItPlacesIsReadBackAllTheSame() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      _ = try await studio.share(try house.file("out/a.bin", pattern(100_000)), name: "model", toAll: true)
      let places = Promise<Void>()
      let task = Task {
        try await laptop.pull("studio/model", into: "\(house.path)/in") { progress in
          if progress.phase == .placing { places.settle(.success(())) }
        }
      }
      try await places.value()
      task.cancel()
      _ = await task.result
      try await eventually("it is read back", on: house.loop) { try await states("model", at: laptop) == [.verified] }
    }
  }

  @Test func aStateThatCannotBeWrittenForAWhilePutsTheReadBackOff() async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let database = laptop.node.context.database
      let holding = try await deliver("small", at: laptop, in: house, sizeBytes: 10)
      _ = try await database.number(
        "CREATE TRIGGER full BEFORE UPDATE ON holding_file BEGIN SELECT RAISE(ABORT, 'full'); END")
      let queue = ReadBackQueue(context: laptop.node.context, retryTime: .milliseconds(50))
      await #expect(throws: StoreError.self) { _ = try await queue.outcome(of: holding) { _ in } }
      _ = try await database.number("DROP TRIGGER full")
      try await eventually("it is read back", on: house.loop) { try await states("small", at: laptop) == [.verified] }
    }
  }

  // MARK: Quarantine

  @Test(arguments: [false, true])
  func aVerdictIsCarriedOutAfterACrash(isMovedAlready: Bool) async throws {
    try await withHouse { house in
      var laptop = try await house.start("laptop")
      let holding = try await deliver("bad", at: laptop, in: house, sizeBytes: 10, claim: SHA256Hash.hash([7]))
      let database = laptop.node.context.database
      // The verdict is stored, and nothing after it.
      #expect(try await database.setReadBack(holding: holding, file: 0, .hash(SHA256Hash.hash([8]))) == .condemned)
      if isMovedAlready { _ = try Quarantine.setAside("\(house.path)/in/bad") }
      #expect(try await found("bad", at: laptop, reading: false) == [.mismatch])
      await laptop.stop()
      laptop = try await house.start("laptop")
      let again = laptop
      try await eventually("it is set aside", on: house.loop) { try await states("bad", at: again) == [.mismatch] }
      #expect(house.tree("in") == [".pawl-quarantined-bad"])
      #expect(try await found("bad", at: laptop, reading: true) == [.mismatch])
    }
  }

  @Test func aGoodFileInTheCondemnedOnesPlaceIsLeftThere() async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let good = pattern(10)
      let holding = try await deliver("bad", at: laptop, in: house, sizeBytes: 10, claim: SHA256Hash.hash(good))
      try await laptop.node.context.database.setReadBack(holding: holding, file: 0, .hash(SHA256Hash.hash([8])))
      try house.file("in/bad", good)
      #expect(try await found("bad", at: laptop, reading: true) == [.verified])
      #expect(house.tree("in") == ["bad"])
    }
  }
}

/// Binds a socket to a path.
private func socket(at path: String) {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  _ = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
  }
  close(descriptor)
}

/// True the first time.
final class Once: Sendable {
  private let isTaken = Locked(false)
  func take() -> Bool {
    isTaken.withLock { taken in
      defer { taken = true }
      return !taken
    }
  }
}
