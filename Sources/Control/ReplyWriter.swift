internal import API
internal import EventLoop

/// Writes the lines that answer one request: events in order, of progress the newest a few times a second, and one last line.
struct ReplyWriter: Sendable {
  /// Between two progress lines: a terminal cannot show more, and a busy node has other things to do.
  static let progressInterval = Duration.milliseconds(100)
  /// How long a client may take none of a line that is not progress: then it is taken for dead, and gives its place up.
  static let lineTimeout = Duration.seconds(60)
  /// How long a client may take to accept the last line of a request that is being cancelled.
  private static let lastLineTimeout = Duration.seconds(1)

  private let stream: PipeStream
  private let loop: EventLoop
  private let lineTimeout: Duration
  private let newest: AsyncStream<Progress>
  private let progress: AsyncStream<Progress>.Continuation
  private let pause: ReplyPause

  /// A writer for one request.
  init(
    _ stream: PipeStream, on loop: EventLoop, progressInterval: Duration = Self.progressInterval,
    lineTimeout: Duration = Self.lineTimeout
  ) {
    self.stream = stream
    self.loop = loop
    self.lineTimeout = lineTimeout
    pause = ReplyPause(of: progressInterval, on: loop)
    (newest, progress) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// What a backend gets.
  var replies: Replies {
    Replies {
      progress.yield($0)
    } event: { event in
      guard let line = try? Lines.event(event) else { return }
      try? await stream.write(line, deadline: .after(lineTimeout))
    }
  }

  /// Writes progress lines until ``finish(_:)``, or until the client is gone.
  func pump() async {
    for await progress in newest {
      guard let line = try? Lines.progress(progress) else { continue }
      do {
        try await stream.write(line)
      } catch { return }
      await pause.wait()
    }
  }

  /// No more progress: ``pump()``, which is the task given, writes the newest, if it has not yet, and returns. It waits out no
  /// interval, and not for ever for a client that does not read.
  func finish(_ pump: Task<Void, Never>) async {
    progress.finish()
    pause.end()
    let timer = startTask { [loop, lineTimeout] in
      if (try? await loop.sleep(for: lineTimeout)) != nil { pump.cancel() }
    }
    defer { timer.cancel() }
    await withTaskCancellationHandler {
      await pump.value
    } onCancel: {
      pump.cancel()
    }
  }

  /// Writes the last line, and says whether the client took all of it. A canceled task still gets it out, if the client takes it
  /// at once.
  func end(_ line: LinePieces) async -> Bool {
    guard Task.isCancelled else { return await write(line, within: lineTimeout) }
    // In a task of its own: nothing is written in one that was canceled.
    return await startTask { await write(line, within: Self.lastLineTimeout) }.value
  }

  /// Each piece has all the time: who takes one after the other reads.
  private func write(_ line: LinePieces, within time: Duration) async -> Bool {
    for piece in line { guard (try? await stream.write(piece, deadline: .after(time))) != nil else { return false } }
    return true
  }
}
