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

  /// Sets up the process's heap. Call it before the first thread is started: each makes an arena of its own otherwise.
  public static func prepareMemory() { Node.prepareMemory() }

  /// Runs a node until SIGTERM or SIGINT, or until the terminal is gone at which it was started. Another SIGHUP makes it read its
  /// configuration again (``Reloading``). Returning means a clean end; throwing a ``Failure`` means that it could not start.
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
    let level = LogLevel(settings.level)
    let logger = Logger(label: "pawl") { _ in StandardErrorLog(level: level, writer: log) }
    for warning in settings.warnings { logger.warning("\(warning)") }
    // From the beginning: a signal that comes while the node starts is acted upon when it runs.
    let hangUp = HangUp()
    let hangUps = hangUp == nil ? nil : await UnixSignalsSequence(trapping: .sighup)
    let loop = EventLoop()
    var resolved = NodeSettings(
      locations: locations, name: settings.name, listen: settings.listen, loop: loop, logger: logger)
    resolved.passphrase = settings.passphrase
    resolved.beginsAnew = options.newState
    let node: any RunningNode
    do {
      node = try await makeNode(resolved)
    } catch {
      await loop.stop()
      let failure = failure(error)
      // For what has no words of its own: the raw text is for the log alone.
      if failure.hint == Self.seeLog { logger.error("cannot start", metadata: ["error": "\(error)"]) }
      throw failure
    }
    let problem: (any Error)?
    do {
      let reloading = Reloading(
        settings, options, environment: environment, file: locations.configFile, level: level, node: node, logger: logger)
      try await serve(node, at: locations.socket, loop: loop, logger: logger, onReady: onReady) {
        guard let hangUp, let hangUps else { return try await gracefulShutdown() }
        // In a task of its own: the end does not wait for a file that hangs.
        let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let reloads = startTask { for await _ in wishes { await reloading.reload() } }
        defer { reloads.cancel() }
        for await _ in hangUps {
          try await loop.sleep(for: HangUp.settleTime)
          guard !hangUp.isTerminalGone else { return logger.info("the terminal is gone; the node ends") }
          wish.yield()
        }
      }
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
    onReady: @escaping @Sendable (ReadyLine) -> Void, untilHangUp: @escaping @Sendable () async throws -> Void
  ) async throws {
    let server = try await ControlServer.bind(path: socket, backend: node.backend, loop: loop, logger: logger)
    // The group reports each of its own steps; what matters of them is in our log already.
    var quiet = logger
    quiet.logLevel = .error
    let service = ControlService(server: server, untilHangUp: untilHangUp) { onReady(node.ready) }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
    try await group.run()
  }

  /// Whether the node stopped in time. One that does not is left behind: it may wait for a disk that hangs.
  private static func stop(_ node: any RunningNode, on loop: EventLoop) async -> Bool {
    let (outcomes, outcome) = AsyncStream.makeStream(of: Bool.self)
    startTask {
      await node.stop()
      outcome.yield(true)
    }
    let timer = startTask {
      try? await loop.sleep(for: stopTimeout)
      outcome.yield(false)
    }
    defer { timer.cancel() }
    for await hasStopped in outcomes { return hasStopped }
    return false
  }

  private static let seeLog = "its log says why"

  private static func failure(_ error: any Error) -> Failure {
    switch error {
    case let failure as Failure: return failure
    case let error as StoreError: return Failure(error.apiCode, error.message, hint: error.hint)
    case let error as LoopError where error.code == .addressInUse:
      return Failure(
        .failed, "\(error)", hint: "is another node running? stop it, or choose another place: pawl up --listen HOST:PORT")
    case is CancellationError: return Failure(.interrupted, "interrupted")
    case let error as LoopError: return Failure(.failed, "the node cannot start: \(error)")
    default: return Failure(.failed, "the node cannot start", hint: seeLog)
    }
  }
}

/// The control server as a service: runs until the group shuts down, or the terminal hangs up.
private struct ControlService: Service {
  let server: ControlServer
  let untilHangUp: @Sendable () async throws -> Void
  let isReady: @Sendable () -> Void

  func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await server.run() }
      isReady()
      await withTaskGroup(of: Void.self) { ends in
        ends.addTask { try? await gracefulShutdown() }
        ends.addTask { [untilHangUp] in try? await untilHangUp() }
        await ends.next()
        ends.cancelAll()
      }
      group.cancelAll()
    }
  }
}
