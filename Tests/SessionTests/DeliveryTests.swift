import Testing

@testable import Session

/// What is promised of a payload that was committed: once within its session; and what comes of it afterwards is said.
@Suite(.timeLimit(.minutes(5))) struct DeliveryTests {
  /// Links and minutes, until both have a session again.
  private func repair(_ simulator: inout Simulator) throws {
    simulator.now += 100
    try simulator.connect()
    try simulator.settle()
    for _ in 0..<4 { try simulator.wait(61) }
    simulator.expectHealthy()
  }

  @Test(arguments: [0, 1]) func whatNobodyCanOpenAnyMoreIsToldForAWeekAlsoAfterRestarts(_ end: Int) throws {
    var simulator = try Simulator(seed: 695)
    try simulator.pair(joiner: 0)
    simulator.cut()
    for text in ["a", "b", "c"] { try simulator.send(text, from: end) }
    try simulator.restart(end)
    #expect(simulator.ends[end].machine.unacknowledged == 3)
    #expect(simulator.ends[end].machine.lostPayloads(at: simulator.now) == nil)
    try simulator.loseSessions(1 - end)
    try repair(&simulator)
    #expect(simulator.ends[1 - end].texts.isEmpty)
    #expect(simulator.ends[end].events.contains { if case .undeliverable(_, count: 3) = $0 { true } else { false } })
    for _ in 0..<2 {
      let lost = try #require(simulator.ends[end].machine.lostPayloads(at: simulator.now))
      #expect(lost.count == 3 && lost.at <= simulator.now)
      #expect(simulator.ends[end].machine.lostPayloads(at: lost.at + 7 * day - 1)?.count == 3)
      #expect(simulator.ends[end].machine.lostPayloads(at: lost.at + 7 * day) == nil)
      try simulator.restart(end)
    }
    #expect(simulator.ends[1 - end].machine.lostPayloads(at: simulator.now) == nil)
    simulator.now += 7 * day
    try simulator.step(end) { try $0.tick(at: $1) }
    #expect(simulator.ends[end].machine.book.lost == LostPayloads())
  }

  @Test func aProcessThatLivesOnLosesNothingWithASession() throws {
    var simulator = try Simulator(seed: 696)
    try simulator.pair(joiner: 0)
    simulator.cut()
    for text in ["a", "b", "c"] { try simulator.send(text, from: 0) }
    try simulator.loseSessions(1)
    try repair(&simulator)
    #expect(simulator.ends[1].texts == ["a", "b", "c"])
    #expect(simulator.ends[0].machine.lostPayloads(at: simulator.now) == nil)
  }

  @Test func theSessionsOwnMessagesAreNoLoss() throws {
    var simulator = try Simulator(seed: 697)
    try simulator.pair(joiner: 0)
    // A turn that is asked for and never arrives.
    try simulator.step(0) { try $0.noteTraffic(bytes: 64 << 20, at: $1) }
    try simulator.restart(0)
    #expect(simulator.ends[0].machine.unacknowledged == 1)
    try simulator.loseSessions(1)
    try repair(&simulator)
    #expect(simulator.ends[0].machine.lostPayloads(at: simulator.now) == nil)
  }

  /// A session was given up, its payloads wait in memory for room in the next one, and there the process ends.
  @Test func whatWaitsInMemoryWhenTheProcessEndsIsToldByTheNext() throws {
    var simulator = try Simulator(seed: 698)
    try simulator.pair(joiner: 0)
    simulator.cut()
    let count = PeerMachine.maximumUnacknowledged
    try simulator.step(0) { machine, now in
      var all = try machine.send(json("text", "0"), at: now)
      for number in 1..<count { all.absorb(try machine.send(json("text", "\(number)"), at: now)) }
      return all
    }
    try simulator.loseSessions(1)
    simulator.now += 100
    try simulator.connect()
    for _ in 0..<10_000 {
      try simulator.deliver(to: 1)
      // What is not acknowledged of the new session takes room from what comes over from the old one.
      simulator.wire[0].removeAll { $0[0] == 0x03 }
      try simulator.deliver(to: 0)
      if simulator.ends[0].machine.isConfirmed, simulator.ends[0].machine.waitingCount > 0 { break }
    }
    let waiting = simulator.ends[0].machine.waitingCount
    #expect(waiting > 0 && simulator.ends[0].machine.isConfirmed)
    try simulator.restart(0)
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].machine.lostPayloads(at: simulator.now)?.count == waiting)
    try repair(&simulator)
    #expect(Set(simulator.ends[1].texts).count == count - waiting && simulator.ends[1].texts.count == count - waiting)
    // Told once: what has become of the others is known.
    try simulator.restart(0)
    try simulator.step(0) { try $0.tick(at: $1) }
    #expect(simulator.ends[0].machine.lostPayloads(at: simulator.now)?.count == waiting)
  }

  @Test func anOldHelloDoesNotComeAfterThatOfTheNewSession() throws {
    var simulator = try Simulator(seed: 699)
    try simulator.pair(joiner: 0)
    simulator.cut()
    func hello(_ name: String) -> [UInt8] { Array(#"{"name":"\#(name)","type":"hello"}"#.utf8) }
    try simulator.step(0) { try $0.send(hello("old"), at: $1) }
    try simulator.send("text", from: 0)
    simulator.ends[0].machine.hello = hello("new")
    try simulator.loseSessions(1)
    simulator.ends[1].delivered = []
    try repair(&simulator)
    #expect(simulator.ends[1].texts == ["text"])
    #expect(simulator.ends[1].delivered.filter { $0.type == "hello" }.map(\.payload) == [hello("new")])
  }
}
