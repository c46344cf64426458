import EventLoop
import Foundation
import Glibc
import Primitives
import Synchronization
import Testing

/// Real nodes for a test: each a `pawl up` process with a home of its own, all below one temporary folder, all ended at the end.
final class Household: Sendable {
  let path: String
  let loop = EventLoop(name: "test.household")
  private let nodes = Mutex<[String: HouseholdNode]>([:])
  private let closing = Mutex<[@Sendable () async -> Void]>([])

  private init() throws {
    var template = Array("/tmp/pawl-e2e-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Runs `body` with a household of these nodes, all running.
  static func with(_ names: String..., body: @Sendable (Household) async throws -> Void) async throws {
    let household = try Household()
    do {
      for name in names { try await household.node(name).start() }
      try await body(household)
    } catch {
      await household.close()
      throw error
    }
    await household.close()
  }

  /// The node of a name, which need not run.
  func node(_ name: String) -> HouseholdNode {
    nodes.withLock { nodes in
      if let node = nodes[name] { return node }
      let node = HouseholdNode(name: name, home: "\(path)/homes/\(name)", log: "\(path)/\(name).log", loop: loop)
      nodes[name] = node
      return node
    }
  }

  func atTheEnd(_ close: @escaping @Sendable () async -> Void) { closing.withLock { $0.append(close) } }

  private func close() async {
    for node in nodes.withLock({ Array($0.values) }) { try? await node.destroy() }
    for close in closing.withLock({ $0 }).reversed() { await close() }
    await loop.stop()
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Pairs two nodes; each calls the other by its name.
  func pair(_ inviter: HouseholdNode, _ joiner: HouseholdNode, address: String? = nil) async throws {
    let ticket = try await inviter.ticket(alias: joiner.name, address: address)
    try await joiner.ask("join", ticket, "--alias", inviter.name)
  }

  // MARK: Files

  /// Writes a file below the household's folder. Returns its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }

  /// Writes a short text.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

  /// Makes a folder below the household's folder. Returns its path.
  func folder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    return "\(path)/\(name)"
  }

  /// What a file holds; nil if there is none.
  func read(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: name.hasPrefix("/") ? name : "\(path)/\(name)").map { [UInt8]($0) }
  }

  /// SHA-256 of a file in hex.
  func sha256(_ name: String) throws -> String { SHA256Hash.hash(try #require(read(name))).hex }

  /// All that lies below a folder, hidden files too.
  func tree(_ name: String) -> [String] { (FileManager.default.subpaths(atPath: "\(path)/\(name)") ?? []).sorted() }

  /// Asks until something is so. Fails if it is not so in time.
  func eventually(
    within time: Duration = .seconds(30), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ isSo: () async throws -> Bool
  ) async throws {
    let deadline = Deadline.after(time)
    while !deadline.isPast {
      // Each question starts a process: there is no need to pause between them.
      if try await isSo() { return }
    }
    Issue.record(what, sourceLocation: sourceLocation)
    throw TimeoutError()
  }
}

/// One node of a household.
final class HouseholdNode: Sendable {
  let name: String
  let home: String
  let log: String
  private let loop: EventLoop
  private let child = Mutex<Child?>(nil)
  private let port = Mutex<UInt16>(0)

  fileprivate init(name: String, home: String, log: String, loop: EventLoop) {
    self.name = name
    self.home = home
    self.log = log
    self.loop = loop
  }

  /// Where it listens, once it was started.
  var address: String { "127.0.0.1:\(port.withLock { $0 })" }

  /// The process, while it runs.
  var process: Child? { child.withLock { $0 } }

  /// Runs `pawl up` and returns when it is ready. Started again, it listens where it did.
  func start(through wrapper: [String] = [], with options: String...) async throws {
    try FileManager.default.createDirectory(
      atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let child = try await Child.start(
      ["up", "--listen", address, "--name", name] + options, home: home, log: log, through: wrapper, on: loop)
    self.child.withLock { $0 = child }
    let ready = try await child.line(containing: "ready ")
    let listening = try #require(ready.split(separator: ":").last.flatMap { UInt16($0) })
    port.withLock { $0 = listening }
  }

  /// `kill -9`.
  func destroy() async throws { try await child.withLock { $0 }?.destroy() }

  /// SIGTERM; returns how it ended.
  func stop() async throws -> Child.End? {
    let child = child.withLock { $0 }
    child?.signal(SIGTERM)
    return try await child?.ended(within: .seconds(20))
  }

  /// Runs a verb.
  func run(
    _ arguments: String..., input: String = "", limit: Duration = .seconds(60), workingDirectory: String? = nil
  ) async throws -> Command.Outcome {
    try await Command.run(arguments, home: home, input: input, workingDirectory: workingDirectory, limit: limit)
  }

  /// Runs a verb with `--json`, expects its exit code, and returns its last line.
  @discardableResult
  func ask(
    _ arguments: String..., exit: Int32 = 0, limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> JSON {
    let outcome = try await Command.run(arguments + ["--json"], home: home, limit: limit)
    let last = try #require(try outcome.json.last, "\(outcome.error)", sourceLocation: sourceLocation)
    #expect(outcome.exit == exit, "\(outcome.out)\(outcome.error)", sourceLocation: sourceLocation)
    #expect(last["type"] == (exit == 0 ? "result" : "error"), sourceLocation: sourceLocation)
    if exit != 0 { #expect(last["exit"] == .number(Double(exit)), sourceLocation: sourceLocation) }
    return last
  }

  /// Starts a verb that goes on while the test does something else.
  func begin(_ arguments: String...) async throws -> Child {
    try await Child.start(arguments, home: home, log: log + ".verbs", on: loop)
  }

  /// A ticket for a joiner that gets `alias`.
  func ticket(alias: String? = nil, expires: String? = nil, address: String? = nil) async throws -> String {
    var arguments = ["invite", "--no-wait", "--json"]
    if let alias { arguments.append(alias) }
    if let expires { arguments += ["--expires", expires] }
    if let address { arguments += ["--address", address] }
    let outcome = try await Command.run(arguments, home: home)
    #expect(outcome.exit == 0, "\(outcome.out)")
    return try #require(try outcome.json.last)["ticket"].text
  }
}

/// Bytes that differ from place to place, so that a misplaced chunk shows.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  let tile = (0..<65_521).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 &+ ($0 >> 8) &+ seed) }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  while bytes.count < count { bytes += tile.prefix(count - bytes.count) }
  return bytes
}

extension String {
  /// Free of everything that a terminal obeys, but for line ends.
  var isPlainForATerminal: Bool {
    unicodeScalars.allSatisfy {
      $0 == "\n" || ($0.properties.generalCategory != .control && $0.properties.generalCategory != .format)
    }
  }
}
