import Primitives
import Wire

@testable import Session

/// `link.json`: the frames of links, and what two nodes tell each other when they pair.
enum FrameVectors: VectorKind {
  static let file = "link"
  static let section = "5"
  static let about =
    "Links. `frame`: one frame and its fields; what is in an envelope, a bundle or an INIT is not looked into. `card` and `introduction`: §4."

  static func make(_ recorder: Recorder) throws -> [VectorCase] { try frames() + badFrames() + cards() + introductions() }

  private static let sid = [UInt8](0x10...0x1F)
  private static let name = [UInt8](0x30...0x3F)

  private static func frame(_ name: String, _ about: String, _ bytes: [UInt8]) -> VectorCase {
    VectorCase(name, about, op: "frame").hex("frame", bytes).number("type", bytes.first ?? 0)
  }

  private static func frames() throws -> [VectorCase] {
    let envelope = [UInt8](repeating: 0xEE, count: 40)
    let counters = [(sid, 7, 0), (name, 0, 1 << 40)].map { sid, committed, seen in
      VectorCase().hex("sid", sid).number("committed", committed).number("seen", seen)
    }
    let most = (0..<64).map { VectorCase().hex("sid", sid).number("committed", $0).number("seen", 0) }
    return try [
      frame("ENVELOPE", "A session, and bytes.", [1] + sid + envelope).hex("sid", sid).hex("envelope", envelope),
      frame("ENVELOPE without one", "It parses; it will not open.", [1] + sid).hex("sid", sid).hex("envelope", []),
      frame("ACK", "A session, and the name of an envelope.", [3] + sid + name).hex("sid", sid).hex("envelope name", name),
      frame("COUNTERS without a session", "A heartbeat.", [4]).parts("counters", []),
      frame("COUNTERS", "Two sessions.", [4] + counters.flatMap { try bytes(ofCounter: $0) }).parts("counters", counters),
      frame("COUNTERS of 64 sessions", "The most.", [4] + most.flatMap { try bytes(ofCounter: $0) }).parts("counters", most),
      frame("BUNDLE_REQ", "A nonce.", [5] + name).hex("nonce", name),
      frame("BUNDLE", "Not looked into.", [6, 1, 2, 3]).hex("bundle", [1, 2, 3]),
      frame("RESET", "A session.", [7] + sid).hex("sid", sid),
      frame("RESET of whatever was started", "Sixteen zeros.", [7] + [UInt8](repeating: 0, count: 16))
        .hex("sid", [UInt8](repeating: 0, count: 16)),
      frame("PAIR_ERR: used", "1.", [9, 1]).number("reason", 1),
      frame("PAIR_ERR: expired", "2.", [9, 2]).number("reason", 2),
      frame("PAIR_ERR: spoilt", "3.", [9, 3]).number("reason", 3),
      frame("PAIR_ERR: clocks", "4, and the inviter's time.", [9, 4, 0, 0, 0, 0, 0x6B, 0x49, 0xD2, 0])
        .number("reason", 4).number("time", 1_800_000_000),
      frame("CLOSE", "One byte.", [0x0A]),
    ].map { $0.expect(.ok) }
  }

  private static func bytes(ofCounter counter: VectorCase) throws -> [UInt8] {
    var writer = ByteWriter()
    writer.append(try counter.hex("sid"))
    writer.u64(try counter.number("committed"))
    writer.u64(try counter.number("seen"))
    return writer.bytes
  }

  private static func badFrames() -> [VectorCase] {
    let counter = sid + [UInt8](repeating: 0, count: 16)
    let counters = (0..<65).flatMap { _ in counter }
    let bad: [(String, String, [UInt8])] = [
      ("no frame", "Not even a type.", []),
      ("type 00", "Unknown.", [0]),
      ("type 0B", "Unknown.", [0x0B]),
      ("type FF", "Unknown.", [0xFF] + sid),
      ("ENVELOPE with half a sid", "8 bytes.", [1] + sid[..<8]),
      ("ENVELOPE that is too long", "53,118 bytes.", [1] + sid + [UInt8](repeating: 0, count: 53_118)),
      ("INIT without anything", "A type.", [2]),
      ("ACK without a name", "A sid alone.", [3] + sid),
      ("ACK and a byte", "Bytes left over.", [3] + sid + name + [0]),
      ("COUNTERS cut in a session", "31 bytes.", [4] + counter.dropLast()),
      ("COUNTERS of 65 sessions", "One too many.", [4] + counters),
      ("BUNDLE_REQ with a short nonce", "15 bytes.", [5] + sid.dropLast()),
      ("BUNDLE_REQ and a byte", "Bytes left over.", [5] + sid + [0]),
      ("RESET without a session", "A type.", [7]),
      ("RESET and a byte", "Bytes left over.", [7] + sid + [0]),
      ("PAIR_ERR 0", "Unknown.", [9, 0]),
      ("PAIR_ERR 4 without a time", "A code alone.", [9, 4]),
      ("PAIR_ERR 4 with a short time", "7 bytes.", [9, 4, 0, 0, 0, 0, 0x6B, 0x49, 0xD2]),
      ("PAIR_ERR 4 and a byte", "Bytes left over.", [9, 4, 0, 0, 0, 0, 0x6B, 0x49, 0xD2, 0, 0]),
      ("PAIR_ERR 1 with a time", "Only 4 has one.", [9, 1, 0, 0, 0, 0, 0x6B, 0x49, 0xD2, 0]),
      ("PAIR_ERR 5", "Unknown.", [9, 5]),
      ("PAIR_ERR without a reason", "A type.", [9]),
      ("CLOSE and a byte", "Bytes left over.", [0x0A, 0]),
    ]
    return bad.map { name, about, bytes in
      VectorCase(name, about, op: "frame").hex("frame", bytes).expect(.malformed)
    }
  }

