import Artifact
import EventLoop
import Session
import Testing
import Transfer

@testable import Node

/// Pulls and manifest queries beside each other: none fails because others run.
@Suite(.timeLimit(.minutes(5))) struct PullQueueTests {
  /// A node and a peer of its that answers no want until it is told to.
  private func withHolder(
    _ body: @Sendable (_ house: House, _ laptop: RunningNode, _ mallory: ForgedPeer) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let mallory = try await house.forge("mallory", at: laptop)
      try await laptop.ready(for: "mallory")
      await mallory.setHolding(true)
      try await body(house, laptop, mallory)
    }
  }

  /// The phases that a pull was in.
  private final class Phases: Sendable {
    private let heard = Locked<[PullProgress.Phase]>([])
    let waits = Promise<Void>()

    func hear(_ phase: PullProgress.Phase) {
      heard.withLock { $0.append(phase) }
      if phase == .waiting { waits.settle(.success(())) }
    }

    var all: [PullProgress.Phase] { heard.withLock { $0 } }
  }

  /// A pull in a task of its own.
  private final class Running: Sendable {
    let task: Task<PullSummary, any Error>
    let hear = Phases()

    init(_ reference: String, by node: RunningNode, into folder: String, only: [String] = []) {
      let hear = self.hear
      task = Task {
        try await node.node.pull(PullCommand(reference: reference, directory: folder, only: only)) { hear.hear($0.phase) }
      }
    }
  }

  @Test func aManifestTakesNoPlaceOfAPullAndAPullTooManyWaits() async throws {
    try await withHolder { house, laptop, mallory in
      let studio = try await house.start("studio")
      try await house.pair(studio, laptop)
      for number in 0..<40 {
        _ = try await studio.share(try house.file("out/\(number)", pattern(10, seed: number)), name: "m\(number)", toAll: true)
      }
      for number in 0...Node.maximumPulls {
        await mallory.offer(
          try Offer("a\(number)", files: [("a\(number).bin", pattern(100, seed: number))], by: mallory.identity))
      }
      var running: [Running] = []
      for number in 0..<Node.maximumPulls {
        running.append(Running("mallory/a\(number)", by: laptop, into: "\(house.path)/in"))
      }
      try await eventually("all of them ask", on: house.loop) { await mallory.heldCount == Node.maximumPulls }
      let another = Running("mallory/a\(Node.maximumPulls)", by: laptop, into: "\(house.path)/in")
      try await another.hear.waits.value()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<40 {
          group.addTask {
            let shown = try await laptop.node.show("studio/m\(number)")
            #expect(shown.manifest.name.text == "m\(number)")
          }
        }
        try await group.waitForAll()
      }
      #expect(await laptop.node.pulls.count == Node.maximumPulls, "no pull ended meanwhile, and none began")
      await mallory.setHolding(false)
      for pull in running + [another] { _ = try await pull.task.value }
      for number in 0...Node.maximumPulls { #expect(house.bytes("in/a\(number).bin") == pattern(100, seed: number)) }
      #expect(running.allSatisfy { !$0.hear.all.contains(.waiting) })
    }
  }

  @Test func aCommandThatAsksForTheSameTakesTheResultOfTheFirst() async throws {
    try await withHolder { house, laptop, mallory in
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100_000)), ("b.bin", [1])], by: mallory.identity))
      let first = Running("mallory/model", by: laptop, into: "\(house.path)/in")
      try await eventually("it asks", on: house.loop) { await mallory.heldCount == 1 }
      let others = [
        Running("mallory/model", by: laptop, into: "\(house.path)/in"),
        Running("mallory/model", by: laptop, into: "\(house.path)/in"),
      ]
      try await eventually("they join it", on: house.loop) {
        await laptop.node.jobCount == 1 && others.allSatisfy { $0.hear.all.count > 1 }
      }
      // Nobody but its own client gives up.
      first.task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await first.task.value }
      others[0].task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await others[0].task.value }
      #expect(await laptop.node.pulls.count == 1)
      await mallory.setHolding(false)
      let summary = try await others[1].task.value
      #expect(summary.isReadBack && summary.bytesTransferred == 100_001)
      #expect(others[1].hear.all.contains(.fetching), "it sees how far it is")
      #expect(house.tree("in") == ["model", "model/a.bin", "model/b.bin"])
      #expect(try await laptop.node.report().transfers.isEmpty)
    }
  }

  @Test func otherOptionsForTheSameFolderWaitForTheirTurn() async throws {
    try await withHolder { house, laptop, mallory in
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100_000)), ("b.bin", [1])], by: mallory.identity))
      let all = Running("mallory/model", by: laptop, into: "\(house.path)/in")
      try await eventually("it asks", on: house.loop) { await mallory.heldCount == 1 }
      let some = Running("mallory/model", by: laptop, into: "\(house.path)/in/", only: ["b.bin"])
      try await some.hear.waits.value()
      let given = Running("mallory/model", by: laptop, into: "\(house.path)/in", only: ["a.bin"])
      try await given.hear.waits.value()
      given.task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await given.task.value }
      #expect(await laptop.node.pulls.count == 1)
      await mallory.setHolding(false)
      let first = try await all.task.value
      #expect(first.files.count == 2)
      let second = try await some.task.value
      #expect(second.files.map(\.path) == ["b.bin"] && second.bytesTransferred == 0 && second.skipped.isEmpty)
      #expect(house.tree("in") == ["model", "model/a.bin", "model/b.bin"])
    }
  }

  @Test func thePullOfACommandThatWasAloneEndsWithItAndTheNextOneResumes() async throws {
    try await withHolder { house, laptop, mallory in
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100_000))], by: mallory.identity))
      let first = Running("mallory/model", by: laptop, into: "\(house.path)/in")
      try await eventually("it asks", on: house.loop) { await mallory.heldCount == 1 }
      first.task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await first.task.value }
      #expect(await laptop.node.pulls.isEmpty)
      #expect(await laptop.node.jobCount == 0)
      await mallory.setHolding(false)
      _ = try await laptop.pull("mallory/model", into: "\(house.path)/in")
      #expect(house.tree("in") == ["a.bin"])
    }
  }

  @Test func aNodeThatStopsEndsPullsThatWait() async throws {
    try await withHolder { house, laptop, mallory in
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100)), ("b.bin", [1])], by: mallory.identity))
      let running = Running("mallory/model", by: laptop, into: "\(house.path)/in")
      try await eventually("it asks", on: house.loop) { await mallory.heldCount == 1 }
      let waiting = Running("mallory/model", by: laptop, into: "\(house.path)/in", only: ["b.bin"])
      try await waiting.hear.waits.value()
      await laptop.node.stop()
      await #expect(throws: CancellationError.self) { _ = try await running.task.value }
      await #expect(throws: CancellationError.self) { _ = try await waiting.task.value }
    }
  }
}

