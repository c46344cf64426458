import EventLoop
import Testing

@Suite(.timeLimit(.minutes(2)))
struct FrameBudgetTests {
  /// Time that passes when a test says so.
  private final class ManualTime: Sendable {
    private struct State {
      var now = Duration.zero
      var due: [(at: Duration, body: @Sendable () -> Void)] = []
    }
    private let state = Locked(State())

    var now: Duration { state.withLock { $0.now } }
    var timers: Int { state.withLock { $0.due.count } }

    func call(after time: Duration, _ body: @escaping @Sendable () -> Void) {
      state.withLock { $0.due.append((at: $0.now + time, body: body)) }
    }

    func pass(_ time: Duration) {
      let due = state.withLock { state in
        state.now += time
        let due = state.due.filter { $0.at <= state.now }
        state.due.removeAll { $0.at <= state.now }
        return due.map(\.body)
      }
      for body in due { body() }
    }
  }

  private static let mebibyte = 1 << 20

  private func budget(_ mebibytes: Int, share: Int, time: ManualTime = ManualTime()) -> FrameBudget {
    FrameBudget(
      bytes: mebibytes << 20, shareBytes: share << 20, headerBytes: 32, overheadBytes: 16, clock: { time.now },
      timer: { time.call(after: $0, $1) })
  }

  @Test func manyMorePeersThanFramesAllComeToTheirEnd() async throws {
    let budget = budget(4, share: 2)
    let most = Shared(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<50 {
        group.addTask {
          let account = budget.account()
          for _ in 0..<20 {
            var frames = [try await account.take(bodyBytes: Self.mebibyte)]
            if let second = try account.tryTake(bodyBytes: number.isMultiple(of: 2) ? 100_000 : Self.mebibyte) {
              frames.append(second)
            }
            most.change { $0 = max($0, budget.heldBytes) }
            await Task.yield()
            #expect(!frames.isEmpty)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(most.current <= 4 * Self.mebibyte)
    #expect(budget.usedBytes == 0)
  }

  @Test func onePeerThatGivesNothingBackLeavesRoomForOthers() async throws {
    let budget = budget(8, share: 4)
    let greedy = budget.account()
    var kept: [Frame] = [try await greedy.take(bodyBytes: Self.mebibyte)]
    while let frame = try greedy.tryTake(bodyBytes: Self.mebibyte) { kept.append(frame) }
    #expect(kept.count == 4)
    // Others that keep a share each still leave the reserve to a third.
    let second = budget.account()
    kept.append(try await second.take(bodyBytes: Self.mebibyte))
    while let frame = try second.tryTake(bodyBytes: Self.mebibyte) { kept.append(frame) }
    #expect(kept.count == 6)
    try await withLoop { loop in
      // A second connection of the greedy one waits for its own frames, and stands in nobody's way.
      let stuck = try await started(on: loop) { try await greedy.take(bodyBytes: Self.mebibyte) }
      let third = budget.account()
      #expect(try await third.take(bodyBytes: Self.mebibyte).capacity > Self.mebibyte)
      let fourth = budget.account()
      #expect(try fourth.tryTake(bodyBytes: Self.mebibyte) != nil)
      stuck.cancel()
      await #expect(throws: CancellationError.self) { _ = try await stuck.value }
    }
    #expect(kept.count == 6)
  }

  @Test func aFrameTooLargeForAShareIsGrantedOneAtATime() async throws {
    let budget = budget(16, share: 4)
    let account = budget.account()
    let other = budget.account()
    try await withLoop { loop in
      var large: Frame? = try await account.take(bodyBytes: 16 * Self.mebibyte + 16)
      #expect(try account.tryTake(bodyBytes: 1_000) == nil)
      #expect(try other.tryTake(bodyBytes: 1_000) == nil)
      let waiting = try await started(on: loop) { try await other.take(bodyBytes: 16 * Self.mebibyte) }
      #expect(large != nil)
      large = nil
      #expect(try await waiting.value.capacity == 32 + 16 * Self.mebibyte + 16)
    }
    #expect(budget.usedBytes == 0)
    #expect(throws: LoopError(.frameTooLong, "")) { try account.tryTake(bodyBytes: 17 * Self.mebibyte) }
  }

  @Test func whoCameFirstIsServedFirstAlsoWhenItAsksForMore() async throws {
    let budget = budget(4, share: 4)
    let (first, second, third) = (budget.account(), budget.account(), budget.account())
    try await withLoop { loop in
      var held: Frame? = try await first.take(bodyBytes: Self.mebibyte)
      let large = try await started(on: loop) { try await second.take(bodyBytes: 4 * Self.mebibyte).capacity }
      // There would be room for this one, but the other was here before.
      #expect(try third.tryTake(bodyBytes: 1_000) == nil)
      let small = try await started(on: loop) { try await third.take(bodyBytes: 1_000).capacity }
      #expect(budget.usedBytes == Self.mebibyte)
      #expect(held != nil)
      held = nil
      #expect(try await large.value > 4 * Self.mebibyte)
      #expect(try await small.value > 1_000)
    }
  }

  @Test func framesThatRestAreGivenBackToTheSystem() async throws {
    let time = ManualTime()
    let budget = budget(16, share: 8, time: time)
    #expect(time.timers == 0)
    let account = budget.account()
    var frames = [try await account.take(bodyBytes: Self.mebibyte)]
    for _ in 0..<3 { frames.append(try #require(try account.tryTake(bodyBytes: Self.mebibyte))) }
    #expect(time.timers == 0)
    frames = []
    #expect(budget.usedBytes == 0 && budget.heldBytes == 4 * Self.mebibyte)
    #expect(time.timers == 1)
    time.pass(.seconds(6))
    // One is used again: it rests from here on.
    _ = try await account.take(bodyBytes: Self.mebibyte)
    time.pass(.seconds(4))
    #expect(budget.heldBytes == Self.mebibyte)
    #expect(time.timers == 1)
    time.pass(.seconds(6))
    #expect(budget.heldBytes == 0)
    // Nothing to free: nothing to wait for.
    #expect(time.timers == 0)
    #expect(frames.isEmpty)
  }

  @Test func idleFramesOfOneSizeMakeRoomForAnother() async throws {
    let budget = budget(4, share: 4)
    let account = budget.account()
    var frames = [try await account.take(bodyBytes: Self.mebibyte)]
    while let frame = try account.tryTake(bodyBytes: Self.mebibyte) { frames.append(frame) }
    frames = []
    _ = try await account.take(bodyBytes: 4 * Self.mebibyte)
    #expect(budget.heldBytes == 4 * Self.mebibyte)
    #expect(frames.isEmpty)
  }
}
