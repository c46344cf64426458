/// What a client asks of its node: one JSON object on one line, `{"verb":"pull","artifact":"studio/anime-lora",…}`.
public enum Request: Hashable, Sendable {
  /// Is it running, who are we, who is online, what moves.
  case status
  /// Who we are and where we can be reached.
  case id
  /// Make a ticket for one new peer.
  case invite(InviteRequest)
  /// Pair by a ticket.
  case join(JoinRequest)
  /// Whom we are paired with.
  case peers
  /// Give a peer another alias.
  case rename(RenameRequest)
  /// Compare, and perhaps confirm, a safety number.
  case verify(VerifyRequest)
  /// Forget a peer.
  case revoke(RevokeRequest)
  /// Publish a file or folder.
  case share(ShareRequest)
  /// Withdraw what was published.
  case unshare(UnshareRequest)
  /// What we share, or what a peer shares with us.
  case list(ListRequest)
  /// An artifact's manifest for people.
  case show(ShowRequest)
  /// Fetch, verify, place.
  case pull(PullRequest)
  /// Re-verify what is on disk.
  case check(CheckRequest)
  /// What moves or waits, both directions.
  case transfers
  /// End a pull and drop what has arrived of it.
  case cancel(CancelRequest)
  /// Drop a download from the records that `check` looks at.
  case forget(ForgetRequest)
  /// List, add or remove addresses of a peer.
  case peerAddress(PeerAddressRequest)
  /// List the tickets that have not expired, or revoke one.
  case tickets(TicketsRequest)

  /// The word in the `verb` field.
  public var verb: String { parts.verb.rawValue }

  /// Whether the request ends when its client goes away. The others are brief and run to their end, so that a pipe may
  /// close its writing side right after the line.
  public var endsWithItsClient: Bool {
    switch self {
    case .invite, .join, .share, .pull, .check: true
    case .status, .id, .peers, .rename, .verify, .revoke, .unshare, .list, .show, .transfers, .cancel, .forget, .peerAddress,
      .tickets:
      false
    }
  }
}

/// The fields of one verb. Unknown fields are refused: a misspelt `only` must not pull everything.
protocol RequestFields: Codable, Hashable, Sendable {
  associatedtype CodingKeys: CodingKey, CaseIterable
}

extension Request: Codable {
  private enum Verb: String, Codable {
    case status, id, invite, join, peers, verify, revoke, share, unshare, show, pull, check
    case transfers, cancel, forget, tickets
    case peerAddress = "peer-address"
    case rename = "peer-rename"
    case list = "ls"
  }

  private enum VerbKey: String, CodingKey { case verb }

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private var parts: (verb: Verb, fields: (any RequestFields)?) {
    switch self {
    case .status: (.status, nil)
    case .id: (.id, nil)
    case .invite(let fields): (.invite, fields)
    case .join(let fields): (.join, fields)
    case .peers: (.peers, nil)
    case .rename(let fields): (.rename, fields)
    case .verify(let fields): (.verify, fields)
    case .revoke(let fields): (.revoke, fields)
    case .share(let fields): (.share, fields)
    case .unshare(let fields): (.unshare, fields)
    case .list(let fields): (.list, fields)
    case .show(let fields): (.show, fields)
    case .pull(let fields): (.pull, fields)
    case .check(let fields): (.check, fields)
    case .transfers: (.transfers, nil)
    case .cancel(let fields): (.cancel, fields)
    case .forget(let fields): (.forget, fields)
    case .peerAddress(let fields): (.peerAddress, fields)
    case .tickets(let fields): (.tickets, fields)
    }
  }

  /// Writes `verb` and the verb's fields beside it.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: VerbKey.self)
    try object.encode(parts.verb, forKey: .verb)
    try parts.fields?.encode(to: encoder)
  }

  /// Reads `verb` and the fields that belong to it; anything else throws a ``Failure`` with code `usage`.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: VerbKey.self)
    guard let word = try? object.decode(String.self, forKey: .verb) else {
      throw Failure(.usage, "the request has no verb")
    }
    guard let verb = Verb(rawValue: word) else {
      throw Failure(
        .usage, "unknown verb: \(word)", hint: "is the node older than the command? compare: pawl version, pawl status")
    }
    func fields<Fields: RequestFields>(_ type: Fields.Type) throws -> Fields {
      try Self.refuseUnknown(in: decoder, known: type.CodingKeys.allCases.map(\.stringValue))
      do { return try Fields(from: decoder) } catch let error as DecodingError {
        throw Failure(.usage, "\(word): \(Self.describe(error))")
      }
    }
    func nothing(_ request: Request) throws -> Request {
      try Self.refuseUnknown(in: decoder, known: [])
      return request
    }
    self =
      switch verb {
      case .status: try nothing(.status)
      case .id: try nothing(.id)
      case .peers: try nothing(.peers)
      case .invite: .invite(try fields(InviteRequest.self))
      case .join: .join(try fields(JoinRequest.self))
      case .rename: .rename(try fields(RenameRequest.self))
      case .verify: .verify(try fields(VerifyRequest.self))
      case .revoke: .revoke(try fields(RevokeRequest.self))
      case .share: .share(try fields(ShareRequest.self))
      case .unshare: .unshare(try fields(UnshareRequest.self))
      case .list: .list(try fields(ListRequest.self))
      case .show: .show(try fields(ShowRequest.self))
      case .pull: .pull(try fields(PullRequest.self))
      case .check: .check(try fields(CheckRequest.self))
      case .transfers: try nothing(.transfers)
      case .cancel: .cancel(try fields(CancelRequest.self))
      case .forget: .forget(try fields(ForgetRequest.self))
      case .peerAddress: .peerAddress(try fields(PeerAddressRequest.self))
      case .tickets: .tickets(try fields(TicketsRequest.self))
      }
  }

  private static func refuseUnknown(in decoder: any Decoder, known: [String]) throws {
    let object = try decoder.container(keyedBy: AnyKey.self)
    let unknown = object.allKeys.map(\.stringValue).filter { $0 != VerbKey.verb.rawValue && !known.contains($0) }
    guard let first = unknown.min() else { return }
    throw Failure(.usage, "unknown field: \(first)")
  }

  private static func describe(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "the field \(key.stringValue) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? "a field is not what it should be"
        : "the field \(context.codingPath.map(\.stringValue).joined(separator: ".")) is not what it should be"
    @unknown default: "a field is not what it should be"
    }
  }
}
