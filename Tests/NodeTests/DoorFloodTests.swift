import Testing

@testable import Node

/// The doorway under a flood, in simulated time: each run is one seed.
@Suite struct DoorFloodTests {
  /// Connections that come at random moments, many a second, and never finish.
  private struct Flood {
    /// Connections a second.
    let rate: Int
    /// Whether their message 1 verifies.
    let hasLinkKey: Bool
    /// Where they come from.
    let host: String

    /// How often an honest peer has to connect until it is in, with this long between its connection, its message 1 and its
    /// message 3. It tries again at once, at most `limit` times.
    func attempts(seed: UInt64, greets: Int, finishes: Int, limit: Int) -> Int? {
      var door = DoorKeeper()
      var budget = AnswerBudget()
      var generator = SeededGenerator(seed)
      var ends: [(at: Int, number: UInt64)] = []
      var last: UInt64 = 0
      var waiting: [UInt64] = []
      var attempt = 0
      var honest: (number: UInt64, since: Int, answered: Int?)?
      for now in 0..<600_000 {
        while let first = ends.first, first.at <= now {
          door.leave(first.number)
          ends.removeFirst()
        }
        // A thousandth of a second; a flood of more comes in more than one at once.
        for _ in 0..<8 where Int.random(in: 0..<8_000, using: &generator) < rate {
          last += 1
          guard door.arrive(last, address: host, isKnown: true) != .refuse else { continue }
          ends.append((now + 5_000, last))
          guard hasLinkKey else { continue }
          _ = door.greet(last, using: &generator)
          waiting.append(last)
        }
        // Whoever waits for an answer asks for it every 4 to 20 ms.
        waiting.removeAll { number in
          guard door.contains(number) else { return true }
          return Int.random(in: 0..<12, using: &generator) == 0 && budget.spend(at: .milliseconds(now))
        }
        // The flood has filled the doorway before the peer comes.
        guard now > 2_000 else { continue }
        guard let mine = honest else {
          guard attempt < limit else { return nil }
          attempt += 1
          last += 1
          honest = door.arrive(last, address: "192.0.2.1", isKnown: true) == .refuse ? nil : (last, now, nil)
          continue
        }
        guard door.contains(mine.number) else {
          honest = nil
          continue
        }
        if let answered = mine.answered {
          if now >= answered + finishes { return attempt }
        } else if now >= mine.since + greets {
          if now == mine.since + greets { _ = door.greet(mine.number, using: &generator) }
          let asks = now == mine.since + greets || Int.random(in: 0..<12, using: &generator) == 0
          if asks, budget.spend(at: .milliseconds(now)) { honest?.answered = now }
        }
      }
      return nil
    }
  }

  @Test(arguments: [145, 290, 500])
  func strangersOfTheSameAddressDoNotCostAPeerASecondAttempt(rate: Int) {
    let flood = Flood(rate: rate, hasLinkKey: false, host: "192.0.2.1")
    for seed in 0..<10 as Range<UInt64> {
      #expect(flood.attempts(seed: seed, greets: 20, finishes: 300, limit: 1) == 1, "seed \(seed)")
    }
  }

  @Test(arguments: [145, 1_000])
  func whoKnowsTheLinkKeyElsewhereDoesNotCostAPeerASecondAttempt(rate: Int) {
    let flood = Flood(rate: rate, hasLinkKey: true, host: "198.51.100.1")
    for seed in 0..<10 as Range<UInt64> {
      // Above 200 a second the answers are what runs out: that takes a moment.
      #expect(flood.attempts(seed: seed, greets: 20, finishes: 300, limit: 1) == 1, "seed \(seed)")
    }
  }

  @Test func whoKnowsTheLinkKeyAtTheSameAddressCostsAPeerAFewAttempts() {
    let flood = Flood(rate: 145, hasLinkKey: true, host: "192.0.2.1")
    var all = 0
    for seed in 0..<60 as Range<UInt64> {
      let attempts = flood.attempts(seed: seed, greets: 1, finishes: 100, limit: 20)
      #expect(attempts != nil, "seed \(seed)")
      all += attempts ?? 0
    }
    #expect(all < 180, "three attempts are too many on the average: \(all)")
  }
}
