internal import EventLoop
internal import Logging
internal import Session
internal import Store

extension Peer {
  /// Keeps one link up for as long as the peer is paired: dials at once, then ever more slowly, and at once again when
  /// somebody needs the peer or a link was lost.
  ///
  /// A link counts once something was heard on it. Who has revoked us takes the handshake to its end before it closes, and is
  /// not to be dialled without a pause.
  func keepLinked() async {
    while !isStopped, !Task.isCancelled {
      if links.isEmpty, !addresses.isEmpty, !isTurnedAway, !isPaused { await dialOnce() }
      isTurnedAway = false
      let wait: Duration? = links.isEmpty ? backoff.next(jitter: Double.random(in: 0...1)) : nil
      await nudge.wait(atMost: wait)
    }
  }

  /// One attempt over all addresses.
  private func dialOnce() async {
    let dialler = Dialler(context: context, preamble: .link, remoteKey: record.linkKey, psk: nil, firstPayload: [])
    do {
      let answer = try await dialler.dial(addresses)
      guard !isStopped else {
        await answer.driver.abandon()
        return
      }
      let connection = try await answer.driver.complete(payload: [])
      attach(Link(number: LinkNumber.next(), connection: connection, dialled: answer.address, isAccepted: false))
    } catch {
      context.peerLog.note(.debug, "not reached", peer: row.alias)
    }
  }
}

/// Numbers for links, unique within the process.
enum LinkNumber {
  private static let last = Locked<UInt64>(0)
  static func next() -> UInt64 {
    last.withLock {
      $0 += 1
      return $0
    }
  }
}

/// Lets one task sleep until a time or until it is wanted.
actor Nudge {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  private var sleeper: CheckedContinuation<Void, Never>?
  private var wasFired = false

  init(loop: EventLoop) { self.loop = loop }

  /// Ends the wait that is under way, or the next one.
  func fire() {
    if let sleeping = sleeper.take() { sleeping.resume() } else { wasFired = true }
  }

  /// Waits until fired, at most so long; nil waits without limit.
  func wait(atMost time: Duration?) async {
    if wasFired {
      wasFired = false
      return
    }
    let timer = time.map { time in
      Task {
        if (try? await loop.sleep(for: time)) != nil { self.fire() }
      }
    }
    await withCheckedContinuation { sleeper = $0 }
    timer?.cancel()
  }
}
