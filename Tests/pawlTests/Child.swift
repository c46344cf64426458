import EventLoop
import Glibc
import Subprocess
import Synchronization
import SystemPackage
import Testing

/// A process of the binary that runs beside the test: its lines are heard as they come, and it is ended by its pid.
final class Child: Sendable {
  private struct State {
    var pid: pid_t?
    var lines: [String] = []
    var end: End?
    var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    var last = 0
  }

  /// How a process ended.
  enum End: Hashable, Sendable {
    case exit(Int32)
    case signal(Int32)
    case failed
  }

  private let state = Mutex(State())
  private let loop: EventLoop

  private init(loop: EventLoop) { self.loop = loop }

  /// Starts `pawl` with these arguments, or another program that starts it. Standard error goes to the end of the file `log`.
  static func start(
    _ arguments: [String], home: String, log: String, through wrapper: [String] = [], environment: [String: String] = [:],
    on loop: EventLoop
  ) async throws -> Child {
    let child = Child(loop: loop)
    let words = wrapper + [try Command.binary] + arguments
    var variables: [Environment.Key: String] = ["PAWL_HOME": home]
    for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
    let errors = try FileDescriptor.open(
      FilePath(log), .writeOnly, options: [.create, .append], permissions: .ownerReadWrite)
    Task { [variables] in
      let end: End
      do {
        let result = try await Subprocess.run(
          .path(FilePath(words[0])), arguments: Arguments(Array(words.dropFirst())), environment: .custom(variables),
          input: .none, output: .sequence, error: .fileDescriptor(errors, closeAfterSpawningProcess: true)
        ) { execution in
          child.change { $0.pid = pid_t(execution.processIdentifier.value) }
          for try await line in execution.standardOutput.strings() { child.change { $0.lines.append(line) } }
        }
        end =
          switch result.terminationStatus {
          case .exited(let code): .exit(code)
          case .signaled(let number): .signal(number)
          }
      } catch { end = .failed }
      child.change { $0.end = end }
    }
    try await child.until(.seconds(10)) { $0.pid != nil || $0.end != nil }
    return child
  }

  private func change(_ body: (inout State) -> Void) {
    let listeners = state.withLock { state in
      body(&state)
      return Array(state.listeners.values)
    }
    for listener in listeners { listener.yield() }
  }

  /// Returns when something is so; throws when it is not in time.
  private func until(_ limit: Duration, _ isSo: @escaping @Sendable (borrowing State) -> Bool) async throws {
    try await withTimeout(limit, on: loop) {
      let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
      let number = self.state.withLock { state in
        state.last += 1
        state.listeners[state.last] = change
        return state.last
      }
      defer { self.state.withLock { $0.listeners[number] = nil } }
      change.yield()
      for await _ in changes {
        if self.state.withLock({ isSo($0) }) { return }
      }
      throw CancellationError()
    }
  }

  /// Its process id, once it runs.
  var pid: pid_t? { state.withLock { $0.pid } }

  /// What it has said so far.
  var lines: [String] { state.withLock { $0.lines } }

  /// The first line that has something in it; fails when the process ends without one.
  func line(containing text: String, within limit: Duration = .seconds(30)) async throws -> String {
    try await until(limit) { state in state.end != nil || state.lines.contains { $0.contains(text) } }
    return try #require(lines.first { $0.contains(text) }, "it ended without “\(text)”")
  }

  /// Waits for its end.
  @discardableResult
  func ended(within limit: Duration = .seconds(60)) async throws -> End {
    try await until(limit) { $0.end != nil }
    return state.withLock { $0.end ?? .failed }
  }

  /// Sends it a signal, if it still runs.
  func signal(_ number: Int32) {
    state.withLock { state in
      if let pid = state.pid, state.end == nil { _ = kill(pid, number) }
    }
  }

  /// `kill -9`, and waits until it is gone.
  func destroy() async throws {
    signal(SIGKILL)
    try await ended(within: .seconds(20))
  }
}
