internal import API
internal import EventLoop

/// Writes the lines that answer one request: events in order, of progress the newest a few times a second, and one last line.
struct ReplyWriter: Sendable {
  /// Between two progress lines: a terminal cannot show more, and a busy node has other things to do.
  static let progressInterval = Duration.milliseconds(100)
  /// How long a client may take to accept the last line of a request that is being cancelled.
  private static let lastLineTimeout = Duration.seconds(1)

  private let stream: PipeStream
  private let newest: AsyncStream<Progress>
  private let progress: AsyncStream<Progress>.Continuation
  private let pause: ReplyPause

  /// A writer for one request.
  init(_ stream: PipeStream, on loop: EventLoop, progressInterval: Duration = Self.progressInterval) {
    self.stream = stream
    pause = ReplyPause(of: progressInterval, on: loop)
    (newest, progress) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// What a backend gets.
  var replies: Replies {
    Replies {
      progress.yield($0)
    } event: { event in
      guard let line = try? Lines.event(event) else { return }
      try? await stream.write(line)
    }
  }

  /// Writes progress lines until ``finish()``, or until the client is gone.
  func pump() async {
    for await progress in newest {
      guard let line = try? Lines.progress(progress) else { continue }
      do {
        try await stream.write(line)
      } catch { return }
      await pause.wait()
    }
  }

  /// No more progress: ``pump()`` writes the newest, if it has not yet, and returns. It waits out no interval.
  func finish() {
    progress.finish()
    pause.end()
  }

  /// Writes the last line. A cancelled task still gets it out, if the client takes it at once.
  func end(_ line: LinePieces) async {
    guard Task.isCancelled else {
      for piece in line { guard (try? await stream.write(piece)) != nil else { return } }
      return
    }
    await cleanUp {
      for piece in line {
        guard (try? await stream.write(piece, deadline: .after(Self.lastLineTimeout))) != nil else { return }
      }
    }
  }
}
