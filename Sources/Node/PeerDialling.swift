internal import EventLoop
internal import Logging
internal import Session
internal import Store

extension Peer {
  /// Keeps one link up for as long as the peer is paired. ``Backoff`` alone says when: a nudge only makes it be asked again.
  func keepLinked() async {
    while !isStopped, !Task.isCancelled {
      var wait: Duration?
      if links.isEmpty, !addresses.isEmpty {
        let now = MonotonicClock.now
        let next = max(backoff.next(isWanted: demand > 0), conduct.pausedUntil)
        if next <= now {
          await dialInTurn()
          continue
        }
        wait = next - now
      }
      await nudge.wait(atMost: wait)
    }
  }

  /// A command or a transfer needs the peer from now on. If there is no link, the next attempt comes sooner.
  func beginWaiting() async {
    demand += 1
    guard links.isEmpty else { return }
    backoff.hurry(at: MonotonicClock.now)
    await context.dials.hurry(id)
    await nudge.fire()
  }

  /// It needs the peer no longer.
  func endWaiting() { demand -= 1 }

  /// One attempt, as soon as it is this peer's turn and if it is still wanted then.
  private func dialInTurn() async {
    await context.dials.enter(id, isWanted: demand > 0)
    let isDue = max(backoff.next(isWanted: demand > 0), conduct.pausedUntil) <= MonotonicClock.now
    if !isStopped, links.isEmpty, isDue { await dialOnce() }
    await context.dials.leave()
  }

  /// One attempt over all addresses.
  func dialOnce() async {
    backoff.attempted(at: MonotonicClock.now)
    let opened = MonotonicClock.seconds
    let dialler = Dialler(
      context: context, rules: dialRules(), preamble: .link, remoteKey: record.linkKey, psk: nil, firstPayload: [])
    do {
      let answer = try await dialler.dial(addresses)
      guard !isStopped else {
        await answer.driver.abandon()
        return
      }
      let connection = try await answer.driver.complete(payload: [])
      attach(
        Link(number: LinkNumber.next(), connection: connection, dialled: answer.address, opened: opened, isAccepted: false))
    } catch {
      backoff.failed(at: MonotonicClock.now, jitter: Double.random(in: 0...1))
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
      startTask {
        if (try? await loop.sleep(for: time)) != nil { self.fire() }
      }
    }
    await withCheckedContinuation { sleeper = $0 }
    timer?.cancel()
  }
}
