import Artifact
import Wire

@testable import Primitives
@testable import Transfer

/// `stream.json`: what travels on data connections.
enum StreamVectors: VectorKind {
  static let file = "stream"
  static let section = "11"
  static let about =
    "Data connections. `attach`: the message that opens one. `frame`: a grant's key and one frame under it, sealed and opened. `grant`: the frames of one grant in the order in which they come; the last one is what the case is about."

  private static func pattern(_ start: UInt8, _ count: Int) -> [UInt8] {
    (0..<count).map { start &+ UInt8(truncatingIfNeeded: $0) }
  }

  static func make(_ recorder: Recorder) throws -> [VectorCase] { try attaches() + frames() + grants() }

  // MARK: - attach

  private static func attaches() throws -> [VectorCase] {
    let (cid, key) = (pattern(0x10, 16), pattern(0x20, 32))
    guard let connection = ConnectionID(cid) else { return [] }
    let message = [3] + Attach.message(connection: connection, key: SecretBox(SecretBytes(copying: key)))
    let good = VectorCase("an attach message", "The first byte, the connection, its proof.", op: "attach").hex("cid", cid)
      .hex("ckey", key).hex("message", message).expect(.ok)
    func bad(_ name: String, _ about: String, _ message: [UInt8]) -> VectorCase {
      good.renamed(name, about).hex("message", message).expect(.refused)
    }
    return [
      good,
      bad("another connection", "A flipped bit of the cid.", flipped(message, at: 1)),
      bad("a proof with a flipped bit", "The last.", flipped(message, at: -1)),
      bad("half a proof", "16 bytes of it.", Array(message.dropLast(16))),
      bad("a byte behind the proof", "Its length is fixed.", message + [0]),
      good.renamed("another key", "The proof was made with another one.").hex("ckey", pattern(0x21, 32)).expect(.refused),
    ]
  }

  // MARK: - frame

  private static let context = VectorCase().hex("sid", pattern(0x30, 16)).hex("server", pattern(0x40, 32))
    .hex("puller", pattern(0x60, 32)).hex("transfer", pattern(0x80, 16)).hex("gid", pattern(0x90, 16))
    .hex("digest", pattern(0xA0, 32)).hex("secret", pattern(0xC0, 32))

  private static func frames() throws -> [VectorCase] {
    var cases: [VectorCase] = []
    for kind in [0, 1, 2] {
      for aead in [1, 2] {
        let cipher = aead == 1 ? "AES-256-GCM" : "ChaCha20-Poly1305"
        let plaintext = kind == 2 ? pattern(1, 96) : Array("kind \(kind), sealed with \(cipher)".utf8)
        let vector = VectorCase("kind \(kind), \(cipher)", "One frame, whole.", op: "frame").joining(context).number(
          "kind", kind
        )
        .number("aead", aead).number("file", kind == 1 ? 0 : 7).number("chunk", kind == 1 ? 2 : 65_535).hex(
          "plaintext", plaintext)
        cases.append(try vector.hex("key", key(vector)).hex("frame", seal(vector)).expect(.ok))
      }
    }
    let good = cases[0]
    let frame = try good.hex("frame")
    cases.append(try good.renamed("one byte", "The shortest frame.").hex("plaintext", [0xFF]).resealed().expect(.ok))
    func bad(_ name: String, _ about: String, _ change: (VectorCase) -> VectorCase, _ expected: FailureClass = .refused)
      -> VectorCase
    {
      change(good.renamed(name, about).without("plaintext", "key", "expect")).expect(expected)
    }
    cases += [
      bad("a flipped bit of the tag", "The last byte.") { $0.hex("frame", flipped(frame, at: -1)) },
      bad("a flipped bit of the ciphertext", "The first byte.") { $0.hex("frame", flipped(frame, at: 32)) },
      bad("another file", "It is in the nonce and in the associated data.") {
        $0.hex("frame", flipped(frame, at: 23)).number("file", 6)
      },
      bad("another chunk", "As above.") { $0.hex("frame", flipped(frame, at: 31)).number("chunk", 65_534) },
      bad("another grant", "A flipped bit of the gid, in the header and in the key.") {
        $0.hex("frame", flipped(frame, at: 4)).hex("gid", flipped(pattern(0x90, 16), at: 0))
      },
      bad("another length", "One less, and a byte of the ciphertext less.") {
        $0.hex("frame", flipped(Array(frame[..<33] + frame[34...]), at: 3))
      },
      bad("another session", "The key binds it.") { $0.hex("sid", pattern(0x31, 16)) },
      bad("server and puller exchanged", "The key binds who sealed.") {
        $0.hex("server", pattern(0x60, 32)).hex("puller", pattern(0x40, 32))
      },
      bad("another transfer", "The key binds it.") { $0.hex("transfer", pattern(0x81, 16)) },
      bad("another artifact", "The key binds its digest.") { $0.hex("digest", pattern(0xA1, 32)) },
      bad("another kind", "The key binds it.") { $0.number("kind", 2) },
      bad("another cipher", "The key binds it.") { $0.number("aead", 2) },
      bad("another secret", "The key is made of it.") { $0.hex("secret", pattern(0xC1, 32)) },
      bad(
        "a frame without a byte", "Its length is 44.", { $0.hex("frame", [0, 0, 0, 44] + frame[4..<32] + pattern(0, 16)) },
        .malformed),
      bad("a header cut short", "31 bytes.", { $0.hex("frame", Array(frame[..<31])) }, .malformed),
    ]
    return cases
  }

