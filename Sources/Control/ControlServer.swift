public import EventLoop
internal import API
public import Logging

/// The local API's server: a Unix socket that only the owner can open, many clients at once.
public final class ControlServer: Sendable {
  /// Clients at once; each costs a descriptor. People and scripts of one user come nowhere near.
  public static let maximumClients = 128

  private let listener: PipeListener
  private let loop: EventLoop
  private let backend: any NodeBackend
  private let logger: Logger
  private let progressInterval: Duration

  private init(
    _ listener: PipeListener, loop: EventLoop, backend: any NodeBackend, logger: Logger, progressInterval: Duration
  ) {
    self.listener = listener
    self.loop = loop
    self.backend = backend
    self.logger = logger
    self.progressInterval = progressInterval
  }

  /// Listens at `path`. What a node that died left there is replaced; a socket that somebody answers on is an error.
  ///
  /// Clients may connect from now on; they are served while ``run()`` runs. Throws `LoopError` of the event loop.
  public static func bind(
    path: String, backend: any NodeBackend, loop: EventLoop, logger: Logger
  ) async throws -> ControlServer {
    try await bind(
      path: path, backend: backend, loop: loop, logger: logger, progressInterval: ReplyWriter.progressInterval)
  }

  /// The same with another time between two progress lines of a request.
  static func bind(
    path: String, backend: any NodeBackend, loop: EventLoop, logger: Logger, progressInterval: Duration
  ) async throws -> ControlServer {
    ControlServer(
      try await PipeListener.bind(path: path, on: loop), loop: loop, backend: backend, logger: logger,
      progressInterval: progressInterval)
  }

  /// Serves clients until its task is cancelled; then requests under way are cancelled too, their clients are told, and the
  /// socket is removed.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      var clients = 0
      var retry = AcceptRetry(on: loop) { [logger] error, unreported in
        logger.error(
          "a client of the control socket was not accepted; going on",
          metadata: ["reason": "\(error)", "others": "\(unreported)"])
      }
      while let stream = await retry.next({ [listener] in try await listener.accept() }) {
        if clients >= Self.maximumClients {
          await group.next()
          clients -= 1
        }
        clients += 1
        group.addTask { [loop, backend, logger, progressInterval] in
          await ControlConnection(
            stream, on: loop, backend: backend, logger: logger, progressInterval: progressInterval
          ).serve()
        }
      }
      group.cancelAll()
    }
    await listener.close()
  }
}
