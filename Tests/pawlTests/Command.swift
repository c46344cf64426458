import API
import EventLoop
import Glibc
import Subprocess
import Synchronization
import SystemPackage
import Testing

/// The real binary, which stands beside the tests.
enum Command {
  /// How long a command may take before it is killed: they answer in milliseconds.
  static let limit = Duration.seconds(20)
  private static let outputLimit = 64 << 20

  struct Outcome {
    let exit: Int32?
    let out: String
    let error: String

    var outLines: [Substring] { out.split(separator: "\n") }
  }

  static var binary: String {
    get throws {
      var path = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink("/proc/self/exe", &path, path.count)
      let tests = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let folder = try #require(tests.lastIndex(of: "/"))
      return tests[..<folder] + "/pawl"
    }
  }

  /// Runs `pawl` with its home in `home` and nothing else in its environment.
  static func run(
    _ arguments: String..., home: String, input: String = "", environment: [String: String] = [:],
    workingDirectory: String? = nil,
    whileRunning body: @escaping @Sendable (pid_t) async throws -> Void = { _ in }
  ) async throws -> Outcome {
    try await run(
      arguments, home: home, input: input, environment: environment, workingDirectory: workingDirectory, whileRunning: body)
  }

  /// The same with the arguments in a list, and a time limit of the test's own.
  static func run(
    _ arguments: [String], home: String, input: String = "", environment: [String: String] = [:],
    workingDirectory: String? = nil, limit: Duration = limit,
    whileRunning body: @escaping @Sendable (pid_t) async throws -> Void = { _ in }
  ) async throws -> Outcome {
    var variables: [Environment.Key: String] = ["PAWL_HOME": home]
    for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
    let binary = try binary
    let loop = EventLoop()
    let outcome: Result<Outcome, any Error>
    do {
      // Cancelled, Subprocess kills what it runs.
      outcome = .success(
        try await withTimeout(limit, on: loop) { [variables] in
          let result = try await Subprocess.run(
            .path(FilePath(binary)), arguments: Arguments(arguments), environment: .custom(variables),
            workingDirectory: workingDirectory.map { FilePath($0) }, input: .string(input), output: .string(limit: outputLimit),
            error: .string(limit: outputLimit)
          ) { execution in
            try await body(pid_t(execution.processIdentifier.value))
          }
          let exit: Int32? = if case .exited(let code) = result.terminationStatus { code } else { nil }
          return Outcome(exit: exit, out: result.standardOutput, error: result.standardError)
        })
    } catch { outcome = .failure(error) }
    await loop.stop()
    return try outcome.get()
  }
}

/// A home with a control socket on which a test plays the node.
final class PlayedNode: Sendable {
  let home: String
  private let loop = EventLoop()
  private let requests = Mutex<[String]>([])
  private let (asked, isAsked) = AsyncStream.makeStream(of: Void.self)

  private init() throws {
    var template = Array("/tmp/pawl-cli-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    home = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What clients have sent, line by line.
  var received: [String] { requests.withLock { $0 } }

  /// Runs `body` beside a node that answers every request with `lines`, and takes everything down afterwards.
  ///
  /// With `waits` the last line is held back until the client ends its side.
  static func answering(
    _ lines: [[UInt8]], waits: Bool = false, _ body: (PlayedNode) async throws -> Void
  ) async throws {
    let node = try PlayedNode()
    let listener = try await PipeListener.bind(path: node.home + "/control.sock", on: node.loop)
    let serving = Task {
      while let stream = try? await listener.accept() { try await node.serve(stream, lines, waits: waits) }
    }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(node)) } catch { outcome = .failure(error) }
    await listener.close()
    _ = try? await serving.value
    await node.loop.stop()
    rmdir(node.home)
    try outcome.get()
  }

  /// Returns when a client has asked for something.
  func waitForRequest() async {
    for await _ in asked { return }
  }

  private func serve(_ stream: PipeStream, _ lines: [[UInt8]], waits: Bool) async throws {
    var decoder = LineDecoder(maximumBytes: LineDecoder.maximumRequestBytes)
    var request: [UInt8]?
    while request == nil, let bytes = try await stream.read() {
      decoder.append(bytes)
      request = try decoder.next()
    }
    guard let request else { return await stream.close() }
    let text = String(decoding: request, as: UTF8.self)
    if !waits { requests.withLock { $0.append(text) } }
    for line in waits ? lines.dropLast() : lines[...] { try await stream.write(line) }
    if waits, let last = lines.last {
      // Whoever waits for the request finds the first lines written.
      requests.withLock { $0.append(text) }
      isAsked.yield()
      while try await stream.read() != nil {}
      try? await stream.write(last)
    }
    await stream.close()
  }
}