  private static func grant(_ vector: VectorCase, ranges: [ChunkRange] = [], want: Want? = nil) throws -> (
    Grant, SegmentContext
  ) {
    guard let kind = SegmentKind(rawValue: UInt8(try vector.number("kind"))),
      let aead = BulkCipher.Algorithm(rawValue: UInt8(try vector.number("aead"))), let gid = GrantID(try vector.hex("gid")),
      let transfer = TransferID(try vector.hex("transfer")), let session = SegmentSession(try vector.hex("sid")),
      let zero = ConnectionID([UInt8](repeating: 0, count: 16))
    else { throw Mismatch(description: "not a grant") }
    let grant = Grant(
      request: want?.request ?? 0, grant: gid, secret: SecretBox(SecretBytes(copying: try vector.hex("secret"))), kind: kind,
      aead: aead, digest: try Digest(try vector.hex("digest")), transfer: transfer, ranges: ranges,
      connection: want?.connection ?? zero, objectBytes: kind == .manifest ? Int(try vector.number("bytes")) : nil)
    let context = SegmentContext(
      session: session, server: try Digest(try vector.hex("server")), puller: try Digest(try vector.hex("puller")))
    return (grant, context)
  }

  private static func cipher(_ vector: VectorCase) throws -> SegmentCipher {
    let vector = vector.has("bytes") ? vector : vector.number("bytes", 1)
    let (grant, context) = try grant(vector)
    return SegmentCipher(grant: grant, context: context)
  }

  private static func key(_ vector: VectorCase) throws -> [UInt8] {
    let (grant, context) = try grant(vector.number("bytes", 1))
    return SegmentKey.derive(from: grant, context: context).copyBytes()
  }

  fileprivate static func seal(_ vector: VectorCase) throws -> [UInt8] {
    let (cipher, plaintext) = (try cipher(vector), try vector.hex("plaintext"))
    let (file, chunk) = (UInt32(try vector.number("file")), try vector.number("chunk"))
    var frame = [UInt8](repeating: 0, count: SegmentHeader.byteCount + plaintext.count + 16)
    _ = try frame.withUnsafeMutableBytes { frame in
      try plaintext.withUnsafeBytes { try cipher.seal(file: file, chunk: chunk, plaintext: $0, into: frame) }
    }
    return frame
  }

  // MARK: - grant

  /// Three files of one chunk, whose roots are their leaves, and one of three chunks.
  private static let contents = [Array("first file".utf8), Array("second, longer file".utf8), Array("third".utf8)]
  private static let leaves = (0..<3).map { HashTree.leaf(pattern(UInt8($0), 3).span).bytes }

