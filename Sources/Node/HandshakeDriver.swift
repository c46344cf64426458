internal import EventLoop
internal import Noise
internal import Primitives
internal import Wire

/// What a connection is for: its first byte.
enum Preamble: UInt8 {
  case link = 1
  case pair = 2
  case data = 3
}

/// One Noise handshake over a byte stream, in either role. Used once, then it becomes a ``SecureConnection``.
actor HandshakeDriver {
  /// To the first handshake message of someone who connected to us.
  static let firstMessageTime = Duration.seconds(3)
  /// For the whole handshake.
  static let totalTime = Duration.seconds(5)
  /// Messages 1 and 2 carry a key, a tag and at most a ticket id.
  static let shortMessageBytes = 96
  /// Message 3 of a pairing carries a record, a bundle and a card.
  static let longMessageBytes = 65_535

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private let stream: any ByteStream
  private let remoteName: String
  private let ends: ConnectionEnds?
  private let deadline: Deadline
  /// Where a connection that was dialled to us waits until it is authenticated.
  private let place: Doorway.Place?
  private var handshake: NoiseHandshake?
  private var decoder = FrameDecoder(lengthWidth: .two, maximum: longMessageBytes)

  /// A driver that has sent and read nothing yet.
  init(
    stream: any ByteStream, remoteName: String, ends: ConnectionEnds? = nil, handshake: consuming NoiseHandshake,
    deadline: Deadline, place: Doorway.Place? = nil, loop: EventLoop
  ) {
    self.stream = stream
    self.remoteName = remoteName
    self.ends = ends
    self.handshake = consume handshake
    self.deadline = deadline
    self.place = place
    self.loop = loop
  }

  // MARK: Initiator

  /// Sends the preamble and message 1, waits for message 2, which carries nothing. Returning means that the other side holds the
  /// expected key.
  func open(_ preamble: Preamble, payload: [UInt8]) async throws {
    try await stream.write([preamble.rawValue] + frame(write(payload)), deadline: deadline)
    guard try read(try await message(atMost: Self.shortMessageBytes, by: deadline)).isEmpty else { throw LinkEnded() }
  }

  /// Sends message 3 and turns into a connection.
  func complete(payload: [UInt8]) async throws -> SecureConnection {
    try await stream.write(frame(write(payload)), deadline: deadline)
    return try secured()
  }

  // MARK: Responder

  /// Reads message 1, which must come soon, and returns its payload once it may be answered.
  func greet() async throws -> [UInt8] {
    let first = Deadline.after(Self.firstMessageTime).earlier(deadline)
    let payload = try read(try await message(atMost: Self.shortMessageBytes, by: first))
    try await place?.greeted(by: deadline)
    return payload
  }

  /// The secret that message 3 must prove, known once message 1 has named the ticket.
  func expect(psk: SecretBox) {
    handshake?.setPSK(psk)
  }

  /// Sends message 2, reads message 3: its payload and the key that the other side has proved to hold.
  func answer() async throws -> (payload: [UInt8], remote: X25519.PublicKey) {
    try await stream.write(frame(write([])), deadline: deadline)
    let payload = try read(try await message(atMost: Self.longMessageBytes, by: deadline))
    place?.leave()
    guard let remote = handshake?.remoteStatic else { throw LinkEnded() }
    return (payload, remote)
  }

  /// The finished handshake as a connection.
  func secured() throws -> SecureConnection {
    guard let finished = handshake.take() else { throw LinkEnded() }
    return SecureConnection(
      stream: stream, transport: try finished.split(), decoder: decoder, remoteName: remoteName, ends: ends,
      loop: loop)
  }

  /// Ends the stream without a word.
  func abandon() async {
    await stream.close()
  }

  // MARK: Messages

  private func write(_ payload: [UInt8]) throws -> [UInt8] {
    guard let message = try handshake?.writeMessage(payload: payload) else { throw LinkEnded() }
    return message
  }

  private func read(_ message: [UInt8]) throws -> [UInt8] {
    guard let payload = try handshake?.readMessage(message) else { throw LinkEnded() }
    return payload
  }

  private func frame(_ message: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: message.count + 2)
    writer.u16(UInt16(message.count))
    writer.append(message)
    return writer.bytes
  }

  private func message(atMost limit: Int, by deadline: Deadline) async throws -> [UInt8] {
    while true {
      if let message = try decoder.next() {
        guard message.count <= limit else { throw WireError.oversized }
        return message
      }
      guard let bytes = try await stream.read(deadline: deadline) else { throw WireError.truncated }
      decoder.append(bytes)
      // A stranger may not make us hold more than the message we wait for.
      guard decoder.pendingCount <= Self.longMessageBytes + 2 else { throw WireError.oversized }
    }
  }
}
