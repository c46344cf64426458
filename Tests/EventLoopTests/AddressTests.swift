import EventLoop
import Testing

struct AddressTests {
  @Test func addressesAreWrittenAsPeopleWriteThem() throws {
    #expect(try #require(SocketAddress(ip: "127.0.0.1", port: 80)).description == "127.0.0.1:80")
    #expect(try #require(SocketAddress(ip: "2001:DB8:0::1", port: 7411)).description == "[2001:db8::1]:7411")
    #expect(try #require(SocketAddress(ip: "::", port: 0)).withPort(5).description == "[::]:5")
    #expect(try #require(SocketAddress(ip: "fe80::1%lo", port: 1)).host == "fe80::1%lo")
  }

  @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", ":::", "1.2.3.4\0", " 1.2.3.4"])
  func whatIsNoNumericAddressIsNone(text: String) {
    #expect(SocketAddress(ip: text, port: 1) == nil)
  }

  @Test func kindsOfAddressesAreKnown() throws {
    func address(_ ip: String) throws -> SocketAddress { try #require(SocketAddress(ip: ip, port: 1)) }
    #expect(try address("127.9.9.9").isLoopback)
    #expect(try address("::1").isLoopback)
    #expect(try !address("::2").isLoopback)
    #expect(try address("169.254.3.4").isLinkLocal)
    #expect(try address("fe80::1").isLinkLocal)
    #expect(try address("febf::1").isLinkLocal)
    #expect(try !address("fec0::1").isLinkLocal)
    #expect(try !address("10.0.0.1").isLinkLocal)
    #expect(try address("0.0.0.0").isWildcard)
    #expect(try address("::").isWildcard)
    #expect(try address("::1").isIPv6)
    #expect(try address("1.2.3.4").addressBytes == [1, 2, 3, 4])
  }

  @Test func theMachinesOwnAddressesEndWithLoopback() {
    let all = NetworkInterfaces.addresses()
    #expect(all.contains { $0.isLoopback && $0.address.host == "127.0.0.1" })
    let ranks = all.map { $0.isLoopback ? 2 : $0.isLinkLocal ? 1 : 0 }
    #expect(ranks == ranks.sorted())
    #expect(all.allSatisfy { $0.address.port == 0 && !$0.name.isEmpty && !$0.address.isWildcard })
  }

  @Test func errorsSayWhatHappenedToWhat() {
    let error = LoopError(.addressInUse, "listen 127.0.0.1:80")
    #expect(error.description == "listen 127.0.0.1:80: already in use")
    #expect(error == LoopError(.addressInUse, "elsewhere"))
    #expect(error != LoopError(.refused, "listen 127.0.0.1:80"))
    #expect(TimeoutError().description == "timed out")
  }
}
