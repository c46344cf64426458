/// How far a request has come: a `progress` line. Only the newest counts; a slow client misses some.
public struct Progress: Codable, Hashable, Sendable {
  /// What is being done.
  public enum Phase: String, Codable, Hashable, Sendable {
    /// Reading and hashing what is to be shared.
    case hashing
    /// Asking the peer for the manifest.
    case asking
    /// Other pulls have to end first.
    case waiting
    /// Looking at what is already there.
    case examining
    /// Bytes are on their way.
    case fetching
    /// Whole and verified: moving to the final names.
    case placing
    /// Reading back from disk.
    case reading
  }

  /// What is being done.
  public var phase: Phase
  /// The file that is moving now, as the manifest names it.
  public var file: String?
  /// Files that are whole.
  public var filesDone: Int
  /// Files in all.
  public var filesTotal: Int
  /// Bytes that are there and verified, those of earlier attempts included.
  public var bytes: UInt64
  /// Bytes in all.
  public var bytesTotal: UInt64
  /// Bytes that were there when the request began: more than 0 means that it resumes.
  public var bytesResumed: UInt64
  /// The rate of the last seconds.
  public var bytesPerSecond: UInt64
  /// Where bytes come from, by alias.
  public var source: String?
  /// How they come: `direct`, `lan`, `relay via office`.
  public var route: String?

  /// A state of affairs.
  public init(
    phase: Phase, file: String? = nil, filesDone: Int = 0, filesTotal: Int = 0, bytes: UInt64 = 0, bytesTotal: UInt64 = 0,
    bytesResumed: UInt64 = 0, bytesPerSecond: UInt64 = 0, source: String? = nil, route: String? = nil
  ) {
    self.phase = phase
    self.file = file
    self.filesDone = filesDone
    self.filesTotal = filesTotal
    self.bytes = bytes
    self.bytesTotal = bytesTotal
    self.bytesResumed = bytesResumed
    self.bytesPerSecond = bytesPerSecond
    self.source = source
    self.route = route
  }

  private enum CodingKeys: String, CodingKey {
    case phase, file, bytes, source, route
    case filesDone = "files_done"
    case filesTotal = "files_total"
    case bytesTotal = "bytes_total"
    case bytesResumed = "bytes_resumed"
    case bytesPerSecond = "bytes_per_second"
  }
}

/// Something that happened before the result: an `event` line. Events are never dropped.
public enum Event: Hashable, Sendable {
  /// `invite` made a ticket and waits for it to be used.
  case ticket(TicketResult)
  /// Something a user should know, in one line; names from peers in it are as they are.
  case notice(String)
  /// `up` is ready.
  case ready(ReadyEvent)
}

/// A node that has begun to listen.
public struct ReadyEvent: Codable, Hashable, Sendable {
  /// The node id, in hex.
  public var node: String
  /// `HOST:PORT`.
  public var listening: String

  /// A node that has begun to listen.
  public init(node: String, listening: String) {
    self.node = node
    self.listening = listening
  }
}

extension Event: Codable {
  private enum CodingKeys: String, CodingKey { case event, message }
  private enum Name: String, Codable { case ticket, notice, ready }

  /// Reads the fields of an `event` line.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    self =
      switch try fields.decode(Name.self, forKey: .event) {
      case .ticket: .ticket(try TicketResult(from: decoder))
      case .notice: .notice(try fields.decode(String.self, forKey: .message))
      case .ready: .ready(try ReadyEvent(from: decoder))
      }
  }

  /// Writes the fields of an `event` line.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .ticket(let ticket):
      try fields.encode(Name.ticket, forKey: .event)
      try ticket.encode(to: encoder)
    case .notice(let message):
      try fields.encode(Name.notice, forKey: .event)
      try fields.encode(message, forKey: .message)
    case .ready(let ready):
      try fields.encode(Name.ready, forKey: .event)
      try ready.encode(to: encoder)
    }
  }
}
