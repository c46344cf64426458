import API
import Control
import EventLoop
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct DaemonTests {
  private struct FakeRunning: RunningNode {
    let backend: any NodeBackend = FakeNode()
    let ready = ReadyLine(node: "ab", listening: "127.0.0.1:1")
    let stopped: @Sendable () -> Void

    func rename(to name: String) async {}
    func stop() async { stopped() }
  }

  @Test func aNodeThatCannotStartSaysWhy() async throws {
    let folder = try temporaryFolder()
    defer { rmdir(folder) }
    let failure = await #expect(throws: Failure.self) {
      try await Daemon.run(DaemonOptions(log: "error"), environment: ["PAWL_HOME": folder]) { _ in
        throw Failure(.failed, "the disk is on fire")
      } onReady: { _ in
      }
    }
    #expect(failure?.message == "the disk is on fire")
  }

  @Test func aNodeRunsFromItsReadyLineToItsStop() async throws {
    let folder = try temporaryFolder()
    let events = Mutex<[String]>([])
    let (ready, isReady) = AsyncStream.makeStream(of: String.self)
    let daemon = Task {
      try await Daemon.run(DaemonOptions(name: "studio", log: "error"), environment: ["PAWL_HOME": folder]) { settings in
        events.withLock { $0.append(settings.name) }
        return FakeRunning { events.withLock { $0.append("stopped") } }
      } onReady: { line in
        isReady.yield(line.text)
      }
    }
    var lines = ready.makeAsyncIterator()
    #expect(await lines.next() == "ready ab listening 127.0.0.1:1")
    let answer = try await onAThread {
      var client = try Client(path: folder + "/control.sock")
      try client.send(.id)
      return try Lines.readReply(try client.nextLine(), as: IdentityResult.self)
    }
    guard case .result = answer else {
      Issue.record("no result")
      return
    }
    daemon.cancel()
    _ = try? await daemon.value
    #expect(events.withLock { $0 } == ["studio", "stopped"])
    #expect(access(folder + "/control.sock", F_OK) != 0)
    rmdir(folder)
  }

  @Test func withoutAHomeThereIsAClearError() async {
    let failure = await #expect(throws: Failure.self) { try await Daemon.run(DaemonOptions(), environment: [:]) { _ in } }
    #expect(failure?.code == .usage)
  }
}
