internal import Wire

/// The newest batch of one-time pairs that the peer has handed over: what a session with it starts from without asking.
struct HeldBundle: Sendable {
  private static let version: UInt8 = 1

  private let kept: KeptBundle
  /// Verified when it came.
  var bundle: Bundle { kept.bundle }
  /// Ids of its pairs that were used, so that none is used twice.
  private(set) var used: [UInt32]

  /// A batch that was just verified; `earlier` is the one it replaces.
  init(_ bundle: Bundle, replacing earlier: HeldBundle?) {
    kept = KeptBundle(bundle)
    used = earlier?.used.filter { id in bundle.pairs.contains { $0.id == id } } ?? []
  }

  /// Reads ``stored``. Throws ``SessionError/Code/corruptState``.
  init(stored bytes: [UInt8]) throws(SessionError) {
    do {
      var reader = ByteReader(bytes.span)
      guard try reader.u8() == Self.version else { throw SessionError(.unsupportedVersion) }
      var used: [UInt32] = []
      for _ in 0..<(try reader.u8()) { used.append(try reader.u32()) }
      self.used = used
      let rest = reader.rest()
      kept = KeptBundle(try Bundle(parsing: rest.span))
    } catch {
      throw SessionError(.corruptState)
    }
  }

  /// For the store: `version u8‖n u8‖n × id u32‖bundle`. Nothing in it is secret.
  var stored: [UInt8] {
    var writer = ByteWriter(capacity: bundle.bytes.count + 80)
    writer.u8(Self.version)
    writer.u8(UInt8(used.count))
    for id in used { writer.u32(id) }
    writer.append(bundle.bytes)
    return writer.bytes
  }

  /// The pair to use next, in the order of the batch; nil when all are used.
  var nextPair: Bundle.Pair? { bundle.pairs.first { !used.contains($0.id) } }

  /// Takes note that a pair is used.
  mutating func use(_ pair: Bundle.Pair) {
    if !used.contains(pair.id) { used.append(pair.id) }
  }
}

/// The control message that hands a batch over.
enum PrekeysMessage {
  /// Its type.
  static let type = "prekeys"

  /// `{"type":"prekeys","bundle":"…"}`
  static func payload(_ bundle: Bundle) -> [UInt8] {
    JSONValue.object([
      JSONValue.Member("type", .string(type)), JSONValue.Member("bundle", .string(Base64.encode(bundle.bytes))),
    ]).serialized()
  }

  /// The bundle in a payload. Throws ``SessionError/Code/malformed`` for one that is none, that answers a request, or that
  /// has no pairs; what it says is to be verified.
  static func read(_ payload: [UInt8]) throws(SessionError) -> Bundle {
    guard let value = try? JSONValue.parse(payload.span), case .string(let text)? = value["bundle"],
      let bytes = Base64.decode(text), bytes.count <= Bundle.maximumBytes
    else { throw SessionError(.malformed) }
    let bundle = try Bundle(parsing: bytes.span)
    guard bundle.nonce == Bundle.pushedNonce, !bundle.pairs.isEmpty else { throw SessionError(.malformed) }
    return bundle
  }
}
