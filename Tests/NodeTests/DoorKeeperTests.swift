import Testing

@testable import Node

@Suite struct DoorKeeperTests {
  @Test func noAddressTakesMoreThanItsPlacesAndItsOldestGoesFirst() {
    var door = DoorKeeper()
    for number in 1...8 { #expect(door.arrive(UInt64(number), address: "192.0.2.1", isKnown: false) == .admit) }
    #expect(door.arrive(9, address: "192.0.2.1", isKnown: false) == .admitDropping(1))
    #expect(door.arrive(10, address: "192.0.2.1", isKnown: false) == .admitDropping(2))
    #expect(door.count == DoorKeeper.maximumPerAddress)
    #expect(door.arrive(11, address: "192.0.2.2", isKnown: false) == .admit)
  }

  @Test func aPlaceIsFreeAgainOnceItsGuestHasLeft() {
    var door = DoorKeeper()
    for number in 1...8 { _ = door.arrive(UInt64(number), address: "192.0.2.1", isKnown: false) }
    door.leave(3)
    #expect(door.arrive(9, address: "192.0.2.1", isKnown: false) == .admit)
    door.leave(77)
    #expect(door.count == 8)
  }

  @Test func strangersPushOutTheOldestStrangerAndLeaveTheReservedPlacesFree() {
    var door = DoorKeeper()
    let strangers = DoorKeeper.maximumUnauthenticated - DoorKeeper.reservedForKnown
    for number in 1...strangers {
      #expect(door.arrive(UInt64(number), address: "192.0.2.\(number)", isKnown: false) == .admit)
    }
    #expect(door.arrive(1_000, address: "198.51.100.1", isKnown: false) == .admitDropping(1))
    #expect(door.arrive(1_001, address: "198.51.100.2", isKnown: false) == .admitDropping(2))
    for number in 1...DoorKeeper.reservedForKnown {
      #expect(door.arrive(UInt64(2_000 + number), address: "203.0.113.\(number)", isKnown: true) == .admit)
    }
    #expect(door.count == DoorKeeper.maximumUnauthenticated)
  }

  @Test func aKnownAddressTakesAStrangersPlaceWhenAllAreTaken() {
    var door = DoorKeeper()
    for number in 1...48 { _ = door.arrive(UInt64(number), address: "192.0.2.\(number)", isKnown: false) }
    for number in 49...64 { _ = door.arrive(UInt64(number), address: "203.0.113.\(number)", isKnown: true) }
    #expect(door.arrive(65, address: "203.0.113.200", isKnown: true) == .admitDropping(1))
    #expect(door.count == DoorKeeper.maximumUnauthenticated)
  }

  @Test func aStrangerNeverPushesOutAKnownAddress() {
    var door = DoorKeeper()
    for number in 1...64 { _ = door.arrive(UInt64(number), address: "203.0.113.\(number)", isKnown: true) }
    #expect(door.arrive(65, address: "192.0.2.1", isKnown: false) == .refuse)
    #expect(door.count == DoorKeeper.maximumUnauthenticated)
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
    var door = DoorKeeper()
    for number in 1...8 { _ = door.arrive(UInt64(number), address: "2001:db8::\(number)", isKnown: false) }
    #expect(door.arrive(9, address: "2001:db8::ffff:1", isKnown: false) == .admitDropping(1))
    #expect(door.arrive(10, address: "2001:db8:0:1::1", isKnown: false) == .admit)
  }
}
