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

  private init(_ listener: PipeListener, loop: EventLoop, backend: any NodeBackend, logger: Logger) {
    self.listener = listener
    self.loop = loop
    self.backend = backend
    self.logger = logger
  }

  /// Listens at `path`. What a node that died left there is replaced; a socket that somebody answers on is an error.
  ///
  /// Clients may connect from now on; they are served while ``run()`` runs. Throws `LoopError` of the event loop.
  public static func bind(
    path: String, backend: any NodeBackend, loop: EventLoop, logger: Logger
  ) async throws -> ControlServer {
    ControlServer(try await PipeListener.bind(path: path, on: loop), loop: loop, backend: backend, logger: logger)
  }

  /// Serves clients until its task is cancelled; then requests under way are cancelled too, their clients are told, and the
  /// socket is removed.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      var clients = 0
      while let stream = await accept() {
        if clients >= Self.maximumClients {
          await group.next()
          clients -= 1
        }
        clients += 1
        group.addTask { [loop, backend, logger] in
          await ControlConnection(stream, on: loop, backend: backend, logger: logger).serve()
        }
      }
      group.cancelAll()
    }
    await listener.close()
  }

  private func accept() async -> PipeStream? {
    do { return try await listener.accept() } catch {
      if !(error is CancellationError) { logger.error("the control socket is closed", metadata: ["reason": "\(error)"]) }
      return nil
    }
  }
}
