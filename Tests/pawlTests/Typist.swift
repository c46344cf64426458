import EventLoop
import Glibc
import Subprocess
import Synchronization
import SystemPackage
import Testing

/// Somebody at a terminal: a shell line that runs in one of its own (`script` makes it), what its screen has shown, and a keyboard.
final class Typist: Sendable {
  private struct State {
    var screen = ""
    var exit: Int32?
    var isOver = false
    var pid: pid_t?
    var listener: AsyncStream<Void>.Continuation?
  }

  private let state = Mutex(State())
  private let keyboard: FileDescriptor
  private let loop: EventLoop

  private init(keyboard: FileDescriptor, loop: EventLoop) {
    self.keyboard = keyboard
    self.loop = loop
  }

  /// Runs `body` with a shell line at a terminal; `$PAWL` in it is the binary.
  static func at(
    _ line: String, home: String, on loop: EventLoop, _ body: @Sendable (Typist) async throws -> Void
  ) async throws {
    let ends = try FileDescriptor.pipe()
    let typist = Typist(keyboard: ends.writeEnd, loop: loop)
    let variables: [Environment.Key: String] = [
      "PAWL_HOME": home, "PAWL": try Command.binary, "TERM": "dumb", "PATH": "/usr/bin:/bin",
    ]
    let running = Task {
      let result = try await Subprocess.run(
        .path("/usr/bin/script"), arguments: ["-qefc", line, "/dev/null"], environment: .custom(variables),
        input: .fileDescriptor(ends.readEnd, closeAfterSpawningProcess: true), output: .sequence, error: .discarded
      ) { execution in
        typist.change { $0.pid = pid_t(execution.processIdentifier.value) }
        for try await piece in execution.standardOutput {
          let text = piece.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
          typist.change { $0.screen += text }
        }
      }
      typist.change { state in
        if case .exited(let code) = result.terminationStatus { state.exit = code }
        state.isOver = true
      }
    }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(typist)) } catch { outcome = .failure(error) }
    // Without a keyboard the terminal says end of input, and a cancelled process is killed.
    try? ends.writeEnd.close()
    running.cancel()
    _ = try? await running.value
    try outcome.get()
  }

  private func change(_ body: (inout State) -> Void) {
    let listener = state.withLock { state in
      body(&state)
      return state.listener
    }
    listener?.yield()
  }

  /// All that was on the screen so far.
  var screen: String { state.withLock { $0.screen } }

  /// The terminal's window is closed: the terminal is gone, whatever runs at it.
  func tearDown() {
    state.withLock { state in
      if let pid = state.pid, !state.isOver { _ = kill(pid, SIGKILL) }
    }
  }

  /// Types something. A line needs its end.
  func type(_ text: String) throws { try keyboard.writeAll(Array(text.utf8)) }

  /// Waits until the screen has shown a text so many times.
  func sees(_ text: String, times: Int = 1) async throws {
    try await until { $0.isOver || $0.screen.components(text) >= times }
    #expect(screen.components(text) >= times, "“\(text)” is not on the screen: \(screen)")
  }

  /// Waits for the end of the line; its exit code.
  func ended() async throws -> Int32? {
    try await until { $0.isOver }
    return state.withLock { $0.exit }
  }

  private func until(_ isSo: @escaping @Sendable (borrowing State) -> Bool) async throws {
    try await withTimeout(.seconds(60), on: loop) {
      let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
      self.state.withLock { $0.listener = change }
      change.yield()
      for await _ in changes {
        if self.state.withLock({ isSo($0) }) { return }
      }
      throw CancellationError()
    }
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}
