import EventLoop
import Foundation
import Logging
import Session
import Store
import Testing

@testable import Node

/// Everything that one test starts. All of it is stopped when the test ends, however it ends.
final class House: Sendable {
  /// The loop of the test's own sockets.
  let loop = EventLoop(name: "test.house")
  /// A folder that goes with the test.
  let path: String
  private let closing = Locked<[@Sendable () async -> Void]>([])

  init() throws {
    var template = Array("/tmp/pawl-node-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func atTheEnd(_ close: @escaping @Sendable () async -> Void) {
    closing.withLock { $0.append(close) }
  }

  func close() async {
    let all = closing.withLock { closing in
      defer { closing = [] }
      return closing
    }
    for close in all.reversed() { await close() }
    await loop.stop()
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Starts a node, or starts the node of that name again on the port it had. With another home it is another node of that name.
  func start(
    _ name: String, home: String? = nil, host: String = "127.0.0.1", port: UInt16 = 0, logger: Logger? = nil,
    crypto: SessionCrypto = .system, clock: @escaping @Sendable () -> UInt64 = Node.wallClock,
    network: any NetworkView = SystemNetworkView(), loop: EventLoop? = nil, frames: FrameLimits = FrameLimits()
  ) async throws -> RunningNode {
    let loop = loop ?? EventLoop(name: "test.\(name)")
    let folder = try StateFolder.open(Locations(home: "\(path)/homes/\(home ?? name)"))
    let node = try await Node.start(
      NodeConfiguration(name: name, listen: (host, port)), folder: folder, keys: nil, loop: loop,
      logger: logger ?? Self.logger(name), crypto: crypto, clock: clock, network: network,
      threads: NodeThreads(loop: loop, frames: frames))
    let running = RunningNode(name: name, node: node, loop: loop, folder: folder)
    atTheEnd { await running.stop() }
    return running
  }

  /// Silent, unless somebody looks for a fault: `PAWL_TEST_LOG=1`.
  private static func logger(_ name: String) -> Logger {
    guard ProcessInfo.processInfo.environment["PAWL_TEST_LOG"] != nil else {
      return Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
    }
    var logger = Logger(label: name) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .debug
    return logger
  }

  /// A proxy in front of a node.
  func meddler(before node: RunningNode) async throws -> Meddler {
    let meddler = try await Meddler(target: node.node.listening, loop: loop)
    atTheEnd { await meddler.close() }
    return meddler
  }

  /// Pairs two nodes under their names and waits until their session works. The joiner dials what `through` says.
  func pair(_ inviter: RunningNode, _ joiner: RunningNode, through meddler: Meddler? = nil) async throws {
    let invitation = try await inviter.node.invite(
      alias: joiner.name, lifeSeconds: 60, addresses: meddler.map { [$0.address.description] } ?? [])
    _ = try await joiner.node.join(invitation.text, alias: inviter.name)
    try await joiner.ready(for: inviter.name)
    try await inviter.ready(for: joiner.name)
  }

  /// A paired peer that does what the test wants.
  func forge(_ name: String, at node: RunningNode) async throws -> ForgedPeer {
    let invitation = try await node.node.invite(alias: name, lifeSeconds: 60, addresses: [])
    let peer = try await ForgedPeer.pair(with: invitation.text, as: name, on: loop)
    atTheEnd { await peer.close() }
    try await peer.ready()
    return peer
  }

  /// Writes a file below the house's folder and returns its absolute path.
  @discardableResult
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }

  /// What a file below the house's folder holds; nil if there is none.
  func bytes(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: name.hasPrefix("/") ? name : "\(path)/\(name)").map { [UInt8]($0) }
  }

  /// All that lies in a folder below the house's, with what lies in its folders; hidden files too.
  func tree(_ name: String) -> [String] {
    (FileManager.default.subpaths(atPath: "\(path)/\(name)") ?? []).sorted()
  }
}

/// A node that runs in this process.
struct RunningNode: Sendable {
  let name: String
  let node: Node
  let loop: EventLoop
  let folder: StateFolder

  var port: UInt16 { node.listening.port }

  func stop() async {
    await node.stop()
    await loop.stop()
    folder.release()
  }

  func ready(for alias: String) async throws {
    try await node.peer(alias: alias).ready(by: .after(.seconds(15)))
  }

  func pull(
    _ reference: String, into folder: String, progress: @escaping @Sendable (PullProgress) -> Void = { _ in }
  ) async throws -> PullSummary {
    try await node.pull(PullCommand(reference: reference, directory: folder), progress: progress)
  }

  func share(_ path: String, name: String? = nil, to aliases: [String] = [], toAll: Bool = false) async throws -> ShareSummary {
    try await node.share(ShareCommand(path: path, name: name, to: aliases, toAll: toAll)) { _, _ in }
  }
}

/// Lets so many houses stand at once: nodes that share two processors with all others miss the protocol's own time limits.
private actor Street {
  static let shared = Street()
  private var places = 6
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func enter() async {
    guard places == 0 else {
      places -= 1
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  func leave() {
    if waiting.isEmpty { places += 1 } else { waiting.removeFirst().resume() }
  }
}

/// Runs a test in a house of its own.
func withHouse(_ body: @Sendable (House) async throws -> Void) async throws {
  await Street.shared.enter()
  do { try await inHouse(body) } catch {
    await Street.shared.leave()
    throw error
  }
  await Street.shared.leave()
}

private func inHouse(_ body: @Sendable (House) async throws -> Void) async throws {
  let house = try House()
  do { try await body(house) } catch {
    await house.close()
    throw error
  }
  await house.close()
}

/// Waits until something is so. Records an issue if it is not so in time.
func eventually(
  within time: Duration = .seconds(15), _ what: String, on loop: EventLoop, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = Deadline.after(time)
  while !deadline.isPast {
    if try await condition() { return }
    try await loop.sleep(for: .milliseconds(10))
  }
  Issue.record("not within \(time): \(what)", sourceLocation: sourceLocation)
  throw TimeoutError()
}

/// The error that a body throws, as a node reports it.
func nodeError(_ body: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) async throws -> NodeError {
  do { try await body() } catch let error as NodeError { return error }
  Issue.record("it should have failed", sourceLocation: sourceLocation)
  throw CancellationError()
}

/// Bytes that differ from place to place, so that a misplaced one shows.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  let tile = (0..<65_521).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 &+ ($0 >> 8) &+ seed) }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  while bytes.count < count { bytes += tile.prefix(count - bytes.count) }
  return bytes
}