/// Numbers in the order of their coming.
private final class Order: Sendable {
  private let numbers = Locked<[Int]>([])
  func append(_ number: Int) { numbers.withLock { $0.append(number) } }
  var all: [Int] { numbers.withLock { $0 } }
}

/// The queue itself.
@Suite(.timeLimit(.minutes(1))) struct FairQueueTests {
  @Test func placesAreGivenInTheOrderOfAsking() async throws {
    let loop = EventLoop(name: "test.queue")
    let queue = FairQueue(places: 1, waiting: 2)
    try await queue.enter(on: loop)
    let order = Order()
    var tasks: [Task<Void, any Error>] = []
    for number in 0..<2 {
      let waits = Promise<Void>()
      tasks.append(
        Task {
          try await queue.enter(on: loop) { waits.settle(.success(())) }
          order.append(number)
          queue.leave()
        })
      try await waits.value()
    }
    await #expect(throws: FairQueue.Full.self) { try await queue.enter(on: loop) }
    queue.leave()
    for task in tasks { try await task.value }
    #expect(order.all == [0, 1])
    await loop.stop()
  }

  @Test func whoGivesUpOrWaitsTooLongTakesNoPlace() async throws {
    let loop = EventLoop(name: "test.queue")
    let queue = FairQueue(places: 1, waiting: 8)
    try await queue.enter(on: loop)
    await #expect(throws: TimeoutError.self) { try await queue.enter(until: .after(.milliseconds(1)), on: loop) }
    let waits = Promise<Void>()
    let task = Task { try await queue.enter(on: loop) { waits.settle(.success(())) } }
    try await waits.value()
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(queue.waitingCount == 0)
    queue.leave()
    try await queue.enter(until: .after(.milliseconds(1)), on: loop)
    queue.leave()
    await loop.stop()
  }
}

extension Node {
  fileprivate var jobCount: Int { pullJobs.count }
}
