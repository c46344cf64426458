public import Artifact
public import Primitives
internal import Wire

/// `{"type":"want",…}`: "send me these chunks of this artifact, on this connection".
///
/// `kind` 1, the manifest, has no ranges; the others name at least one. `aeads` is in the asker's order of preference. `ckey`
/// comes with the first request that names the connection.
public struct Want: Sendable {
  static let type = "want"

  /// Echoed by the answer.
  public let request: RequestNumber
  /// The asker's pull.
  public let transfer: TransferID
  /// The artifact.
  public let digest: Digest
  /// What of it.
  public let kind: SegmentKind
  /// Which chunks or pieces: sorted, without overlap, at most 64 MiB together.
  public let ranges: [ChunkRange]
  /// The ciphers that the asker opens, best first.
  public let aeads: [BulkCipher.Algorithm]
  /// Where the frames are to go.
  public let connection: ConnectionID
  /// The connection's key, the first time it is named.
  public let connectionKey: SecretBox?

  /// A request.
  public init(
    request: RequestNumber, transfer: TransferID, digest: Digest, kind: SegmentKind, ranges: [ChunkRange],
    aeads: [BulkCipher.Algorithm], connection: ConnectionID, connectionKey: SecretBox?
  ) {
    self.request = request
    self.transfer = transfer
    self.digest = digest
    self.kind = kind
    self.ranges = ranges
    self.aeads = aeads
    self.connection = connection
    self.connectionKey = connectionKey
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    transfer = try fields.id("transfer")
    digest = try fields.digest("digest")
    kind = try fields.kind("kind")
    ranges = try fields.ranges("ranges")
    var aeads: [BulkCipher.Algorithm] = []
    for element in try fields.array("aeads", atMost: TransferLimits.aeads) {
      guard case .integer(let number) = element else { throw ControlError(.malformed) }
      // A cipher that this version does not know is passed over: there may be others in the list.
      if let known = UInt8(exactly: number).flatMap({ BulkCipher.Algorithm(rawValue: $0) }) { aeads.append(known) }
    }
    self.aeads = aeads
    let connection = try fields.object("connection")
    self.connection = try connection.id("cid")
    connectionKey = connection.has("ckey") ? try connection.secret("ckey") : nil
    guard ranges.isEmpty == (kind == .manifest) else { throw ControlError(.malformed) }
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("transfer", transfer)
    writer.set("digest", digest)
    writer.set("kind", UInt64(kind.rawValue))
    writer.set("ranges", ranges)
    writer.set("aeads", .array(aeads.map { .integer(UInt64($0.rawValue)) }))
    var inner = ControlWriter()
    inner.set("cid", connection)
    if let connectionKey { inner.set("ckey", connectionKey) }
    writer.set("connection", inner.value)
    return writer.value
  }
}

/// `{"type":"grant",…}`: the secret under which the chunks that were asked for will come, and once more what they are.
///
/// `bytes`, the length of lp(manifest) ‖ lp(signature), comes with kind 1 alone.
public struct Grant: Sendable {
  static let type = "grant"

  /// The request that this answers.
  public let request: RequestNumber
  /// The grant's name.
  public let grant: GrantID
  /// What its key is made of; it stands for one sealing of each chunk, and is never stored.
  public let secret: SecretBox
  /// As asked.
  public let kind: SegmentKind
  /// The cipher.
  public let aead: BulkCipher.Algorithm
  /// As asked.
  public let digest: Digest
  /// As asked.
  public let transfer: TransferID
  /// As asked.
  public let ranges: [ChunkRange]
  /// As asked.
  public let connection: ConnectionID
  /// The length of the manifest object, for kind 1.
  public let objectBytes: Int?

  /// A grant.
  public init(
    request: RequestNumber, grant: GrantID, secret: SecretBox, kind: SegmentKind, aead: BulkCipher.Algorithm,
    digest: Digest, transfer: TransferID, ranges: [ChunkRange], connection: ConnectionID, objectBytes: Int?
  ) {
    self.request = request
    self.grant = grant
    self.secret = secret
    self.kind = kind
    self.aead = aead
    self.digest = digest
    self.transfer = transfer
    self.ranges = ranges
    self.connection = connection
    self.objectBytes = objectBytes
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    grant = try fields.id("gid")
    secret = try fields.secret("secret")
    kind = try fields.kind("kind")
    aead = try fields.aead("aead")
    digest = try fields.digest("digest")
    transfer = try fields.id("transfer")
    ranges = try fields.ranges("ranges")
    connection = try fields.id("cid")
    objectBytes =
      fields.has("bytes") ? Int(try fields.integer("bytes", in: 1...UInt64(SignedManifest.maximumEncodedBytes))) : nil
    guard ranges.isEmpty == (kind == .manifest), (objectBytes != nil) == (kind == .manifest) else {
      throw ControlError(.malformed)
    }
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("gid", grant)
    writer.set("secret", secret)
    writer.set("kind", UInt64(kind.rawValue))
    writer.set("aead", UInt64(aead.rawValue))
    writer.set("digest", digest)
    writer.set("transfer", transfer)
    writer.set("ranges", ranges)
    writer.set("cid", connection)
    if let objectBytes { writer.set("bytes", UInt64(objectBytes)) }
    return writer.value
  }
}

/// Why a request is not granted, or not to its end.
public enum DenyReason: String, Hashable, Sendable {
  /// Room for the word of a later version.
  static let maximumBytes = 64

  /// Not there, or not for the asker: the two look alike.
  case notFound
  /// A file is no longer what was published.
  case changed
  /// A file cannot be read there: its disk or its permissions refuse.
  case unreadable
  /// Not now, for a reason that passes by itself: ask again in a while.
  case busy
  /// It was withdrawn while it was under way, or a file of it is no longer there.
  case gone
  /// More connections than a peer may have: ask again in a while.
  case limit
  /// The request makes no sense for this artifact.
  case badRequest
  /// The connection is not known, or no longer: ask with a new one.
  case noConnection
}

/// `{"type":"deny","req":9,"transfer":"…","reason":"changed","path":"a.safetensors"}`: also after a grant, when what has not
/// been sent will not be.
public struct Deny: Hashable, Sendable {
  static let type = "deny"

  /// The request that this answers.
  public let request: RequestNumber
  /// The asker's pull.
  public let transfer: TransferID
  /// Why.
  public let reason: DenyReason
  /// The file that is the reason, if one is.
  public let path: SafePath?

  /// A refusal.
  public init(request: RequestNumber, transfer: TransferID, reason: DenyReason, path: SafePath? = nil) {
    self.request = request
    self.transfer = transfer
    self.reason = reason
    self.path = path
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    transfer = try fields.id("transfer")
    // A reason of a later version says at least that it is not now: what was fetched is kept, and asking again is bounded.
    reason = DenyReason(rawValue: try fields.text("reason", atMost: DenyReason.maximumBytes)) ?? .busy
    if fields.has("path") {
      guard let path = try? SafePath(try fields.text("path", atMost: SafePath.maximumBytes)) else {
        throw ControlError(.malformed)
      }
      self.path = path
    } else {
      path = nil
    }
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("transfer", transfer)
    writer.set("reason", reason.rawValue)
    if let path { writer.set("path", path.text) }
    return writer.value
  }
}