  private static func grants() throws -> [VectorCase] {
    let listed = contents.map { VectorCase().number("size", $0.count).hex("root", HashTree.leaf($0.span).bytes) }
    let long = VectorCase().number("size", 2 * 65_536 + 1).hex(
      "root", HashTree.root(of: try leaves.map { try Digest($0) }).bytes)
    let grant = VectorCase("a grant", "Three chunks of three files, in order.", op: "grant").joining(context).number("kind", 0)
      .number("aead", 1).number("chunk", 65_536).parts("files", listed + [long])
      .parts("ranges", (0..<3).map { VectorCase().number("file", $0).number("first", 0).number("count", 1) })
    func frame(_ file: Int, _ plaintext: [UInt8]? = nil, _ change: (VectorCase) -> VectorCase = { $0 }) throws -> [UInt8] {
      try seal(change(grant.number("file", file).number("chunk", 0).hex("plaintext", plaintext ?? contents[file])))
    }
    let good = [try frame(0), try frame(1), try frame(2)]
    func with(_ name: String, _ about: String, _ frames: [[UInt8]], _ expected: FailureClass) -> VectorCase {
      grant.renamed(name, about).hexes("frames", frames).expect(expected)
    }
    let wrong = Array("second, lonGer file".utf8)
    let list = leaves.flatMap { $0 }
    let lists = grant.number("kind", 2).parts("ranges", [VectorCase().number("file", 3).number("first", 0).number("count", 1)])
    func listFrame(_ plaintext: [UInt8]) throws -> [UInt8] {
      try seal(lists.number("file", 3).number("chunk", 0).hex("plaintext", plaintext))
    }
    let object = pattern(0, 120)
    let manifest = grant.number("kind", 1).number("bytes", 120).without("ranges", "files", "chunk")
    func piece(_ chunk: Int, _ plaintext: [UInt8]) throws -> [UInt8] {
      try seal(manifest.number("file", 0).number("chunk", chunk).hex("plaintext", plaintext))
    }
    return [
      grant.hexes("frames", good).expect(.ok),
      with("a frame before its turn", "The second file first.", [good[1]], .unasked),
      with("a frame again", "The first one twice.", [good[0], good[0]], .unasked),
      with("a frame too many", "The grant is used up.", good + [good[2]], .unasked),
      with("a frame of a file that was not asked for", "File 3.", good.dropLast() + [try frame(3, [1])], .unasked),
      with("a frame that is too short", "A byte less than the file has.", [try frame(0, Array("first fil".utf8))], .unasked),
      with("a frame that is too long", "A byte more.", [try frame(0, Array("first file!".utf8))], .unasked),
      with("a frame of another grant", "Nobody knows its gid.", [try frame(0) { $0.hex("gid", pattern(0x91, 16)) }], .unasked),
      with("a frame with a wrong tag", "The path is to blame.", [good[0], flipped(good[1], at: -1)], .refused),
      with(
        "a chunk that is not the leaf's", "The tag is right: the server is to blame.", [good[0], try frame(1, wrong)], .content),
      lists.renamed("a leaf list", "One piece.").hexes("frames", [try listFrame(list)]).expect(.ok),
      lists.renamed("a leaf list that leads elsewhere", "The tag is right.").hexes(
        "frames", [try listFrame(flipped(list, at: 3))]
      )
      .expect(.content),
      lists.renamed("a leaf list without its last leaf", "The length follows from the file's.")
        .hexes("frames", [try listFrame(Array(list.dropLast(32)))]).expect(.unasked),
      manifest.renamed("an object", "One piece of 120 bytes.").hexes("frames", [try piece(0, object)]).hex("object", object)
        .expect(.ok),
      manifest.renamed("the second piece of an object", "It has one.").hexes("frames", [try piece(1, object)]).expect(.unasked),
      manifest.renamed("a piece that is too long", "The grant says 120 bytes.").hexes("frames", [try piece(0, object + [0])])
        .expect(.unasked),
    ]
  }

