import Primitives
import Testing
import Wire

@testable import Session

@Suite struct TicketTests {
  private func ticket(_ addresses: [String] = ["192.0.2.1:7411", "[2001:db8::1]:7411", "studio.example:80"]) throws -> Ticket {
    let party = try Party(seed: 5)
    return try Ticket.mint(
      for: party.identity, addresses: try addresses.map { try PeerAddress($0) }, expires: epoch + 900,
      randomness: party.crypto.randomness)
  }

  private func failure(_ text: String) -> TicketError.Code? {
    do throws(TicketError) {
      _ = try Ticket(text)
      return nil
    } catch {
      return error.code
    }
  }

  @Test func aTicketIsReadBackWhateverTheCaseAndTheSpaceAroundIt() throws {
    let ticket = try ticket()
    #expect(ticket.text.hasPrefix("pawl1"))
    for text in [ticket.text, ticket.text.uppercased(), " \t\n\(ticket.text)\r\n"] {
      let read = try Ticket(text)
      #expect(read.bytes == ticket.bytes)
      #expect(read.id == ticket.id)
      let hasSamePSK = read.psk.bytes.isEqual(to: ticket.psk.bytes)
      #expect(hasSamePSK)
      #expect(read.addresses == ticket.addresses)
      #expect(read.node == ticket.node)
      #expect(read.expires == epoch + 900)
    }
    #expect(ticket.id.count == 16)
    #expect(!ticket.isLongOver(at: epoch + 900 + day - 1))
    #expect(ticket.isLongOver(at: epoch + 900 + day))
  }

  @Test func everyCutOffTicketIsTruncated() throws {
    let text = try ticket().text
    for count in 5..<text.count {
      #expect(failure(String(text.prefix(count))) == .truncated, "cut to \(count) of \(text.count)")
    }
  }

  @Test func everyWrongCharacterIsNoticed() throws {
    let text = Array(try ticket().text)
    for index in 5..<text.count {
      var bad = text
      bad[index] = bad[index] == "a" ? "b" : "a"
      let code = failure(String(bad))
      // A slip in the version, in a length or in the count of addresses shifts what follows it.
      #expect(
        code == .mistyped || code == .truncated || code == .unsupportedVersion && index < 7 || code == .noAddress,
        "character \(index): \(String(describing: code))")
    }
    #expect(failure(String(text.dropLast()) + "!") == .mistyped)
    #expect(failure(String(text) + "a") != nil)
    #expect(failure(String(text) + "aaaaaaaa") == .mistyped)
  }

  @Test func otherTextIsNoTicket() throws {
    for text in ["", "pawl", "hello", "https://example.org", String(repeating: "pawl1", count: 2_000)] {
      #expect(failure(text) == .notATicket)
    }
    #expect(failure("pawl1") == .truncated)
  }

  @Test func aTicketFromANewerProgramSaysSo() throws {
    let ticket = try ticket()
    var bytes = ticket.bytes
    bytes[0] = 2
    #expect(failure("pawl1" + Base32.encode(bytes)) == .unsupportedVersion)
  }

  @Test func aTicketNeedsOneToEightAddresses() throws {
    #expect(throws: TicketError(.noAddress)) { try ticket([]) }
    #expect(throws: TicketError(.tooManyAddresses)) { try ticket(Array(repeating: "192.0.2.1:1", count: 9)) }
    let longest = String(repeating: "a", count: 253) + ":65535"
    let full = try ticket(Array(repeating: longest, count: 8))
    #expect(full.text.utf8.count <= Ticket.maximumTextBytes)
    #expect(try Ticket(full.text).addresses == full.addresses)
  }

  @Test func theSecretAndTheIdFollowTheFormula() throws {
    let ticket = try ticket(["192.0.2.1:7411"])
    let bytes = ticket.bytes
    let secret = Array(bytes[69..<101])
    let open = Array(bytes[..<69]) + Array(bytes[101..<bytes.count - 4])
    var material = HKDF.derive(
      salt: SHA256Hash.hash(open).bytes, ikm: SecretBytes(copying: secret), info: Array("pawl/1 ticket".utf8), count: 48)
    let psk = material.take(32)
    let isSame = ticket.psk.bytes.isEqual(to: psk)
    #expect(isSame)
    #expect(ticket.id == material.takeBytes(16))
    #expect(
      Array(bytes.suffix(4)) == Array(SHA256Hash.hash(Array("pawl/1 ticket sum".utf8) + bytes.dropLast(4)).bytes.prefix(4)))
  }

  @Test(arguments: ["127.0.0.1:1", "[::1]:65535", "host-1.example:80", "a_b:9", "[2001:DB8::192.0.2.1]:7"])
  func anAddressPrintsAsItWasRead(_ text: String) throws {
    #expect(try PeerAddress(text).description == text)
  }

  @Test(arguments: [
    "", "host", "host:", ":80", "host:0", "host:65536", "host:+80", "::1:80", "[::1]", "[host]:80", "ho st:80",
    "host\u{1B}[2J:80", "[fe80::1%eth0]:80", "-x:80", ".x:80", "[1:2]:80", "h:8 0", "host/x:80",
  ])
  func anUnfitAddressIsRefused(_ text: String) {
    #expect(throws: TicketError(.badAddress)) { try PeerAddress(text) }
  }

  @Test func aCardIsReadBackAndUnfitNamesAreRefused() throws {
    let card = try Card(name: "studio-1", addresses: [try PeerAddress("[::1]:1"), try PeerAddress("h:2")])
    let bytes = card.encoded
    #expect(try Card(parsing: bytes.span) == card)
    for name in ["", "-x", ".x", "a b", "ä", String(repeating: "a", count: 65), "a\u{1B}"] {
      #expect(throws: SessionError(.malformed)) { try Card(name: name, addresses: []) }
    }
    for cut in 0..<bytes.count {
      let part = Array(bytes[..<cut])
      #expect(throws: SessionError(.malformed)) { try Card(parsing: part.span) }
    }
    let long = bytes + [0]
    #expect(throws: SessionError(.malformed)) { try Card(parsing: long.span) }
  }
}
