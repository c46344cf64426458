internal import Wire

/// What a peer said of itself in the first envelope of a session that it started: it counts once the session is confirmed.
///
/// Before that a thief of our signed prekeys could have said it, and it names the addresses that we dial. It is stored, for nobody
/// says it again; the last one alone, since only the newest start is confirmed.
struct PendingHello: Hashable, Sendable {
  /// Bytes of one that is kept: twice a name and eight of the longest addresses.
  static let maximumBytes = 4_096

  /// The session that it came in…
  let session: SessionID
  /// …and its number there.
  let sequence: UInt64
  /// The control message.
  let payload: [UInt8]

  init(session: SessionID, sequence: UInt64, payload: [UInt8]) {
    self.session = session
    self.sequence = sequence
    self.payload = payload
  }

  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    session = try SessionID(from: &reader)
    sequence = try reader.u64()
    payload = try reader.lengthPrefixed(atMost: Self.maximumBytes)
  }

  func write(to writer: inout ByteWriter) {
    writer.append(session.bytes)
    writer.u64(sequence)
    writer.lengthPrefixed(payload)
  }
}

extension PeerMachine {
  /// Keeps a `hello` of a session that is not confirmed.
  mutating func keepHello(_ letter: Letter, of session: SessionID, into outcome: inout Outcome) {
    guard letter.payload.count <= PendingHello.maximumBytes else { return outcome.events.append(.prematurePayload(session)) }
    book.hello = PendingHello(session: session, sequence: letter.sequence, payload: letter.payload)
    outcome.commit.append(.putState(book.stored))
  }

  /// Delivers the `hello` that was kept, if it is of that session, which is confirmed.
  mutating func releaseHello(of session: SessionID, into outcome: inout Outcome) {
    guard let hello = book.hello, hello.session == session else { return }
    book.hello = nil
    outcome.commit.append(.putState(book.stored))
    outcome.delivered.append(
      Delivered(session: session, sequence: hello.sequence, type: PayloadType.hello, payload: hello.payload))
  }
}
