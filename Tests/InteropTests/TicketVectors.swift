import Primitives
import Wire

@testable import Session

/// `ticket.json`: tickets as text and bytes, and what is made of them.
enum TicketVectors: VectorKind {
  static let file = "ticket"
  static let section = "3"
  static let about =
    "Tickets. `read`: the text at a time; its fields, its bytes, and psk and ticket id, in both directions (`canonical` is the text a writer makes)."

  private static let expiry: UInt64 = 1_800_000_900
  private static let now: UInt64 = 1_800_000_000

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let good = try ticket([("192.0.2.7", 7_411)])
    let all: [(String, UInt16)] = [
      ("192.0.2.7", 1), ("2001:db8::7", 65_535), ("a", 7_411), ("studio.example", 443), ("1:2:3:4:5:6:7:8", 9),
      ("::ffff:192.0.2.7", 9), ("under_score-and.dots", 9), ("A9-_.z", 9),
    ]
    let longest = String(repeating: "a123456789.", count: 23)
    var cases = [
      try read("one address", "The least a ticket holds.", good.text, good),
      try read("eight addresses", "The most, with every kind of host.", nil, try ticket(all)),
      try read("a long host", "253 bytes.", nil, try ticket([(longest, 7_411)])),
      try read("capitals", "Readers ignore case.", good.text.uppercased(), good),
      try read("white space around it", "Space, tab, LF, VT, FF and CR.", " \t\r\n" + good.text + "\u{b}\u{c}\r\n ", good),
    ]
    cases.append(cases[0].renamed("a second before its end", "It is not over.").number("now", expiry - 1))
    cases.append(
      cases[0].renamed("at its end", "By the joiner's clock it is over; the inviter's decides.").number("now", expiry))
    cases.append(
      cases[0].renamed("a second less than a day past its end", "The inviter's clock still decides.")
        .number("now", expiry + 86_399))
    cases.append(bad("a day past its end", "Nobody is asked.", good.text, .time).number("now", expiry + 86_400))
    return cases + (try badTexts(good)) + (try badBytes(good)) + (try badAddresses())
  }

  private static func ticket(_ addresses: [(String, UInt16)]) throws -> Ticket {
    try Ticket(
      expires: expiry, linkKey: try X25519.PublicKey(SHA256Hash.hash([1]).bytes),
      node: NodeID(SHA256Hash.hash([2])), secret: SecretBox(SecretBytes(copying: SHA256Hash.hash([3]).bytes)),
      addresses: try addresses.map { try PeerAddress(host: $0.0, port: $0.1) })
  }

  private static func read(_ name: String, _ about: String, _ text: String?, _ ticket: Ticket) throws -> VectorCase {
    VectorCase(name, about, op: "read").text("text", text ?? ticket.text).number("now", now)
      .number("expiry", ticket.expires).hex("link key", ticket.linkKey.bytes).hex("node id", ticket.node.bytes)
      .hex("secret", ticket.secret.bytes.copyBytes())
      .parts("addresses", ticket.addresses.map { VectorCase().text("host", $0.host).number("port", $0.port) })
      .hex("bytes", ticket.bytes).text("canonical", ticket.text).hex("psk", ticket.psk.bytes.copyBytes())
      .hex("ticket id", ticket.id).expect(.ok)
  }

  private static func bad(
    _ name: String, _ about: String, _ text: String, _ expected: FailureClass = .malformed
  ) -> VectorCase {
    VectorCase(name, about, op: "read").text("text", text).number("now", now).expect(expected)
  }

  private static func badTexts(_ good: Ticket) throws -> [VectorCase] {
    let text = good.text
    // 112 bytes end in a digit that carries four spare bits.
    let body = Array(text.dropFirst(5))
    let digits = Array("abcdefghijklmnopqrstuvwxyz234567")
    let last = digits.firstIndex(of: body[body.count - 1]) ?? 0
    let spare = String(text.dropLast()) + String(digits[last | 1])
    return [
      bad("spare bits", "The last digit's spare bits are not zero.", spare),
      bad("an impossible length", "No whole number of bytes has this many digits.", text + String(text.suffix(1))),
      bad("no digit of base32", "1 is none.", String(text.dropLast()) + "1"),
      bad("padding", "There is none.", text + "="),
      bad(
        "a space inside", "White space is passed over around a ticket, not in it.", text.prefix(40) + " " + text.dropFirst(40)),
      bad("a no-break space before it", "It is no white space here.", "\u{a0}" + text),
      bad("no prefix", "The digits alone.", String(text.dropFirst(5))),
      bad("another prefix", "A later form.", "pawl2" + text.dropFirst(5)),
      bad("nothing", "An empty text.", ""),
      bad("the prefix alone", "And no digits.", "pawl1"),
      bad("half of it", "The end is missing.", String(text.prefix(text.count / 2))),
      bad("too long", "A text of 4,097 characters.", "pawl1" + String(repeating: "a", count: 4_092)),
    ]
  }

  /// Bytes that are wrong under a sum that is right.
  private static func badBytes(_ good: Ticket) throws -> [VectorCase] {
    let bytes = Array(good.bytes.dropLast(4))
    var version = bytes
    version[0] = 2
    var none = Array(bytes[..<102])
    none[101] = 0
    var nine = Array(bytes[..<102])
    nine[101] = 9
    let address = Array(bytes[102...])
    nine += (0..<9).flatMap { _ in address }
    var two = bytes
    two[101] = 2
    return [
      bad("a wrong sum", "One bit of the sum is another.", encode(flipped(good.bytes, at: -1))),
      bad("a flipped bit of the secret", "The sum tells.", encode(flipped(good.bytes, at: 80))),
      bad("an unknown version", "02, under a right sum.", summed(version)),
      bad("no address", "n = 0, under a right sum.", summed(none)),
      bad("nine addresses", "n = 9, under a right sum.", summed(nine)),
      bad("an address too few", "n = 2, and one is there.", summed(two)),
      bad("a byte behind the sum", "Bytes left over.", encode(good.bytes + [0])),
      bad("a byte before the sum", "A byte that no address has, under a right sum.", summed(bytes + [0])),
    ]
  }

  private static func badAddresses() throws -> [VectorCase] {
    let head = Array(try ticket([("x", 1)]).bytes.dropLast(4 + 4))
    func one(_ name: String, _ about: String, _ host: [UInt8], port: UInt16 = 7_411) -> VectorCase {
      bad(name, about, summed(head + [UInt8(host.count)] + host + [UInt8(port >> 8), UInt8(port & 0xFF)]))
    }
    func host(_ name: String, _ about: String, _ text: String) -> VectorCase { one(name, about, Array(text.utf8)) }
    return [
      host("an empty host", "A host has a byte at least.", ""),
      one("port 0", "Ports begin at 1.", Array("studio".utf8), port: 0),
      host("a space in a host", "No name has one.", "a b"),
      host("a host with brackets", "They stand outside the host.", "[::1]"),
      host("a host with a scope", "An IPv6 address without scope.", "fe80::1%eth0"),
      host("a host with one colon", "Neither a name nor an IPv6 address.", "studio:80"),
      host("a host with eight colons", "An IPv6 address has seven at most.", "1:2:3:4:5:6:7:8:9"),
      host("letters beside colons", "No digit of an IPv6 address.", "2001:db8::g"),
      host("46 bytes with colons", "An IPv6 address has 45 at most.", "::" + String(repeating: "0", count: 44)),
      host("a dot first", "No name begins with one.", ".studio"),
      host("a hyphen first", "A command would take it for an option.", "-studio"),
      host("a control character", "An escape sequence.", "a\u{1b}[2J"),
      host("letters beyond ASCII", "Names are ASCII here.", "stüdio"),
      one("bytes that are no text", "Not UTF-8.", [0x61, 0xFF]),
      host("254 bytes", "One more than a host may have.", String(repeating: "a", count: 254)),
    ]
  }

  private static func encode(_ bytes: [UInt8]) -> String { Ticket.prefix + Base32.encode(bytes) }

  private static func summed(_ bytes: some Sequence<UInt8>) -> String {
    let bytes = Array(bytes)
    return encode(bytes + SHA256Hash.hash(Array("pawl/1 ticket sum".utf8) + bytes).bytes.prefix(4))
  }

  static func check(_ vector: VectorCase) throws {
    guard try vector.text("op") == "read" else { throw try unknownOperation(vector) }
    let ticket = try Ticket(try vector.text("text"))
    try require(!ticket.isLongOver(at: try vector.number("now")), else: .time)
    try vector.same("expiry", ticket.expires)
    try vector.same("link key", ticket.linkKey.bytes)
    try vector.same("node id", ticket.node.bytes)
    try vector.same("secret", ticket.secret.bytes.copyBytes())
    let addresses = try vector.parts("addresses").map {
      try PeerAddress(host: try $0.text("host"), port: UInt16(try $0.number("port")))
    }
    try insist(addresses == ticket.addresses, "other addresses")
    let written = try Ticket(
      expires: try vector.number("expiry"), linkKey: try X25519.PublicKey(try vector.hex("link key")), node: ticket.node,
      secret: SecretBox(SecretBytes(copying: try vector.hex("secret"))), addresses: addresses)
    for made in [ticket, written] {
      try vector.same("bytes", made.bytes)
      try vector.same("canonical", made.text)
      try vector.same("psk", made.psk.bytes.copyBytes())
      try vector.same("ticket id", made.id)
    }
  }
}
