internal import API
internal import EventLoop
internal import FoundationEssentials
internal import Logging
internal import Node
internal import ServiceLifecycle
internal import Store
internal import UnixSignals

/// `pawl up`: a node in the foreground, from its settings to its end.
public enum Daemon {
  /// How long the node may take to stop after the control server has: together at most five seconds.
  private static let stopTimeout = Duration.seconds(4)
  /// How long the end waits for the last lines of the log to be read.
  private static let logPatience = Duration.milliseconds(500)

  /// Runs a node until SIGTERM or SIGINT. Returning means a clean end; throwing a ``Failure`` means that it could not start.
  ///
  /// - Parameters:
  ///   - options: what the command line says.
  ///   - environment: `PAWL_…` and what the places of a node depend on; nil: the process's own.
  ///   - makeNode: makes the node; gets everything resolved and checked.
  ///   - onReady: called once, when peers and clients can connect.
  public static func run(
    _ options: DaemonOptions, environment: [String: String]? = nil,
    makeNode: @escaping MakeNode = standardNode, onReady: @escaping @Sendable (ReadyLine) -> Void
  ) async throws {
    Node.prepareMemory()
    let environment = environment ?? ProcessInfo.processInfo.environment
    let locations: Locations
    do { locations = try Locations.resolve(environment: environment) } catch {
      throw Failure(.usage, error.message, hint: error.hint)
    }
    let settings = try await Settings.read(options, environment: environment, file: locations.configFile)
    let log = StandardErrorLog.standardError()
    defer {
      log.flush(within: logPatience)
      log.close()
    }
    let logger = Logger(label: "pawl") { _ in StandardErrorLog(level: settings.level, writer: log) }
    for warning in settings.warnings { logger.warning("\(warning)") }
    let loop = EventLoop()
    var resolved = NodeSettings(
      locations: locations, name: settings.name, listen: settings.listen, loop: loop, logger: logger)
    resolved.passphrase = settings.passphrase
    let node: any RunningNode
    do {
      node = try await makeNode(resolved)
    } catch {
      await loop.stop()
      throw failure(error)
    }
    let problem: (any Error)?
    do {
      try await serve(node, at: locations.socket, loop: loop, logger: logger, onReady: onReady)
      problem = nil
    } catch { problem = error }
    if await stop(node, on: loop) {
      await loop.stop()
      logger.info("stopped")
    } else {
      // Whatever still runs ends with the process; all that must survive was persisted as it happened.
      logger.warning("the node did not stop in time; ending without it")
    }
    if let problem { throw failure(problem) }
  }

  private static func serve(
    _ node: any RunningNode, at socket: String, loop: EventLoop, logger: Logger,
    onReady: @escaping @Sendable (ReadyLine) -> Void
  ) async throws {
    let server = try await ControlServer.bind(path: socket, backend: node.backend, loop: loop, logger: logger)
    // The group reports each of its own steps; what matters of them is in our log already.
    var quiet = logger
    quiet.logLevel = .error
    let service = ControlService(server: server) { onReady(node.ready) }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: service)], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
    try await group.run()
  }

  /// Whether the node stopped in time. One that does not is left behind: it may wait for a disk that hangs.
  private static func stop(_ node: any RunningNode, on loop: EventLoop) async -> Bool {
    let (outcomes, outcome) = AsyncStream.makeStream(of: Bool.self)
    Task {
      await node.stop()
      outcome.yield(true)
    }
    let timer = Task {
      try? await loop.sleep(for: stopTimeout)
      outcome.yield(false)
    }
    defer { timer.cancel() }
    for await hasStopped in outcomes { return hasStopped }
    return false
  }

  private static func failure(_ error: any Error) -> Failure {
    switch error {
    case let failure as Failure: return failure
    case let error as StoreError: return Failure(.failed, error.message, hint: error.hint)
    case let error as LoopError where error.code == .addressInUse:
      return Failure(
        .failed, "\(error)", hint: "is another node running? stop it, or choose another place: pawl up --listen HOST:PORT")
    case is CancellationError: return Failure(.interrupted, "interrupted")
    default: return Failure(.failed, "the node cannot start: \(error)")
    }
  }
}

/// The control server as a service: runs until the group shuts down.
private struct ControlService: Service {
  let server: ControlServer
  let isReady: @Sendable () -> Void

  func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await server.run() }
      isReady()
      try? await gracefulShutdown()
      group.cancelAll()
    }
  }
}
