import API
@testable import Control
import EventLoop
import Glibc
import Logging
import Synchronization
import Testing

/// A node that answers as a test wants.
final class FakeNode: NodeBackend {
  typealias PullBody = @Sendable (PullRequest, Replies) async throws -> PullResult

  private struct State {
    var cancelled: [String] = []
    var waiting: [(verb: String, task: CheckedContinuation<Void, Never>)] = []
    var running = 0
    var mostRunning = 0
  }

  private let state = Mutex(State())
  private let onPull: PullBody

  init(onPull: @escaping PullBody = { request, _ in FakeNode.pulled(request.artifact) }) { self.onPull = onPull }

  static func pulled(_ artifact: String, bytes: UInt64 = 1) -> PullResult {
    PullResult(
      artifact: artifact, version: 1, digest: "d", path: "/p", files: [], bytes: bytes, bytesTransferred: bytes, seconds: 0.5,
      sources: ["studio"], readBack: .verified)
  }

  static let peer = Peer(
    alias: "studio", name: "studio", node: "ab", fingerprint: "ab", verified: false, online: true, paired: 1,
    session: "established")

  /// How many requests were under way together.
  var mostRunning: Int { state.withLock { $0.mostRunning } }

  /// Returns when a request of this verb has been cancelled.
  func waitForCancellation(of verb: String) async {
    await withCheckedContinuation { task in
      let hasHappened = state.withLock { state in
        if state.cancelled.contains(verb) { return true }
        state.waiting.append((verb, task))
        return false
      }
      if hasHappened { task.resume() }
    }
  }

  /// Waits until it is cancelled, and remembers that it was.
  func waitForever(_ verb: String) async throws {
    let (never, _) = AsyncStream.makeStream(of: Void.self)
    for await _ in never {}
    let waiting = state.withLock { state in
      state.cancelled.append(verb)
      defer { state.waiting.removeAll { $0.verb == verb } }
      return state.waiting.filter { $0.verb == verb }
    }
    for waiter in waiting { waiter.task.resume() }
    throw CancellationError()
  }

  func status() async throws -> StatusResult {
    StatusResult(
      version: "t", pid: 1, node: "ab", fingerprint: "ab", name: "studio", listening: "[::]:1", started: 1, state: "/s",
      peers: [Self.peer], shared: 0)
  }

  func id() async throws -> IdentityResult { IdentityResult(node: "ab", fingerprint: "ab", name: "studio", addresses: []) }

  func invite(_ request: InviteRequest, replies: Replies) async throws -> InviteResult {
    let ticket = TicketResult(ticket: "pawl1test", expires: 2, addresses: [], alias: request.alias)
    guard request.wait else { return .ticket(ticket) }
    await replies.event(.ticket(ticket))
    try await waitForever("invite")
    throw CancellationError()
  }

  func join(_ request: JoinRequest, replies: Replies) async throws -> PairingResult {
    PairingResult(peer: Self.peer, safetyNumber: request.ticket)
  }

  func peers() async throws -> PeersResult {
    // Slow enough for others to arrive meanwhile, without a clock: yields, again and again.
    state.withLock { state in
      state.running += 1
      state.mostRunning = max(state.mostRunning, state.running)
    }
    for _ in 0..<1_000 { await Task.yield() }
    state.withLock { $0.running -= 1 }
    return PeersResult(peers: [])
  }

  func rename(_ request: RenameRequest) async throws -> RenameResult { RenameResult(old: request.old, peer: Self.peer) }
  func verify(_ request: VerifyRequest) async throws -> VerifyResult { VerifyResult(peer: Self.peer, safetyNumber: "1") }
  func revoke(_ request: RevokeRequest) async throws -> RevokeResult { throw Failure(.notFound, "no peer \(request.peer)") }

  func share(_ request: ShareRequest, replies: Replies) async throws -> ShareResult {
    ShareResult(artifact: request.path, version: 1, digest: "d", files: [], bytes: 0, audience: request.to)
  }

