import Artifact
import EventLoop
import Glibc
import Logging
import Store
import Testing

@testable import Node

/// A node with hours of work before it.
@Suite(.timeLimit(.minutes(3))) struct LoadTests {
  /// Nobody waits for the end of this: 24 GiB that take no room.
  private static let longBytes: off_t = 24 << 30

  private static func longFile(_ name: String, in house: House) throws -> String {
    let path = try house.file("long/\(name)", [])
    try #require(truncate(path, longBytes) == 0)
    return path
  }

  @Test func whileANodeHashesForHoursItAndItsPeersAreAnswered() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let bytes = pattern(3 << 20)
      _ = try await studio.share(try house.file("out/small.bin", bytes), to: ["laptop"])
      _ = try await laptop.share(try house.file("back/other.bin", bytes), to: ["studio"])
      let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
      var shares: [Task<ShareSummary, any Error>] = []
      for name in ["one", "two"] {
        let path = try Self.longFile(name, in: house)
        shares.append(
          Task { try await studio.node.share(ShareCommand(path: path, toAll: true)) { _, _ in hasBegun.yield() } })
        for await _ in begun { break }
      }
      #expect(try await laptop.node.list(peer: "studio").map(\.name) == ["small.bin"])
      #expect(try await studio.node.list(peer: nil).map(\.name) == ["small.bin"])
      #expect(try await laptop.node.show("studio/small.bin").manifest.files.count == 1)
      #expect(try await laptop.pull("studio/small.bin", into: "\(house.path)/copy").isReadBack)
      // Its own pull is read back on the very threads that hash.
      #expect(try await studio.pull("laptop/other.bin", into: "\(house.path)/copy").isReadBack)
      #expect(house.bytes("copy/small.bin") == bytes && house.bytes("copy/other.bin") == bytes)
      for share in shares { share.cancel() }
      for share in shares { await #expect(throws: CancellationError.self) { _ = try await share.value } }
      #expect(try await studio.node.list(peer: nil).map(\.name) == ["small.bin"])
    }
  }

  @Test(arguments: [false, true]) func aShareEndsAfterTheSliceUnderWayWhenItOrItsNodeIsStopped(isNodeStopped: Bool) async throws
  {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let path = try Self.longFile("one", in: house)
      let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
      let hashed = Sum()
      let share = Task {
        try await studio.node.share(ShareCommand(path: path)) { count, _ in
          hashed.add(count)
          hasBegun.yield()
        }
      }
      for await _ in begun { break }
      let before = hashed.sum
      if isNodeStopped { await studio.node.stop() } else { share.cancel() }
      await #expect(throws: (any Error).self) { _ = try await share.value }
      // What was hashed until the order came through, and one slice.
      #expect(hashed.sum - before < 1 << 30)
    }
  }

  /// Holds both threads of a pool until the gates are opened.
  private static func hold(_ pool: WorkerPool) async -> [WorkerGate] {
    let gates = [WorkerGate(), WorkerGate()]
    for gate in gates {
      Task { try await pool.run { gate.wait() } }
      await gate.reached()
    }
    return gates
  }

  @Test func aPullThatComparesLargeFilesKeepsNoShortJobWaitingAndEndsWhenItIsGivenUp() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let bytes = pattern(3 << 20)
      _ = try await studio.share(try house.file("out/a.bin", bytes), to: ["laptop"])
      _ = try house.file("copy/a.bin", bytes)
      let gates = await Self.hold(laptop.node.context.threads.hashing)
      let (examined, isExamining) = AsyncStream.makeStream(of: Void.self)
      let pull = Task {
        try await laptop.pull("studio/a.bin", into: "\(house.path)/copy") { progress in
          if progress.phase == .examining { isExamining.yield() }
        }
      }
      for await _ in examined { break }
      // What the pull compares with waits for the threads that hash; folders are walked all the same.
      #expect(try await laptop.node.context.threads.folders.run { true })
      pull.cancel()
      await #expect(throws: (any Error).self) { _ = try await pull.value }
      for gate in gates { gate.open() }
      #expect(try await laptop.pull("studio/a.bin", into: "\(house.path)/copy").bytesTransferred == 0)
    }
  }

  @Test func aSecondPullAsksForNothingThatIsHere() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      let meddler = try await house.meddler(before: studio)
      try await house.pair(studio, laptop, through: meddler)
      _ = try await studio.share(try house.file("out/a.bin", pattern(3 << 20)), to: ["laptop"])
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/copy")
      let before = await meddler.dataBytes
      #expect(before > 3 << 20)
      _ = try await laptop.pull("studio/a.bin", into: "\(house.path)/copy")
      #expect(await meddler.dataBytes == before)
    }
  }

  @Test func aNodeThatStopsInThePlacingGoesOnWithItWhenItStartsAgain() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let bytes = pattern(3 << 20)
      _ = try await studio.share(try house.file("out/a.bin", bytes), to: ["laptop"])
      let (placed, isPlacing) = AsyncStream.makeStream(of: Void.self)
      let held = Locked<[WorkerGate]>([])
      let folders = laptop.node.context.threads.folders
      let pull = Task {
        try await laptop.pull("studio/a.bin", into: "\(house.path)/copy") { progress in
          switch progress.phase {
          case .fetching where held.withLock({ $0.isEmpty }):
            let gates = [WorkerGate(), WorkerGate()]
            held.withLock { $0 = gates }
            for gate in gates { Task { try await folders.run { gate.wait() } } }
          case .placing: isPlacing.yield()
          default: break
          }
        }
      }
      for await _ in placed { break }
      let stopping = Task { await laptop.stop() }
      try await eventually("it is stopping", on: house.loop) { await laptop.node.isStopping }
      for gate in held.withLock({ $0 }) { gate.open() }
      await stopping.value
      await #expect(throws: (any Error).self) { _ = try await pull.value }
      #expect(house.bytes("copy/a.bin") == nil)
      let again = try await house.start("laptop")
      try await eventually("it is placed", on: house.loop) {
        try await again.node.context.database.transfers().isEmpty
      }
      #expect(house.bytes("copy/a.bin") == bytes)
    }
  }

  @Test func aPullThatEndsInACancelledTaskWaitsForItsWorkersWithoutSpinning() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      _ = try await studio.share(try house.file("out/a.bin", pattern(8 << 20)), to: ["laptop"])
      // Nothing that arrives is opened before the test says so.
      let gates = [WorkerGate(), WorkerGate()]
      for gate in gates {
        Task { try await laptop.node.context.threads.open.run { gate.wait() } }
        await gate.reached()
      }
      let pull = Task { try await laptop.pull("studio/a.bin", into: "\(house.path)/copy") }
      try await eventually("frames wait for a worker", on: house.loop) {
        guard let puller = await laptop.node.pulls.values.first else { return false }
        return await puller.jobs > 0
      }
      let puller = try #require(await laptop.node.pulls.values.first)
      let isQuiet = Sum()
      let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
      let waiting = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        hasBegun.yield()
        await puller.quiesce()
        isQuiet.add(1)
      }
      for await _ in begun { break }
      let before = try await laptop.loop.run { Self.threadSeconds }
      // A fifth of a second of this thread's work; a loop that spins does as much meanwhile.
      let start = Self.threadSeconds
      while Self.threadSeconds - start < 0.2 {}
      let used = try await laptop.loop.run { Self.threadSeconds } - before
      #expect(used < 0.1)
      #expect(isQuiet.sum == 0)
      for gate in gates { gate.open() }
      await waiting.value
      #expect(isQuiet.sum == 1)
      _ = try await pull.value
    }
  }

  /// Processor time of the calling thread.
  private static var threadSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  @Test func whatAHopelessPullLeftIsRemovedInACancelledTaskToo() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      let path = try house.file("out/a.bin", pattern(3 << 20))
      _ = try await studio.share(path, to: ["laptop"])
      // What is fetched is not there any more: no attempt can bring it.
      try house.file("out/a.bin", pattern(3 << 20, seed: 1))
      let node = laptop.node
      let destination = try PullDestination(PullCommand(reference: "studio/a.bin", directory: "\(house.path)/copy"))
      let pull = Task {
        let reference = try await node.read(reference: "studio/a.bin")
        let peer = try await node.peer(alias: "studio")
        let entry = try await node.resolve(reference, at: peer)
        let puller = try await node.begin(entry, reference, peer: peer, target: destination) { _ in }
        try await node.supervising(puller) {
          do { try await puller.completion() } catch {
            // The user gives up at this very moment.
            withUnsafeCurrentTask { $0?.cancel() }
            throw error
          }
        }
      }
      await #expect(throws: NodeError.self) { try await pull.value }
      #expect(house.tree("copy").isEmpty)
      #expect(try await node.context.database.transfers().isEmpty)
    }
  }

  @Test func aListenerThatFailsForAWhileIsAskedAgain() async throws {
    try await withHouse { house in
      let log = FloodTests.KeptLog.Lines()
      let logger = Logger(label: "studio") { _ in FloodTests.KeptLog(lines: log) }
      // A port that was asked for stays the socket's own while it does not listen.
      let before = try await house.start("studio")
      await before.stop()
      let studio = try await house.start("studio", port: before.port, logger: logger)
      let laptop = try await house.start("laptop")
      let listener = try #require(Self.listener(at: studio.port))
      // `accept` fails from now on (EINVAL), until the socket listens again.
      try #require(shutdown(listener, CInt(SHUT_RDWR)) == 0)
      try await eventually("the failure is logged", on: house.loop) {
        log.all.withLock { $0.contains { $0.contains("was not accepted") } }
      }
      try #require(listen(listener, 16) == 0)
      try await house.pair(studio, laptop)
    }
  }

  /// The descriptor that listens on a port.
  private static func listener(at port: UInt16) -> CInt? {
    (3..<4_096 as Range<CInt>).first { descriptor in
      var listens: CInt = 0
      var length = socklen_t(MemoryLayout<CInt>.size)
      guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens == 1 else { return false }
      var address = sockaddr_in()
      var room = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &room) }
      }
      return result == 0 && UInt16(bigEndian: address.sin_port) == port
    }
  }
}

/// Adds up what callbacks say.
private final class Sum: Sendable {
  private let total = Locked(0)
  var sum: Int { total.withLock { $0 } }
  func add(_ count: Int) { total.withLock { $0 += count } }
}

/// Holds a worker thread until it is opened.
final class WorkerGate: Sendable {
  private let ends: (reading: CInt, writing: CInt)
  private let begun = AsyncStream.makeStream(of: Void.self)

  init() {
    var ends: [CInt] = [-1, -1]
    precondition(pipe(&ends) == 0)
    self.ends = (ends[0], ends[1])
  }

  deinit {
    close(ends.reading)
    close(ends.writing)
  }

  /// Blocks the calling thread.
  func wait() {
    begun.continuation.yield()
    var byte: UInt8 = 0
    _ = read(ends.reading, &byte, 1)
  }

  func reached() async { for await _ in begun.stream { return } }

  func open() {
    var byte: UInt8 = 1
    _ = write(ends.writing, &byte, 1)
  }
}
