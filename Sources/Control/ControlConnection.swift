internal import API
internal import EventLoop
internal import Logging

/// One client of the control socket: reads requests, one a line, and answers each before the next.
///
/// While a request is under way the connection goes on reading, so that it notices at once when the client goes away.
actor ControlConnection {
  private enum Step {
    case answered(isTaken: Bool)
    case stopped
    case clientGone
  }

  private let stream: PipeStream
  private let loop: EventLoop
  private let backend: any NodeBackend
  private let logger: Logger
  private let progressInterval: Duration
  private let lineTimeout: Duration
  private let seat: ControlClients.Seat?
  private var lines = LineDecoder(maximumBytes: LineDecoder.maximumRequestBytes)
  private var hasEnded = false

  init(
    _ stream: PipeStream, on loop: EventLoop, backend: any NodeBackend, logger: Logger,
    progressInterval: Duration = ReplyWriter.progressInterval, lineTimeout: Duration = ReplyWriter.lineTimeout,
    seat: ControlClients.Seat? = nil
  ) {
    self.stream = stream
    self.loop = loop
    self.backend = backend
    self.logger = logger
    self.progressInterval = progressInterval
    self.lineTimeout = lineTimeout
    self.seat = seat
  }

  /// Serves the client until it goes away, does not take an answer or sends what cannot be skipped over. Once the task is
  /// canceled, lines that were read ahead are not answered any more.
  func serve() async {
    do {
      while !Task.isCancelled, let line = try await nextLine() {
        await seat?.begin()
        let isTaken = await answer(line)
        await seat?.end()
        // What it did not take of this line would stand before the next one.
        guard isTaken else { break }
      }
    } catch is LineDecoder.TooLong {
      // Where the next line would begin is not known any more.
      let limit = LineDecoder.maximumRequestBytes
      _ = await ReplyWriter(stream, on: loop, lineTimeout: lineTimeout).end(
        Lines.pieces(Failure(.usage, "the request is longer than \(limit) bytes")))
    } catch {
      logger.debug("control connection ended", metadata: ["reason": "\(error)"])
    }
    await stream.close()
  }

  private func nextLine() async throws -> [UInt8]? {
    while true {
      if let line = try lines.next() { return line }
      guard !hasEnded, let bytes = try await stream.read() else { return nil }
      lines.append(bytes)
    }
  }

  /// Whether the client took the whole answer.
  private func answer(_ line: [UInt8]) async -> Bool {
    let writer = ReplyWriter(stream, on: loop, progressInterval: progressInterval, lineTimeout: lineTimeout)
    let request: Request
    do { request = try Lines.readRequest(line) } catch {
      return await writer.end(Lines.pieces(error))
    }
    logger.debug("request", metadata: ["verb": "\(request.verb)"])
    return await withTaskGroup(of: Step.self) { group in
      group.addTask { .answered(isTaken: await self.perform(request, writer)) }
      group.addTask { await self.waitForClientToGo() }
      // The client may go away while the request is under way; a request that does not care runs on alone.
      var isTaken = false
      while let step = await group.next() {
        switch step {
        case .answered(let whole):
          isTaken = whole
          group.cancelAll()
        case .stopped: group.cancelAll()
        case .clientGone: if request.endsWithItsClient { group.cancelAll() }
        }
      }
      return isTaken
    }
  }

  /// Not on this actor: while a backend is at work the connection reads on.
  private nonisolated func perform(_ request: Request, _ writer: ReplyWriter) async -> Bool {
    let pump = startTask { await writer.pump() }
    let line: LinePieces
    do {
      let result = try await backend.perform(request, replies: writer.replies)
      line = try Lines.pieces(result)
    } catch {
      line = Lines.pieces(failure(error, of: request))
    }
    await writer.finish(pump)
    return await writer.end(line)
  }

  /// Reads ahead, within the bound of a request. Cancelled when the request is answered; no byte is lost by that.
  private func waitForClientToGo() async -> Step {
    do {
      while !hasEnded, lines.pendingBytes <= LineDecoder.maximumRequestBytes {
        guard let bytes = try await stream.read() else { break }
        lines.append(bytes)
      }
      hasEnded = true
      return .clientGone
    } catch is CancellationError {
      return .stopped
    } catch {
      hasEnded = true
      return .clientGone
    }
  }

  private nonisolated func failure(_ error: any Error, of request: Request) -> Failure {
    switch error {
    case let failure as Failure: return failure
    case is CancellationError:
      switch request {
      case .invite: return Failure(.interrupted, "interrupted; the ticket is withdrawn")
      case .pull: return Failure(.interrupted, "interrupted", hint: "the same command goes on with what is there")
      default: return Failure(.interrupted, "interrupted")
      }
    default:
      logger.error("request failed", metadata: ["verb": "\(request.verb)", "error": "\(error)"])
      return Failure(.failed, "\(request.verb) failed", hint: "the node's log says why")
    }
  }
}
