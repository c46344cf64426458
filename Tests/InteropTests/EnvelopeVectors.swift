import Wire

@testable import Primitives
@testable import Session

/// `envelope.json`: one envelope at a time, its keys given.
enum EnvelopeVectors: VectorKind {
  static let file = "envelope"
  static let section = "9"
  static let about =
    "Envelopes. `seal`: from chain keys to bytes, and back; every key on the way. `open`: an envelope that is refused, or whose `seen` says more than was ever `committed`. `pad`: sizes."

  private static let salt = pattern(0x50, 16)
  private static let associatedData = Array("pawl/1 env".utf8) + pattern(0x60, 112)

  private static func pattern(_ start: UInt8, _ count: Int) -> [UInt8] {
    (0..<count).map { start &+ UInt8(truncatingIfNeeded: $0) }
  }

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let crypto = recorder.crypto(seed: 201)
    let keys = LocalRatchetKeys(crypto.randomness)
    let first = recorder.encapsulate(keys.kem.publicKey).ciphertext
    let second = recorder.encapsulate(MLKEM1024.PrivateKey.generate(crypto.randomness).publicKey).ciphertext
    func header(_ number: UInt32, _ encapsulation: RatchetHeader.Encapsulation) -> [UInt8] {
      RatchetHeader.encode(
        dh: keys.dh.publicKey, previousCount: number == 0 ? 0 : 3, number: number,
        kemBlock: RatchetHeader.kemBlock(keys.kem.publicKey, encapsulation))
    }
    let hello = Array(#"{"type":"hello","name":"studio","addresses":[]}"#.utf8)
    let none = header(0, .none)
    var cases = [
      try seal("a header of flag 01", "As in A's first chain.", none) { $0.hex("payload", hello) },
      try seal("a header of flag 02", "As in every later chain.", header(7, .answer(first))) {
        $0.hex("payload", Array(#"{"type":"turned"}"#.utf8)).number("seq", 9).number("seen", 12)
      },
      try seal("a header of flag 03", "As in B's first chain.", header(0, .confirm(first, second))) {
        $0.hex("payload", hello)
      },
      try seal("a short header", "As in a chain that the receiver has acknowledged.", [4, 0, 0, 0, 7]) {
        $0.hex("payload", Array(#"{"type":"turned"}"#.utf8)).number("seq", 9).number("seen", 12)
      },
      try seal("no payload", "JSON of 0 bytes makes 256.", none) { $0.hex("payload", []) },
    ]
    for size in [236, 237, 32_748, 32_749, 49_132] {
      cases.append(
        try seal("\(size) bytes", "At the border of a padded size.", none) {
          $0.content("payload", repeating: Array(#"{"a":1}    "#.utf8), size: size)
        })
    }
    cases += try [0, 1, 235, 236, 237, 492, 493, 1_004, 1_005, 32_748, 32_749, 49_131, 49_132].map { size in
      VectorCase("padding of \(size) bytes", "The size of the plaintext.", op: "pad").number("size", size)
        .number("padded", try Letter(sequence: 1, seen: 0, payload: [UInt8](repeating: 32, count: size)).encoded.count).expect(
          .ok)
    }
    cases.append(
      VectorCase("padding of 49,133 bytes", "More than an envelope holds.", op: "pad").number("size", 49_133).expect(.malformed)
    )
    return cases + bad(good: cases[0], header: none, payload: hello)
  }

  private static func seal(
    _ name: String, _ about: String, _ header: [UInt8], _ payload: (VectorCase) -> VectorCase
  ) throws -> VectorCase {
    let inputs = VectorCase(name, about, op: "seal").hex("CKe", pattern(0x01, 32)).hex("CKp", pattern(0x21, 32))
      .hex("HK", pattern(0x81, 32)).hex("AD", associatedData).hex("salt", salt).hex("header", header).number("seq", 1)
      .number("seen", 0)
    return try outputs(of: payload(inputs)).reduce(payload(inputs)) { $0.hex($1.0, $1.1) }.expect(.ok)
  }

  /// Everything between the inputs and the envelope, from primitives; the envelope from the code under test.
  private static func outputs(of vector: VectorCase) throws -> [(String, [UInt8])] {
    let mke = try mac(vector.hex("CKe"), 1)
    let mkp = try mac(vector.hex("CKp"), 1)
    let prk = HKDF.extract(salt: mkp.span, ikm: mke.span).copyBytes()
    let raw = RawEnvelope(
      salt: try vector.hex("salt"), header: try vector.hex("header"), headerKey: try vector.hex("HK"), messageKey: prk,
      associatedData: [], plaintext: [])
    let (header, message) = (raw.headerMaterial, raw.messageMaterial)
    let chains = ChainKeys(ec: try secret(vector, "CKe"), pq: try secret(vector, "CKp"))
    let stepped = chains.stepped()
    try insist(stepped.messageKey.bytes.copyBytes() == prk, "another message key")
    let tape = Tape([raw.salt])
    let envelope = Envelope.seal(
      header: raw.header, headerKey: try secret(vector, "HK"),
      letter: try Letter(sequence: vector.number("seq"), seen: vector.number("seen"), payload: vector.content("payload")),
      messageKey: stepped.messageKey, associatedData: try vector.hex("AD"), crypto: SessionCrypto(randomness: tape.randomness))
    try tape.finish()
    return [
      ("mk of the EC chain", mke), ("mk of the PQ chain", mkp), ("next CKe", stepped.next.ec.bytes.copyBytes()),
      ("next CKp", stepped.next.pq.bytes.copyBytes()), ("header key", Array(header[..<32])),
      ("header nonce", Array(header[32...])),
      ("prk", prk), ("message key", Array(message[..<32])), ("message nonce", Array(message[32..<44])),
      ("commit", Array(message[44...])), ("envelope", envelope), ("envelope name", try Envelope(parsing: envelope).id.bytes),
    ]
  }

  private static func mac(_ key: [UInt8], _ byte: UInt8) -> [UInt8] {
    HMACSHA256.authenticate(key: SecretBytes(copying: key), message: [byte]).copyBytes()
  }

  private static func secret(_ vector: VectorCase, _ key: String) throws -> SecretBox {
    SecretBox(SecretBytes(copying: try vector.hex(key)))
  }

  private static func bad(good: VectorCase, header: [UInt8], payload: [UInt8]) -> [VectorCase] {
    let bytes = (try? good.hex("envelope")) ?? []
    let prk = (try? good.hex("prk")) ?? []
    let sealed = 20 + header.count + 16
    func raw(header: [UInt8] = header, magic: [UInt8] = [0x01, 0x45], _ plaintext: [UInt8]) -> RawEnvelope {
      RawEnvelope(
        magic: magic, salt: salt, header: header, headerKey: pattern(0x81, 32), messageKey: prk,
        associatedData: associatedData, plaintext: plaintext)
    }
    func plain(
      sequence: UInt64 = 1, seen: UInt64 = 0, length: Int? = nil, padded: Int? = nil
    ) -> [UInt8] {
      RawEnvelope.plaintext(sequence: sequence, seen: seen, payload: payload, length: length, padded: padded)
    }
    func open(_ name: String, _ about: String, _ envelope: [UInt8], _ expected: FailureClass = .refused) -> VectorCase {
      VectorCase(name, about, op: "open").hex("HK", pattern(0x81, 32)).hex("CKe", pattern(0x01, 32)).hex(
        "CKp", pattern(0x21, 32)
      ).hex("AD", associatedData)
        .number("committed", 4).hex("envelope", envelope).expect(expected)
    }
    var dirty = plain()
    dirty[dirty.count - 1] = 1
    let commitment = flipped(Array(bytes[sealed..<sealed + 32]), at: 0)
    return [
      open("an envelope", "The first case above, opened again.", bytes, .ok).hex("header", header).number("seq", 1)
        .number("seen", 0).hex("payload", payload),
      open("all of what was sent is seen", "`seen` is what was committed.", raw(plain(seen: 4)).bytes(), .ok)
        .hex("header", header).number("seq", 1).number("seen", 4).hex("payload", payload),
      open(
        "more is seen than was sent", "The tag is right, but our own state must be old.", raw(plain(seen: 5)).bytes(), .rollback
      ),
      open(
        "another commitment", "The tag is right for it, but it is not the key's.", raw(plain()).bytes(commitment: commitment)),
      open("a flipped bit of the commitment", "It differs before anything is opened.", flipped(bytes, at: sealed)),
      open("a flipped bit of the ciphertext", "The tag.", flipped(bytes, at: sealed + 40)),
      open("a flipped bit of the tag", "The last byte.", flipped(bytes, at: -1)),
      open("a flipped bit of the salt", "Other keys.", flipped(bytes, at: 5)),
      open("a flipped bit of the sealed header", "The header does not open.", flipped(bytes, at: 30)),
      open("another first byte", "02, though all is sealed with it.", raw(magic: [0x02, 0x45], plain()).bytes()),
      open("another second byte", "46, though all is sealed with it.", raw(magic: [0x01, 0x46], plain()).bytes()),
      open("padding that is not zero", "The last byte is 01.", raw(dirty).bytes()),
      open("the next padded size", "512 where 256 would hold it.", raw(plain(padded: 512)).bytes()),
      open("no padding", "A plaintext as long as its content.", raw(plain(padded: 0)).bytes()),
      open("a length beyond the plaintext", "It says 300 bytes.", raw(plain(length: 300)).bytes()),
      open("a length below the content", "What follows is not zero.", raw(plain(length: payload.count - 1)).bytes()),
      open("sequence number 0", "They count from 1.", raw(plain(sequence: 0)).bytes()),
      open("an unknown flag", "04 in the header.", raw(header: replacing(header, at: 40, 4), plain()).bytes()),
      open("a flag without its ciphertext", "02, and no ct768.", raw(header: replacing(header, at: 40, 2), plain()).bytes()),
      open("a header with a byte more", "Bytes left over.", raw(header: header + [0], plain()).bytes()),
      open("an envelope with a short header", "Five bytes.", raw(header: [4, 0, 0, 0, 7], plain()).bytes(), .ok)
        .hex("header", [4, 0, 0, 0, 7]).number("seq", 1).number("seen", 0).hex("payload", payload),
      open("a short header with another flag", "03 before N.", raw(header: [3, 0, 0, 0, 7], plain()).bytes()),
      open("a short header with a byte less", "Three bytes of N.", raw(header: [4, 0, 0, 7], plain()).bytes()),
      open("a short header with a byte more", "Bytes left over.", raw(header: [4, 0, 0, 0, 7, 0], plain()).bytes()),
      open(
        "a header with an unreduced key", "The first coefficient of ek768 is 3,329.",
        raw(header: unreduced(header), plain()).bytes()),
      open("an envelope cut in its header", "Shorter than it says.", Array(bytes[..<600])),
      open("an envelope without a ciphertext", "It ends with the commitment.", Array(bytes[..<(sealed + 32)])),
      open("an envelope with a byte more", "The tag is not the tag.", bytes + [0]),
      open(
        "a header longer than any", "|EH| is 3,898.", Array(bytes[..<18]) + [0x0F, 0x3A] + [UInt8](repeating: 0, count: 4_200)),
      open(
        "an envelope longer than any", "53,118 bytes.", bytes + [UInt8](repeating: 0, count: 53_118 - bytes.count)),
    ]
  }

  private static func replacing(_ bytes: [UInt8], at index: Int, _ byte: UInt8) -> [UInt8] {
    var copy = bytes
    copy[index] = byte
    return copy
  }

  private static func unreduced(_ header: [UInt8]) -> [UInt8] {
    var copy = header
    (copy[41], copy[42]) = (0x01, copy[42] & 0xF0 | 0x0D)
    return copy
  }

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "seal":
      for (key, bytes) in try outputs(of: vector) { try vector.same(key, bytes) }
      try open(vector, committed: .max)
    case "open": try open(vector, committed: try vector.number("committed"))
    case "pad":
      let letter = try Letter(sequence: 1, seen: 0, payload: [UInt8](repeating: 32, count: Int(try vector.number("size"))))
      try vector.same("padded", letter.encoded.count)
    default: throw try unknownOperation(vector)
    }
  }

  private static func open(_ vector: VectorCase, committed: UInt64) throws {
    let bytes = try vector.hex("envelope")
    guard let envelope = try? Envelope(parsing: bytes.span) else { throw Refusal(failure: .refused) }
    let header = try readAndWritten(envelope, try secret(vector, "HK"))
    let chains = ChainKeys(ec: try secret(vector, "CKe"), pq: try secret(vector, "CKp"))
    let letter = try envelope.letter(under: chains.stepped().messageKey, associatedData: try vector.hex("AD"))
    try require(letter.seen <= committed, else: .rollback)
    try vector.same("header", header)
    try vector.same("seq", letter.sequence)
    try vector.same("seen", letter.seen)
    try vector.same("payload", letter.payload)
  }

  /// A header's bytes, made again of what was read from them.
  private static func readAndWritten(_ envelope: Envelope, _ key: SecretBox) throws -> [UInt8] {
    if let header = envelope.shortHeader(under: key) { return header.encoded }
    guard let header = envelope.header(under: key) else { throw Refusal(failure: .refused) }
    let block = RatchetHeader.kemBlock(header.keys.kem, header.encapsulation)
    return RatchetHeader.encode(
      dh: header.keys.dh, previousCount: header.previousCount, number: header.number, kemBlock: block)
  }
}
