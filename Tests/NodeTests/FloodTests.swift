import EventLoop
import Foundation
import Logging
import Session
import Testing
import Transfer

@testable import Node

/// A paired peer that sends as much nonsense as it can.
@Suite(.timeLimit(.minutes(5))) struct FloodTests {
  /// Keeps log lines for a test.
  struct KeptLog: LogHandler {
    final class Lines: Sendable {
      let all = Locked<[String]>([])
    }

    let lines: Lines
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let line = "\(event.level) \(event.message) \(event.metadata ?? [:])"
      lines.all.withLock { $0.append(line) }
    }
  }

  /// Processor seconds of the threads of that name.
  private static func processorSeconds(ofThread name: String) -> Double {
    var ticks = 0.0
    for task in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? [] {
      guard let stat = try? String(contentsOfFile: "/proc/self/task/\(task)/stat", encoding: .utf8), stat.contains("(\(name))")
      else { continue }
      let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
      ticks += (Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)
    }
    return ticks / 100
  }

  private static func isAnswered(_ peer: ForgedPeer) async -> Bool {
    await peer.heard.contains { message in
      guard case .catalog = message else { return false }
      return true
    }
  }

  @Test func aFloodOfGarbageEndsItsLinkAndIsAFewLinesOfLog() async throws {
    try await withHouse { house in
      let kept = KeptLog.Lines()
      let studio = try await house.start("studio", logger: Logger(label: "studio") { _ in KeptLog(lines: kept) })
      let mallory = try await house.forge("mallory", at: studio)
      let session = try #require(await mallory.session)
      let garbage = LinkFrame.envelope(session, [1, 0x45] + pattern(16) + [0, 100] + pattern(100) + pattern(400)).encoded
      let before = Self.processorSeconds(ofThread: "test.studio")
      var (sent, links) = (0, 0)
      let deadline = Deadline.after(.seconds(5))
      while !deadline.isPast {
        if await mallory.isCut, (try? await mallory.relink()) != nil { links += 1 }
        for _ in 0..<50 where (try? await mallory.push(garbage)) != nil { sent += 1 }
        try await house.loop.sleep(for: .milliseconds(1))
      }
      let seconds = Self.processorSeconds(ofThread: "test.studio") - before
      let lines = kept.all.withLock { $0 }
      let bytes = lines.reduce(0) { $0 + $1.utf8.count }
      #expect(lines.count < 30, "\(bytes) bytes after \(sent) frames on \(links) links, \(seconds) s")
      #expect(lines.contains { $0.contains("an envelope does not open") })
      #expect(lines.contains { $0.contains("of no use") }, "the link was closed for it")
      // When its pause is over, the peer is a peer again.
      try await eventually(within: .seconds(40), "it is let in again", on: house.loop) {
        if await mallory.isCut { try? await mallory.relink() }
        try? await mallory.say(.catalogRequest(.init(request: 1)))
        return await Self.isAnswered(mallory)
      }
      await studio.stop()
      let end = kept.all.withLock { $0 }
      #expect(end.contains { $0.contains("an envelope does not open: and ") }, "what was held back is told at the end")
    }
  }

  @Test func aPeerThatIsPausedIsNotLetInByDiallingAgain() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let mallory = try await house.forge("mallory", at: studio)
      let peer = try await studio.node.peer(alias: "mallory")
      for _ in 0..<40 { try? await mallory.push(LinkFrame.bundle(pattern(100)).encoded) }
      try await eventually("the link is closed", on: house.loop) { await peer.links.isEmpty }
      #expect(await peer.conduct.pausedUntil > .zero)
      // A second is over before a busy machine has looked.
      await peer.lengthenPause()
      try? await mallory.relink()
      try await eventually("the next one too", on: house.loop) { await mallory.isCut }
      #expect(await peer.links.isEmpty)
    }
  }

  /// Whoever used a ticket may repeat the pairing: that must not be a way around the pause, nor cost signatures without end.
  @Test func aPairingThatIsRepeatedEndsNoPauseAndHasABudget() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let invitation = try await studio.node.invite(alias: "mallory", lifeSeconds: 600, addresses: [])
      let mallory = try await ForgedPeer.pair(with: invitation.text, as: "mallory", on: house.loop)
      house.atTheEnd { await mallory.close() }
      var answered = 0
      for _ in 0..<20 {
        guard
          let again = try? await ForgedPeer.pair(
            with: invitation.text, as: "mallory", identity: mallory.identity, on: house.loop)
        else { continue }
        answered += 1
        await again.close()
      }
      #expect((1...12).contains(answered), "\(answered) were answered")
      await (try await studio.node.peer(alias: "mallory")).lengthenPause()
      let late = try? await ForgedPeer.pair(
        with: invitation.text, as: "mallory", identity: mallory.identity, on: house.loop)
      await late?.close()
      #expect(late == nil)
      #expect(try await studio.node.peer(alias: "mallory").isPaused)
    }
  }

  @Test func whatAPeerSendsAgainOfALostSessionEndsNoLink() async throws {
    try await withHouse { house in
      let studio = try await house.start("studio")
      let laptop = try await house.forge("laptop", at: studio)
      let peer = try await studio.node.peer(alias: "laptop")
      let number = await peer.links.first?.number
      let lost = try #require(SessionID(pattern(16)))
      for index in 0..<1_000 { try await laptop.push(LinkFrame.envelope(lost, pattern(200, seed: index)).encoded) }
      try await laptop.say(.catalogRequest(.init(request: 1)))
      try await eventually("the peer is answered", on: house.loop) {
        await Self.isAnswered(laptop)
      }
      #expect(await peer.links.first?.number == number)
    }
  }
}

extension Peer {
  /// As if a few more of its links had been closed for what they brought.
  fileprivate func lengthenPause() {
    for _ in 0..<6 * LinkConduct.maximumRefused {
      _ = conduct.note(.refused, confirmsSession: false, on: 0, at: MonotonicClock.now)
    }
  }
}
