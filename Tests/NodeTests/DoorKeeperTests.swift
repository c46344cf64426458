import Testing

@testable import Node

@Suite struct DoorKeeperTests {
  private func full(_ host: (Int) -> String = { "192.0.2.\($0)" }, known: Bool = false) -> DoorKeeper {
    var door = DoorKeeper()
    for number in 1...DoorKeeper.maximumUnauthenticated {
      #expect(door.arrive(UInt64(number), address: host(number), isKnown: known) == .admit)
    }
    return door
  }

  @Test func whileThereIsRoomOneAddressMayHoldMoreThanItsShare() {
    var door = full { _ in "192.0.2.1" }
    #expect(door.count == 64)
    #expect(door.arrive(65, address: "192.0.2.1", isKnown: false) == .admitDropping(1))
    #expect(door.count == 64)
  }

  @Test func aCrowdedAddressMakesRoomForEveryoneElse() {
    var door = full { $0 <= 40 ? "192.0.2.\($0)" : "198.51.100.1" }
    #expect(door.arrive(65, address: "203.0.113.1", isKnown: false) == .admitDropping(41))
    #expect(door.arrive(66, address: "198.51.100.1", isKnown: true) == .admitDropping(42))
    for number in 67...81 { _ = door.arrive(UInt64(number), address: "203.0.113.\(number)", isKnown: false) }
    // It is down to its share: now the oldest of all goes.
    #expect(door.arrive(100, address: "203.0.113.200", isKnown: false) == .admitDropping(1))
  }

  @Test func aPlaceIsFreeAgainOnceItsGuestHasLeft() {
    var door = full()
    door.leave(3)
    #expect(door.arrive(65, address: "192.0.2.1", isKnown: false) == .admit)
    door.leave(77)
    #expect(door.count == 64)
  }

  @Test func addressesOfPeersAreDroppedAfterAllOthers() {
    var door = full { "192.0.2.\($0)" }
    for number in 65...128 {
      #expect(
        door.arrive(UInt64(number), address: "203.0.113.\(number)", isKnown: true) == .admitDropping(UInt64(number - 64)))
    }
    #expect(door.arrive(129, address: "192.0.2.200", isKnown: false) == .refuse)
    #expect(door.arrive(130, address: "203.0.113.250", isKnown: true) == .admitDropping(65))
    #expect(door.count == DoorKeeper.maximumUnauthenticated)
  }

  @Test func whoHasShownTheLinkKeyIsNeverDroppedForSomebodyWhoHasNot() {
    var door = DoorKeeper()
    var generator = SeededGenerator(1)
    for number in 1...32 {
      _ = door.arrive(UInt64(number), address: "192.0.2.1", isKnown: false)
      #expect(door.greet(UInt64(number), using: &generator) == .admit)
    }
    for number in 33...10_000 { _ = door.arrive(UInt64(number), address: "192.0.2.1", isKnown: true) }
    for number in 1...32 { #expect(door.contains(UInt64(number))) }
    #expect(door.count == DoorKeeper.maximumUnauthenticated)
  }

  @Test func thoseWithTheLinkKeyHoldHalfOfThePlacesAndOneOfThemGoesAtRandom() {
    var generator = SeededGenerator(2)
    var dropped: Set<UInt64> = []
    for _ in 0..<400 {
      var door = DoorKeeper()
      for number in 1...32 {
        _ = door.arrive(UInt64(number), address: "192.0.2.\(number)", isKnown: true)
        _ = door.greet(UInt64(number), using: &generator)
      }
      _ = door.arrive(33, address: "198.51.100.1", isKnown: false)
      guard case .admitDropping(let number) = door.greet(33, using: &generator) else {
        Issue.record("somebody has to go")
        return
      }
      #expect(number != 33 && !door.contains(number) && door.contains(33) && door.count == 32)
      dropped.insert(number)
    }
    #expect(dropped == Set(1...32), "any of them, each as likely as the others")
  }

  @Test func ofThoseWithTheLinkKeyACrowdedAddressLosesFirst() {
    var generator = SeededGenerator(3)
    var door = DoorKeeper()
    for number in 1...32 {
      _ = door.arrive(UInt64(number), address: number <= 23 ? "192.0.2.\(number)" : "198.51.100.1", isKnown: false)
      _ = door.greet(UInt64(number), using: &generator)
    }
    for number in 33...200 {
      _ = door.arrive(UInt64(number), address: "198.51.100.1", isKnown: false)
      _ = door.greet(UInt64(number), using: &generator)
    }
    for number in 1...23 { #expect(door.contains(UInt64(number))) }
  }

  @Test func whoWasDroppedOrGreetsTwiceGetsNoFurther() {
    var generator = SeededGenerator(4)
    var door = full()
    _ = door.arrive(65, address: "192.0.2.65", isKnown: false)
    #expect(door.greet(1, using: &generator) == .refuse)
    #expect(door.greet(65, using: &generator) == .admit)
    #expect(door.greet(65, using: &generator) == .refuse)
  }

  @Test(arguments: [
    ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("::FFFF:192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2/64"), ("2001:db8:1:2::9", "2001:db8:1:2/64"), ("2001:DB8:1:2::", "2001:db8:1:2/64"),
    ("2001:db8::1", "2001:db8:0:0/64"), ("::1", "0:0:0:0/64"), ("fe80::1%eth0", "fe80:0:0:0/64"),
  ])
  func addressesOfOneCustomerCountAsOne(address: String, network: String) {
    #expect(DoorKeeper.network(of: address) == network)
  }

  @Test func oneCustomersIPv6AddressesShareTheirPlaces() {
    var door = full { $0 <= 50 ? "192.0.2.\($0)" : "2001:db8::\($0)" }
    #expect(door.arrive(65, address: "2001:db8:0:1::1", isKnown: false) == .admitDropping(51))
  }

  @Test func answersAreBoundedInASecondAndComeBackWithTime() {
    var budget = AnswerBudget()
    func spent(at now: Duration) -> Int { (0..<1_000).count { _ in budget.spend(at: now) } }
    #expect(spent(at: .seconds(5)) == AnswerBudget.burst)
    #expect(spent(at: .seconds(5)) == 0)
    #expect(spent(at: .milliseconds(5_100)) == 20)
    #expect(spent(at: .seconds(4)) == 0)
    #expect(spent(at: .seconds(3_600)) == AnswerBudget.burst)
  }
}

/// A small generator for the choices a test makes.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
