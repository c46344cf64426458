import EventLoop
import Testing

@Suite(.timeLimit(.minutes(5)))
struct EventLoopTests {
  private actor Pinned {
    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private(set) var seen: [Int] = []

    init(loop: EventLoop) { self.loop = loop }

    func isOnLoop() -> Bool { loop.isOnLoop }
    func note(_ number: Int) { seen.append(number) }
    func sleepAndReport() async -> Bool {
      do {
        try await loop.sleep(for: .seconds(3600))
        return false
      } catch { return loop.isOnLoop }
    }
  }

  @Test func anActorPinnedToTheLoopRunsOnItsThread() async throws {
    try await withLoop { loop in
      #expect(!loop.isOnLoop)
      #expect(await Pinned(loop: loop).isOnLoop())
      let isOnLoop = try await loop.run { loop.isOnLoop }
      #expect(isOnLoop)
    }
  }

  @Test func jobsFromOneTaskRunInOrder() async throws {
    try await withLoop { loop in
      let pinned = Pinned(loop: loop)
      for number in 0..<1000 { await pinned.note(number) }
      #expect(await pinned.seen == Array(0..<1000))
    }
  }

  @Test func manyThreadsReachOneLoopWithoutLosingAJob() async throws {
    try await withLoop { loop in
      let pinned = Pinned(loop: loop)
      await withTaskGroup(of: Void.self) { group in
        for task in 0..<16 {
          group.addTask { for number in 0..<500 { await pinned.note(task * 500 + number) } }
        }
      }
      #expect(await pinned.seen.sorted() == Array(0..<8000))
    }
  }

  @Test func jobsThatBreedJobsDoNotStarveTimers() async throws {
    try await withLoop { loop in
      let isOver = Shared(false)
      let pinned = Pinned(loop: loop)
      let breeder = Task { while !isOver.current { await pinned.note(0) } }
      try await loop.sleep(for: .milliseconds(5))
      isOver.change { $0 = true }
      await breeder.value
    }
  }

  @Test func anErrorOfABodyReachesTheCaller() async throws {
    try await withLoop { loop in
      await #expect(throws: LoopError(.notFound, "")) {
        try await loop.run { throw LoopError(.notFound, "something") }
      }
    }
  }

  @Test func stoppingWakesEverybodyWhoWaits() async throws {
    let loop = EventLoop()
    let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
    let (client, server) = try await connectedPair(on: loop)
    let accepting = try await started(on: loop) { try await listener.accept() }
    let reading = try await started(on: loop) { try await server.read() }
    let sleeping = try await started(on: loop) { try await loop.sleep(for: .seconds(3600)) }
    let writing = try await started(on: loop) { while true { try await server.write(pattern(1 << 20)) } }
    await loop.stop()
    let closed = LoopError(.closed, "")
    await #expect(throws: closed) { try await accepting.value }
    await #expect(throws: closed) { try await reading.value }
    await #expect(throws: closed) { try await sleeping.value }
    await #expect(throws: closed) { try await writing.value }
    await client.close()
  }

  @Test func whatIsUsedAfterTheStopFailsInsteadOfHanging() async throws {
    let loop = EventLoop()
    let (client, server) = try await connectedPair(on: loop)
    let listener = try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop)
    await loop.stop()
    let closed = LoopError(.closed, "")
    await #expect(throws: closed) { try await client.read() }
    await #expect(throws: closed) { try await server.write([1]) }
    await #expect(throws: closed) { try await listener.accept() }
    await #expect(throws: closed) { try await loop.sleep(for: .seconds(3600)) }
    await #expect(throws: closed) { try await TCPStream.connect(to: listener.localAddress, on: loop) }
    await #expect(throws: closed) { try await TCPListener.bind(host: "127.0.0.1", port: 0, on: loop) }
    await client.close()
    await listener.close()
    await loop.stop()
  }

  @Test func aTaskThatOutlivesTheLoopStillEnds() async throws {
    let loop = EventLoop()
    let pinned = Pinned(loop: loop)
    let task = try await started(on: loop) { await pinned.sleepAndReport() }
    await loop.stop()
    #expect(try await task.value)
    await pinned.note(1)
    #expect(await pinned.seen == [1])
  }

  @Test func aLoopCanBeStoppedByManyAndFromWithin() async throws {
    let loop = EventLoop()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { await loop.stop() } }
    }
  }

  @Test func manyLoopsComeAndGo() async throws {
    for _ in 0..<50 { try await withLoop { loop in try await loop.run {} } }
  }
}
