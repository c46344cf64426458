import Primitives
import Testing
import Wire

@testable import Session

@Suite struct HostileInputTests {
  /// Every frame of a conversation, as bytes.
  private func frames() throws -> (simulator: Simulator, frames: [[UInt8]]) {
    var simulator = try Simulator(seed: 500)
    var frames: [[UInt8]] = []
    try simulator.connect()
    try simulator.send("text", from: 0)
    for _ in 0..<50 {
      for end in 0...1 {
        frames += simulator.wire[end]
        while try simulator.deliver(to: end) {}
      }
    }
    return (simulator, frames)
  }

  @Test func mutatedFramesNeitherCrashANodeNorChangeItsSessions() throws {
    var (simulator, frames) = try frames()
    let sessions = simulator.ends.map { $0.store.snapshot.sessions }
    #expect(Set(frames.map { $0[0] }).isSuperset(of: [1, 2, 3, 4, 5, 6]))
    var random = SeededGenerator(500)
    for _ in 0..<3_000 {
      guard var bytes = frames.randomElement(using: &random) else { continue }
      // Counters of a session may say anything: they are the peer's word. The rest must prove itself.
      guard bytes[0] != 4 else { continue }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
      case 1: bytes += (0..<Int.random(in: 1...40, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
      default:
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        }
      }
      guard !bytes.isEmpty, bytes[0] != 4, bytes[0] != 7, let frame = try? LinkFrame(parsing: bytes.span) else { continue }
      try simulator.step(Int.random(in: 0...1, using: &random)) { try $0.receive(frame, at: $1) }
    }
    for end in 0...1 {
      // The machines may have asked each other for fresh sessions; the one they have is as it was.
      #expect(simulator.ends[end].store.snapshot.sessions.filter { $0.id == sessions[end].first?.id } == sessions[end])
    }
  }

  @Test func hostileCountersQuarantineAtMostTheSessionsTheyName() throws {
    var (simulator, _) = try frames()
    let id = try #require(simulator.ends[0].machine.currentSession)
    let other = try #require(SessionID([UInt8](repeating: 1, count: 16)))
    let list = [
      SessionCounters(session: other, committed: .max, seen: .max), SessionCounters(session: id, committed: .max, seen: .max),
      SessionCounters(session: id, committed: 0, seen: 0),
    ]
    try simulator.step(0) { try $0.receive(.counters(list), at: $1) }
    #expect(simulator.ends[0].machine.health == .quarantined)
    try simulator.settle()
    try simulator.wait(61)
    try simulator.wait(61)
    simulator.expectHealthy()
  }

  @Test func storedStateIsReadStrictly() throws {
    let (simulator, _) = try frames()
    let row = try #require(simulator.ends[0].store.snapshot.sessions.first)
    let bytes = try Session(row, of: simulator.ends[0].machine.peer.id).storedBytes
    #expect(try Session(stored: bytes.span).storedBytes == bytes)
    for cut in stride(from: 0, to: bytes.count, by: 13) {
      let part = Array(bytes[..<cut])
      #expect(throws: SessionError(.corruptState)) { try Session(stored: part.span) }
    }
    let long = bytes + [0]
    #expect(throws: SessionError(.corruptState)) { try Session(stored: long.span) }
    #expect(throws: SessionError(.corruptState)) { try PeerBook(stored: [2]) }
    var book = PeerBook()
    for number in 0..<70 {
      let id = try #require(SessionID([UInt8](repeating: UInt8(number), count: 16)))
      book.retire(id)
      #expect(book.retired.count == min(number + 1, PeerBook.maximumRetired))
      #expect(book.retired.last == id)
    }
    #expect(try PeerBook(stored: book.stored) == book)
  }

  @Test func aBudgetRefillsWithTime() {
    var budget = Budget(capacity: 2, refillSeconds: 10)
    let times: [UInt64] = [100, 100, 109, 110, 50, 1_000_000]
    let granted = times.map { budget.spend(at: $0) }
    #expect(granted == [true, true, false, true, false, true])
  }
}
