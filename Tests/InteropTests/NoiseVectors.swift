import Noise
import Primitives
import Session
import Wire

/// `noise.json`: the handshakes of links and pairings, and what follows them.
enum NoiseVectors: VectorKind {
  static let file = "noise"
  static let section = "4"
  static let about =
    "Noise. `handshake`: both sides with fixed keys, three messages, and transport messages after them. `receive`: one side; the last message that comes to it is refused."

  /// One of the two patterns, as a case names it.
  private struct Setting {
    let pattern: NoiseHandshake.Pattern
    let name: String
    let prologue: [UInt8]
    let payloads: [[UInt8]]
  }

  private static let link = Setting(pattern: .xk, name: "XK", prologue: Array("pawl/1 link".utf8), payloads: [[], [], []])
  private static let pairing = Setting(
    pattern: .xkpsk3, name: "XKpsk3", prologue: Array("pawl/1 pair".utf8),
    payloads: [(0..<16).map { 0x70 + $0 }, [], Array("an introduction".utf8)])

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let random = recorder.crypto(seed: 401).randomness
    let good = try [link, pairing].map { setting in
      var vector = VectorCase(
        setting.name == "XK" ? "a link" : "a pairing", "Noise_\(setting.name)_25519_ChaChaPoly_SHA256.", op: "handshake"
      ).text("pattern", setting.name).hex("prologue", setting.prologue).hex("initiator static", random.bytes(32))
        .hex("initiator ephemeral", random.bytes(32)).hex("responder static", random.bytes(32))
        .hex("responder ephemeral", random.bytes(32))
      if setting.name == "XKpsk3" { vector = vector.hex("psk", random.bytes(32)) }
      let run = try run(vector.hexes("payloads", setting.payloads), plaintexts: plaintexts)
      return vector.hexes("payloads", setting.payloads).hexes("messages", run.messages).parts("transport", run.transport)
        .expect(.ok)
    }
    return try good + good.flatMap { try refusals(of: $0) }
  }

  /// Who sends, and what.
  private static let plaintexts: [(fromInitiator: Bool, [UInt8])] = [
    (false, [0x04]), (true, [0x04]), (true, Array("second".utf8)), (false, []), (true, [UInt8](repeating: 0x55, count: 300)),
  ]

  // MARK: - Running

  private static func pattern(_ vector: VectorCase) throws -> NoiseHandshake.Pattern {
    switch try vector.text("pattern") {
    case "XK": .xk
    case "XKpsk3": .xkpsk3
    case let other: throw Mismatch(description: "the pattern \(other) is unknown")
    }
  }

  /// One side of a case's handshake.
  private static func side(_ vector: VectorCase, initiator: Bool) throws -> NoiseHandshake {
    let name = initiator ? "initiator" : "responder"
    let own = try X25519.PrivateKey(SecretBytes(copying: try vector.hex("\(name) static")))
    let psk = vector.has("psk") ? SecretBox(SecretBytes(copying: try vector.hex("psk"))) : nil
    let role: NoiseHandshake.Role
    if !initiator {
      role = .responder
    } else if vector.has("responder public") {
      role = .initiator(remoteStatic: try X25519.PublicKey(try vector.hex("responder public")))
    } else {
      role = .initiator(remoteStatic: try publicKey(of: vector.hex("responder static")))
    }
    return NoiseHandshake(
      try pattern(vector), role: role, prologue: try vector.hex("prologue"), staticKey: own, psk: psk,
      randomness: Tape([try vector.hex("\(name) ephemeral")]).randomness)
  }

  private static func publicKey(of secret: [UInt8]) throws -> X25519.PublicKey {
    try X25519.PrivateKey(SecretBytes(copying: secret)).publicKey
  }

  private static func run(
    _ vector: VectorCase, plaintexts: [(fromInitiator: Bool, [UInt8])]
  ) throws -> (messages: [[UInt8]], transport: [VectorCase]) {
    var left = try side(vector, initiator: true)
    var right = try side(vector, initiator: false)
    var messages: [[UInt8]] = []
    for (index, payload) in try vector.hexes("payloads").enumerated() {
      let isFirst = index != 1
      let message = try isFirst ? left.writeMessage(payload: payload) : right.writeMessage(payload: payload)
      let read = try isFirst ? right.readMessage(message) : left.readMessage(message)
      try insist(read == payload, "message \(index + 1) brings another payload")
      messages.append(message)
    }
    try insist(try right.remoteStatic == publicKey(of: vector.hex("initiator static")), "another initiator")
    var from = try left.split()
    var to = try right.split()
    var transport: [VectorCase] = []
    for (fromInitiator, plaintext) in plaintexts {
      let message = try fromInitiator ? from.encrypt(plaintext) : to.encrypt(plaintext)
      let read = try fromInitiator ? to.decrypt(message) : from.decrypt(message)
      try insist(read == plaintext, "another plaintext")
      transport.append(
        VectorCase().text("from", fromInitiator ? "initiator" : "responder").hex("plaintext", plaintext).hex("message", message)
      )
    }
    return (messages, transport)
  }

  // MARK: - Refusals

  private static func refusals(of good: VectorCase) throws -> [VectorCase] {
    let name = try good.text("pattern")
    let messages = try good.hexes("messages")
    let transport = try good.parts("transport")
    let zero = [UInt8](repeating: 0, count: 32)
    func bad(
      _ title: String, _ about: String, at side: String, _ messages: [[UInt8]], _ change: (VectorCase) -> VectorCase = { $0 }
    ) -> VectorCase {
      change(good.renamed("\(name): \(title)", about).text("op", "receive").text("side", side).without("transport", "expect"))
        .hexes("messages", messages).expect(.refused)
    }
    let sent = try transport.filter { try $0.text("from") == "initiator" }.map { try $0.hex("message") }
    var cases = [
      bad("a flipped bit in message 1", "In its tag.", at: "responder", [flipped(messages[0], at: -1)]),
      bad("another ephemeral key in message 1", "One bit.", at: "responder", [flipped(messages[0], at: 0)]),
      bad("an ephemeral key of low order", "Zero.", at: "responder", [zero + messages[0][32...]]),
      bad("message 1 cut short", "47 bytes.", at: "responder", [Array(messages[0][..<47])]),
      bad("message 1 and a byte", "Part of the payload, which has a tag.", at: "responder", [messages[0] + [0]]),
      bad("a flipped bit in message 2", "In its tag.", at: "initiator", [messages[0], flipped(messages[1], at: -1)]),
      bad("an ephemeral key of low order in message 2", "Zero.", at: "initiator", [messages[0], zero + messages[1][32...]]),
      bad(
        "a flipped bit in the static key", "Of message 3.", at: "responder",
        [messages[0], messages[1], flipped(messages[2], at: 3)]),
      bad(
        "a flipped bit in message 3", "In its last tag.", at: "responder",
        [messages[0], messages[1], flipped(messages[2], at: -1)]),
      bad("another prologue", "The other side has another one.", at: "responder", [messages[0]]) {
        $0.hex("prologue", Array("pawl/2 link".utf8))
      },
      bad("another responder", "The initiator wanted somebody else.", at: "responder", [messages[0]]) {
        $0.hex("responder static", [UInt8](1...32))
      },
      bad(
        "a transport message with a flipped bit", "In its tag.", at: "responder",
        messages + [sent[0], flipped(sent[1], at: -1)]),
      bad("a transport message again", "Its counter has passed.", at: "responder", messages + [sent[0], sent[0]]),
      bad("a transport message before its turn", "The first one is missing.", at: "responder", messages + [sent[1]]),
      bad("a transport message of the other direction", "Our own.", at: "initiator", messages + [sent[0]]),
    ]
    if name == "XKpsk3" {
      cases.append(
        bad("another psk", "It shows in message 3.", at: "responder", messages) { $0.hex("psk", [UInt8](1...32)) })
    }
    return cases
  }

  // MARK: - check

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "handshake":
      let transport = try vector.parts("transport")
      let run = try run(
        vector, plaintexts: try transport.map { (try $0.text("from") == "initiator", try $0.hex("plaintext")) })
      try insist(run.messages == vector.hexes("messages"), "other handshake messages")
      for (recorded, made) in zip(transport, run.transport) { try recorded.same("message", made.hex("message")) }
    case "receive": try receive(vector)
    default: throw try unknownOperation(vector)
    }
  }

  /// Plays one side: its own messages are as recorded, the last of the others' is refused.
  private static func receive(_ vector: VectorCase) throws {
    let isInitiator = try vector.text("side") == "initiator"
    var side = try side(vector, initiator: isInitiator)
    let messages = try vector.hexes("messages")
    for (index, message) in messages.prefix(3).enumerated() {
      if (index != 1) == isInitiator {
        let written = try side.writeMessage(payload: try vector.hexes("payloads")[index])
        try insist(written == message, "another message \(index + 1)")
      } else {
        try read(isLast: index == messages.count - 1) { _ = try side.readMessage(message) }
      }
    }
    guard side.isFinished else { throw Mismatch(description: "nothing is refused") }
    var transport = try side.split()
    for (index, message) in messages.enumerated().dropFirst(3) {
      try read(isLast: index == messages.count - 1) { _ = try transport.decrypt(message) }
    }
  }

  private static func read(isLast: Bool, _ body: () throws -> Void) throws {
    do { try body() } catch {
      guard isLast else { throw Mismatch(description: "an earlier message is refused") }
      throw error
    }
  }
}