  private static func cards() throws -> [VectorCase] {
    func good(_ name: String, _ about: String, _ text: String, _ addresses: [(String, UInt16)]) throws -> VectorCase {
      let card = try Card(name: text, addresses: try addresses.map { try PeerAddress(host: $0.0, port: $0.1) })
      return VectorCase(name, about, op: "card").text("node name", text)
        .parts("addresses", addresses.map { VectorCase().text("host", $0.0).number("port", $0.1) }).hex("card", card.encoded)
        .expect(.ok)
    }
    func bad(_ name: String, _ about: String, _ bytes: [UInt8]) -> VectorCase {
      VectorCase(name, about, op: "card").hex("card", bytes).expect(.malformed)
    }
    func named(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) + [0] }
    let studio = Array("studio".utf8)
    return try [
      good("a card", "A name and no address.", "studio", []),
      good(
        "a card with addresses", "Of every kind.", "A9._-z",
        [("192.0.2.7", 7_411), ("2001:db8::7", 1), ("studio.example", 65_535)]),
      good("a card with eight addresses", "The most.", "s", (1...8).map { ("h\($0)", UInt16($0)) }),
      good("a name of 64 bytes", "The longest.", String(repeating: "n", count: 64), []),
      bad("a name of 65 bytes", "Too long.", named(String(repeating: "n", count: 65))),
      bad("a card without a name", "One byte at least.", named("")),
      bad("a card's name that begins with a dot", "A letter or a digit first.", named(".studio")),
      bad("a card's name with a space", "No such character.", named("my studio")),
      bad("a card's name beyond ASCII", "No such character.", named("stüdio")),
      bad(
        "nine addresses on a card", "Eight at most.", [6] + studio + [9] + (0..<9).flatMap { _ in [1, 0x61, 0, 1] as [UInt8] }),
      bad("an address without a port", "Port 0.", [6] + studio + [1, 1, 0x61, 0, 0]),
      bad("a card and a byte", "Bytes left over.", [6] + studio + [0, 0]),
      bad("a card cut short", "No count of addresses.", [6] + studio),
    ]
  }

  private static func introductions() throws -> [VectorCase] {
    let card = try Card(name: "laptop", addresses: [])
    let (record, bundle) = ([UInt8](repeating: 0x11, count: 50), [UInt8](repeating: 0x22, count: 70))
    let bytes = Introduction(record: record, bundle: bundle, card: card).encoded
    func bad(_ name: String, _ about: String, _ bytes: [UInt8]) -> VectorCase {
      VectorCase(name, about, op: "introduction").hex("introduction", bytes).expect(.malformed)
    }
    return [
      VectorCase("an introduction", "Its parts are not looked into.", op: "introduction").hex("introduction", bytes)
        .hex("record", record).hex("bundle", bundle).hex("card", card.encoded).expect(.ok),
      bad("an introduction and a byte", "Bytes left over.", bytes + [0]),
      bad("an introduction cut short", "A byte is missing.", Array(bytes.dropLast())),
      bad(
        "a record that is too long", "5,437 bytes.", [0, 0, 0x15, 0x3D] + [UInt8](repeating: 0, count: 5_437) + bytes[54...]),
    ]
  }

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "frame":
      let bytes = try vector.hex("frame")
      let frame = try LinkFrame(parsing: bytes.span)
      try vector.same("type", frame.type)
      try compare(frame, vector)
      try vector.same("frame", frame.encoded)
    case "card":
      let bytes = try vector.hex("card")
      let card = try Card(parsing: bytes.span)
      try vector.same("node name", card.name)
      let addresses = try vector.parts("addresses").map {
        try PeerAddress(host: try $0.text("host"), port: UInt16(try $0.number("port")))
      }
      try insist(card.addresses == addresses, "other addresses")
      try vector.same("card", Card(name: try vector.text("node name"), addresses: addresses).encoded)
    case "introduction":
      let bytes = try vector.hex("introduction")
      let introduction = try Introduction(parsing: bytes.span)
      try vector.same("record", introduction.record)
      try vector.same("bundle", introduction.bundle)
      try vector.same("card", introduction.card.encoded)
      try vector.same("introduction", introduction.encoded)
    default: throw try unknownOperation(vector)
    }
  }

  private static func compare(_ frame: LinkFrame, _ vector: VectorCase) throws {
    switch frame {
    case .envelope(let id, let envelope):
      try vector.same("sid", id.bytes)
      try vector.same("envelope", envelope)
    case .ack(let id, let name):
      try vector.same("sid", id.bytes)
      try vector.same("envelope name", name.bytes)
    case .counters(let list):
      let recorded = try vector.parts("counters")
      try insist(recorded.count == list.count, "another number of sessions")
      for (part, counters) in zip(recorded, list) {
        try part.same("sid", counters.session.bytes)
        try part.same("committed", counters.committed)
        try part.same("seen", counters.seen)
      }
    case .bundleRequest(let nonce): try vector.same("nonce", nonce)
    case .bundle(let bundle): try vector.same("bundle", bundle)
    case .reset(let id): try vector.same("sid", id.bytes)
    case .pairRefused(let refusal):
      try vector.same("reason", refusal.encoded[0])
      if case .clock(let now) = refusal { try vector.same("time", now) }
    case .close: return
    case .initiation, .pairAccepted: throw Mismatch(description: "these are in other files")
    }
  }
}
