public import EventLoop
internal import API
public import Logging

/// The local API's server: a Unix socket that only the owner can open, many clients at once.
public final class ControlServer: Sendable {
  /// Clients at once; each costs a descriptor, so where those are scarce it is fewer. People and scripts of one user come nowhere
  /// near. Beyond it, who has said nothing for a second makes room, or the newcomer is told.
  public static let maximumClients = 128

  /// How many it is.
  static var capacity: Int { min(maximumClients, DescriptorBudget.process.share(of: .control)) }

  private let listener: PipeListener
  private let loop: EventLoop
  private let backend: any NodeBackend
  private let logger: Logger
  private let patience: Duration
  private let progressInterval: Duration

  private init(
    _ listener: PipeListener, loop: EventLoop, backend: any NodeBackend, logger: Logger, patience: Duration,
    progressInterval: Duration
  ) {
    self.listener = listener
    self.loop = loop
    self.backend = backend
    self.logger = logger
    self.patience = patience
    self.progressInterval = progressInterval
  }

  /// Listens at `path`. What a node that died left there is replaced; a socket that somebody answers on is an error.
  ///
  /// A client that has said nothing for `patience` makes room where all places are taken: a command asks as soon as it is connected.
  /// Clients may connect from now on; they are served while ``run()`` runs. Throws `LoopError` of the event loop.
  public static func bind(
    path: String, backend: any NodeBackend, loop: EventLoop, logger: Logger, patience: Duration = .seconds(1)
  ) async throws -> ControlServer {
    try await bind(
      path: path, backend: backend, loop: loop, logger: logger, patience: patience,
      progressInterval: ReplyWriter.progressInterval)
  }

  /// The same with another time between two progress lines of a request.
  static func bind(
    path: String, backend: any NodeBackend, loop: EventLoop, logger: Logger, patience: Duration = .seconds(1),
    progressInterval: Duration
  ) async throws -> ControlServer {
    ControlServer(
      try await PipeListener.bind(path: path, on: loop), loop: loop, backend: backend, logger: logger, patience: patience,
      progressInterval: progressInterval)
  }

  /// Serves clients until its task is cancelled; then requests under way are cancelled too, their clients are told, and the
  /// socket is removed.
  public func run() async {
    let capacity = Self.capacity
    let clients = ControlClients(capacity: capacity, patience: patience, on: loop)
    await withDiscardingTaskGroup { group in
      var retry = AcceptRetry(on: loop) { [logger] error, unreported in
        logger.error(
          "a client of the control socket was not accepted; going on",
          metadata: ["reason": "\(error)", "others": "\(unreported)"])
      }
      while let stream = await retry.next({ [listener] in try await listener.accept() }) {
        switch await clients.enter(stream) {
        case .full:
          await refuse(stream, capacity)
        case .seated(let seat, closing: let idle):
          await idle?.close()
          group.addTask { [loop, backend, logger, progressInterval] in
            await ControlConnection(
              stream, on: loop, backend: backend, logger: logger, progressInterval: progressInterval, seat: seat
            ).serve()
            await seat.leave()
          }
        }
      }
      group.cancelAll()
    }
    await listener.close()
  }

  /// The socket has room for the line: nobody is waited for.
  private func refuse(_ stream: PipeStream, _ capacity: Int) async {
    try? await stream.write(Lines.failure(.tooManyClients(capacity)), deadline: .after(.seconds(1)))
    await stream.close()
  }
}