  // MARK: - check

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "attach":
      let message = try vector.hex("message")
      let key = SecretBox(SecretBytes(copying: try vector.hex("ckey")))
      guard let connection = ConnectionID(try vector.hex("cid")) else { throw Mismatch(description: "a cid has 16 bytes") }
      var desk = AttachDesk<Int>()
      _ = desk.expect(connection, key: key, owner: 1, at: .zero)
      try require(message.first == 3 && desk.admit(Array(message.dropFirst()), at: .zero) != nil, else: .refused)
      try vector.same("message", [3] + Attach.message(connection: connection, key: key))
    case "frame":
      let frame = try vector.hex("frame")
      let header = try SegmentHeader(parsing: frame.span)
      let cipher = try cipher(vector)
      let opened = frame.withUnsafeBytes { frame in try? cipher.open(frame) { [UInt8]($0) } }
      guard let opened else { throw Refusal(failure: .refused) }
      try vector.same("plaintext", opened)
      try vector.same("file", header.file)
      try vector.same("chunk", header.chunk)
      try vector.same("key", key(vector))
      try vector.same("frame", seal(vector))
    case "grant": try pull(vector)
    default: throw try unknownOperation(vector)
    }
  }

  /// Takes the frames as a puller does that has asked for exactly this.
  private static func pull(_ vector: VectorCase) throws {
    guard let transfer = TransferID(try vector.hex("transfer")) else { throw Mismatch(description: "no transfer") }
    let server = try Digest(try vector.hex("server"))
    var pull = PullMachine(
      transfer: transfer, digest: try Digest(try vector.hex("digest")), puller: try Digest(try vector.hex("puller")),
      randomness: .seeded(1), at: .zero)
    var ranges: [ChunkRange] = []
    var manifest: Manifest?
    if vector.has("files") {
      ranges = try vector.parts("ranges").map {
        ChunkRange(file: Int(try $0.number("file")), first: Int(try $0.number("first")), count: Int(try $0.number("count")))
      }
      let plan = try plan(vector)
      manifest = plan
      _ = pull.receive(.plan(PullPlan(manifest: plan, selection: ranges.map(\.file))), at: .zero)
    }
    let actions = pull.receive(.sourceAvailable(SourceID(0), node: server), at: .zero)
    guard case .send(_, let want)? = actions.first(where: { if case .send = $0 { true } else { false } }) else {
      throw Mismatch(description: "nothing is asked for")
    }
    try insist(want.ranges == ranges, "something else is asked for")
    let (grant, context) = try grant(vector, ranges: ranges, want: want)
    _ = pull.receive(.granted(grant, context.session), at: .zero)
    _ = pull.receive(.connectionOpened(want.connection), at: .zero)
    for frame in try vector.hexes("frames") {
      let header = try SegmentHeader(parsing: frame.span)
      let sealedBytes = try pull.check(header, on: want.connection)
      try require(sealedBytes == frame.count - SegmentHeader.byteCount, else: .unasked)
      guard case .take(let ticket) = pull.take(header, on: want.connection, at: .zero) else { throw Refusal(failure: .unasked) }
      try open(frame, ticket, manifest: manifest, vector)
    }
  }

  private static func plan(_ vector: VectorCase) throws -> Manifest {
    var builder = ManifestBuilder(name: try ArtifactName("vector"), chunkBytes: Int(try vector.number("chunk")))
    for (index, file) in try vector.parts("files").enumerated() {
      let root = try Digest(try file.hex("root"))
      builder.add(
        ManifestFile(
          path: try SafePath("\(index)"), sizeBytes: try file.number("size"), mode: .regular, kind: .other, sha256: root,
          root: root))
    }
    return try builder.build(version: 1, previous: nil, publisher: Digest(vector.hex("server")), created: 1, note: "")
  }

  private static func open(_ frame: [UInt8], _ ticket: FrameTicket, manifest: Manifest?, _ vector: VectorCase) throws {
    guard ticket.kind == .chunks else {
      guard let piece = ticket.openPiece(frame) else { throw Refusal(failure: .refused) }
      guard ticket.kind == .leafList, let manifest else { return try vector.same("object", piece) }
      _ = try LeafList(verifying: piece.span, layout: manifest.layout(of: ticket.file), root: manifest.files[ticket.file].root)
      return
    }
    let verdict = try frame.withUnsafeBytes { frame in try ticket.verify(frame) { _ in } }
    switch verdict {
    case .good: return
    case .badTag: throw Refusal(failure: .refused)
    case .badLeaf: throw Refusal(failure: .content)
    }
  }
}

extension VectorCase {
  fileprivate func resealed() throws -> VectorCase { hex("frame", try StreamVectors.seal(self)) }
}