  func unshare(_ request: UnshareRequest) async throws -> UnshareResult { throw SecretTrouble() }
  func list(_ request: ListRequest) async throws -> ListResult { ListResult(peer: request.peer, artifacts: []) }

  func show(_ request: ShowRequest) async throws -> ShowResult {
    ShowResult(
      artifact: request.artifact, version: 1, digest: "d", publisher: .init(node: "ab", alias: nil), created: 1, note: "",
      bytes: 0, chunk: 1, files: (0..<20_000).map { .init(path: "file-\($0)", size: 1, kind: "other", sha256: "aa") })
  }

  func pull(_ request: PullRequest, replies: Replies) async throws -> PullResult { try await onPull(request, replies) }

  func check(_ request: CheckRequest, replies: Replies) async throws -> CheckResult {
    try await waitForever("check")
    return CheckResult(files: [])
  }

  func transfers() async throws -> TransfersResult { TransfersResult(transfers: []) }

  func cancel(_ request: CancelRequest) async throws -> CancelResult {
    throw Failure(.notFound, "no transfer \(request.id)")
  }

  func forget(_ request: ForgetRequest) async throws -> ForgetResult {
    ForgetResult(forgotten: [.init(artifact: request.artifact, version: 1, publisher: "studio", path: "/p")])
  }

  func peerAddress(_ request: PeerAddressRequest) async throws -> PeerAddressesResult {
    PeerAddressesResult(
      peer: request.peer, online: false, addresses: request.add.map { [.init(address: $0, origin: .added)] } ?? [])
  }

  func tickets(_ request: TicketsRequest) async throws -> TicketsResult {
    TicketsResult(tickets: [], revoked: request.revoke)
  }
}

/// An error whose text must not reach a client.
struct SecretTrouble: Error, CustomStringConvertible {
  var description: String { "/home/someone/secret" }
}

/// A control server on a socket of its own.
enum Running {
  /// Runs `body` beside a server, and takes everything down afterwards.
  static func with(
    _ node: FakeNode = FakeNode(), patience: Duration = .seconds(1), progressInterval: Duration = .milliseconds(100),
    _ body: (_ node: FakeNode, _ path: String, _ loop: EventLoop) async throws -> Void
  ) async throws {
    let loop = EventLoop()
    let folder = try temporaryFolder()
    let path = folder + "/control.sock"
    let server = try await ControlServer.bind(
      path: path, backend: node, loop: loop, logger: quietLogger, patience: patience, progressInterval: progressInterval)
    let running = Task { await server.run() }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(node, path, loop)) } catch { outcome = .failure(error) }
    running.cancel()
    await running.value
    await loop.stop()
    unlink(path)
    rmdir(folder)
    try outcome.get()
  }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A new folder, 0700.
func temporaryFolder() throws -> String {
  var template = Array("/tmp/pawl-control-XXXXXX".utf8CString)
  try #require(mkdtemp(&template) != nil)
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A client that does not block.
final class TestClient: Sendable {
  let stream: PipeStream
  private let lines = Mutex(LineDecoder(maximumBytes: LineDecoder.maximumReplyBytes))

  init(_ path: String, on loop: EventLoop) async throws { stream = try await PipeStream.connect(path: path, on: loop) }

  func send(_ request: Request) async throws { try await stream.write(try Lines.request(request)) }

  func send(text: String) async throws { try await stream.write(Array(text.utf8)) }

  /// The next line, or nil at the end.
  func line() async throws -> [UInt8]? {
    while true {
      if let line = try lines.withLock({ try $0.next() }) { return line }
      guard let bytes = try await stream.read() else { return nil }
      lines.withLock { $0.append(bytes) }
    }
  }

  func reply<Body: ResultBody>(_ body: Body.Type) async throws -> Reply<Body> {
    try Lines.readReply(try #require(try await line()), as: body)
  }

  /// The last line of the answer, which must be an error.
  func failure() async throws -> Failure {
    while true {
      switch try await reply(StatusResult.self) {
      case .failure(let failure): return failure
      case .result: throw Failure(.failed, "a result where an error was expected")
      case .progress, .event: continue
      }
    }
  }
}
