import EventLoop
import Session
import Testing

@testable import Node

/// Which addresses may be dialed, by what they are and by who named them.
@Suite struct AddressScopeTests {
  private func place(_ host: String, _ port: UInt16 = 7411) throws -> SocketAddress {
    try #require(SocketAddress(ip: host, port: port), "\(host)")
  }

  private func address(_ host: String, _ port: UInt16 = 7411) throws -> PeerAddress { try PeerAddress(host: host, port: port) }

  private static let hosts: [(AddressScope?, [String])] = [
    (.loopback, ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]),
    (
      .privateNetwork,
      [
        "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "169.254.0.1",
        "169.254.169.254", "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1",
        "::ffff:10.1.2.3", "::ffff:192.168.7.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1",
      ]
    ),
    (
      .publicNetwork,
      [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
        "169.253.255.255", "169.255.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "192.0.2.1",
        "223.255.255.255", "2001:db8::1", "2600::", "fbff::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "200::1",
      ]
    ),
    (
      nil,
      [
        "0.0.0.0", "0.1.2.3", "0.255.255.255", "255.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "::", "ff02::1",
        "ff00::", "ffff::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "::127.0.0.1", "::10.0.0.1",
        "64:ff9b::", "2002:e000:1::",
      ]
    ),
  ]

  @Test func everyAddressIsOfTheScopeThatItsRangeSays() throws {
    for (scope, hosts) in Self.hosts {
      for host in hosts { #expect(AddressScope(of: try place(host)) == scope, "\(host)") }
    }
  }

  @Test func whatAPeerSaysIsDialedNoNearerThanItsLinkWas() throws {
    let own = OwnListeners(listening: try place("203.0.113.9", 1), interfaces: [])
    let origins: [(AddressOrigin, allowed: [AddressScope])] = [
      (.given, [.loopback, .privateNetwork, .publicNetwork]), (.inherited, [.loopback, .privateNetwork, .publicNetwork]),
      (.told(.loopback), [.loopback, .privateNetwork, .publicNetwork]),
      (.told(.privateNetwork), [.privateNetwork, .publicNetwork]), (.told(.publicNetwork), [.publicNetwork]),
    ]
    for (origin, allowed) in origins {
      // A name is judged by what it stands for now, whatever it stood for before.
      let name = try address("studio.example")
      let text = origin.word.map { "\(name) \($0)" } ?? name.description
      let rules = DialRules(origins: AddressOrigins.read([text]).origins, own: own)
      for (scope, hosts) in Self.hosts {
        let isAllowed = scope.map(allowed.contains) ?? false
        for host in hosts { #expect(rules.permit(try place(host), for: name) == isAllowed, "\(host), \(origin)") }
      }
      #expect(rules.mayKeep(name))
    }
    let stranger = DialRules(origins: AddressOrigins(), own: own)
    #expect(!stranger.permit(try place("192.168.1.1"), for: try address("192.168.1.1")))
    #expect(!stranger.mayKeep(try address("192.168.1.1")))
  }

  @Test func aNodeNeverDialsItsOwnListeners() throws {
    let interfaces = try ["127.0.0.1", "192.168.1.20", "2001:db8::20"].map {
      InterfaceAddress(name: "eth0", address: try place($0, 0), isLoopback: false)
    }
    let everywhere = OwnListeners(listening: try place("::"), interfaces: interfaces)
    for host in ["127.0.0.1", "127.3.2.1", "::1", "192.168.1.20", "2001:db8::20", "::ffff:192.168.1.20", "::ffff:127.0.0.1"] {
      #expect(everywhere.contains(try place(host)), "\(host)")
      #expect(!everywhere.contains(try place(host, 7412)), "\(host)")
    }
    #expect(!everywhere.contains(try place("192.168.1.21")))
    let fixed = OwnListeners(listening: try place("192.168.1.20"), interfaces: interfaces)
    for host in ["192.168.1.20", "::ffff:192.168.1.20"] { #expect(fixed.contains(try place(host)), "\(host)") }
    for host in ["127.0.0.1", "192.168.1.21"] { #expect(!fixed.contains(try place(host)), "\(host)") }
    let home = try address("192.168.1.20")
    #expect(!DialRules(origins: AddressOrigins(given: [home]), own: fixed).permit(try place("192.168.1.20"), for: home))
  }

  @Test func originsAreStoredWithTheAddresses() throws {
    let (given, near, far) = (try address("10.0.0.1"), try address("fd00::1"), try address("studio.example"))
    var origins = AddressOrigins(given: [given])
    origins.note([given, near], toldOver: .privateNetwork)
    origins.note([near, far], toldOver: .publicNetwork)
    let texts = origins.texts(of: [near, given, far])
    #expect(texts == ["[fd00::1]:7411 private", "10.0.0.1:7411 given", "studio.example:7411 public"])
    let read = AddressOrigins.read(texts)
    #expect(read.addresses == [near, given, far])
    #expect(read.origins.texts(of: read.addresses) == texts)
  }

  @Test func addressesThatWereStoredBeforeStayAndUnreadableOnesDoNot() throws {
    let read = AddressOrigins.read(["10.0.0.1:7411", "", "nonsense", "10.0.0.2:7411 somehow", "10.0.0.1:7411 public"])
    #expect(read.addresses == [try address("10.0.0.1"), try address("10.0.0.2")])
    #expect(read.origins.origin(of: try address("10.0.0.1")) == .inherited)
    #expect(read.origins.origin(of: try address("10.0.0.2")) == .told(.publicNetwork))
    #expect(read.origins.texts(of: read.addresses) == ["10.0.0.1:7411", "10.0.0.2:7411 public"])
  }

  @Test func theUsersWordAndTheNearerLinkCountMore() throws {
    let one = try address("192.168.1.7")
    var origins = AddressOrigins.read([one.description]).origins
    origins.note([one], toldOver: .publicNetwork)
    #expect(origins.origin(of: one) == .told(.publicNetwork))
    origins.note([one], toldOver: .privateNetwork)
    origins.note([one], toldOver: .publicNetwork)
    #expect(origins.origin(of: one) == .told(.privateNetwork))
    var users = AddressOrigins(given: [one])
    users.note([one], toldOver: .publicNetwork)
    #expect(users.origin(of: one) == .given)
    users.keep(only: [])
    #expect(users.origin(of: one) == .told(.publicNetwork))
  }

  @Test func oneAttemptConnectsToEightPlacesAtMost() throws {
    let places = DialedPlaces(atMost: Dialler.maximumPlaces)
    let all = try (1...20).map { try #require(SocketAddress(ip: "192.0.2.\($0)", port: 7411)) }
    #expect(places.take(all[0]) && !places.take(all[0]), "none twice")
    #expect(all.count(where: places.take) == 7)
  }
}
